"""How long from exec to the first painted rows, beside what importing textual and bcc alone takes.

The limit is 1.5 times the import plus 0.4 s. Both in turn, medians.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.results import Result
from bench.traffic import terminal

ROUNDS = 9
_IMPORTS = "import bcc, textual.app"

# The program, telling at its end when it came by which place first; compiler and imports run side by side.
_MARKED = """
import functools, json, sys, time
from tcptop_rtt import cli, start
from tcptop_rtt.sources import opening
marks = {}
def mark(owner, name, what):
    function = getattr(owner, name)
    @functools.wraps(function)
    def marked(*arguments, **named):
        result = function(*arguments, **named)
        marks.setdefault(what, time.monotonic())
        return result
    setattr(owner, name, marked)
imported, shown = opening._bpf, start._run_screen
def import_program(follow):
    marks["interpreter and command line"] = time.monotonic()
    opener = imported(follow)
    marks["bcc imported"] = time.monotonic()
    module = sys.modules["tcptop_rtt.sources.program"]
    mark(module, "kernel_types", "types of the kernel read")
    mark(module, "_compile", "compiled")
    mark(module.Program, "__init__", "attached")
    return opener
def run_screen(*arguments):
    from tcptop_rtt.app import TcptopApp
    from tcptop_rtt.feeds.live import LiveFeed
    from tcptop_rtt.widgets.connection_table import ConnectionTable
    marks["all imported"] = time.monotonic()
    mark(TcptopApp, "on_mount", "screen laid out")
    mark(LiveFeed, "_described", "first snapshot")
    mark(ConnectionTable, "show", "rows arranged")
    return shown(*arguments)
opening._bpf, start._run_screen = import_program, run_screen
begin, path = float(sys.argv.pop(1)), sys.argv.pop(1)
try:
    cli.main()
finally:
    with open(path, "w") as file:
        json.dump({what: when - begin for what, when in marks.items()}, file)
"""


def import_s() -> float:
    """Seconds from exec to exit of a program that only imports."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
    return time.monotonic() - start


def first_rows_s(port: int, *program: str) -> float:
    """Seconds from exec until a row with this port is written to the terminal."""
    start = time.monotonic()
    with terminal(sys.executable, *(program or ("-m", "tcptop_rtt"))) as (_, screen):
        painted = b""
        while f":{port}".encode() not in painted:
            painted += os.read(screen, 65536)
        return time.monotonic() - start


def breakdown_s(port: int) -> dict[str, float]:
    """Seconds from exec until each place was passed first."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/marks.json"
        rows_s = first_rows_s(port, "-c", _MARKED, str(time.monotonic()), path)
        marks: dict[str, float] = json.loads(Path(path).read_text())
    return marks | {"painted": rows_s}


def measure() -> list[Result]:
    """Both medians, and the limit that follows from the first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            imports, rows, marks = [], [], []
            for _ in range(ROUNDS):
                imports.append(import_s())
                rows.append(first_rows_s(port))
                marks.append(breakdown_s(port))
    limit = 1.5 * statistics.median(imports) + 0.4
    spread = " ".join(f"{value:.2f}" for value in sorted(rows))
    return [
        Result("imports alone", statistics.median(imports), "s"),
        Result("exec to first rows", statistics.median(rows), "s", at_most=round(limit, 3), detail=spread),
        *(
            Result(f"of that, until: {what}", statistics.median(one[what] for one in marks), "s")
            for what in sorted(marks[0], key=lambda what: marks[0][what])
        ),
    ]
