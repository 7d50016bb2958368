"""How long from exec to the first painted rows, beside what importing textual and numpy takes; and memory.

The limit is the import plus 0.15 s, where the BPF program is compiled already. All in turn, medians.
"""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tcptop_rtt
from bench.results import Result
from bench.traffic import SETTLE_S, resident_mib, talking, terminal, unseen
from tests.live.program import mounted

ROUNDS = 9
_IMPORTS = "import numpy, textual.app"
_PROGRAM = ("-m", "tcptop_rtt")

# The program, telling at its end when it came by which place first; loader and imports run side by side.
_MARKED = """
import functools, json, sys, time
from tcptop_rtt import cli, front_end, start
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
opener, shown = opening.source_opener, front_end._run_screen
def begin_to_load(*arguments, **named):
    from tcptop_rtt.sources.loader.process import Loading
    marks["interpreter and command line"] = time.monotonic()
    mark(Loading, "wait", "loaded and attached")
    return opener(*arguments, **named)
def run_screen(*arguments):
    from tcptop_rtt.app import TcptopApp
    from tcptop_rtt.feeds.live import LiveFeed
    from tcptop_rtt.widgets.connection_table import ConnectionTable
    marks["all imported"] = time.monotonic()
    mark(TcptopApp, "on_mount", "screen laid out")
    mark(LiveFeed, "_described", "first snapshot")
    mark(ConnectionTable, "show", "rows arranged")
    return shown(*arguments)
start.source_opener, front_end._run_screen = begin_to_load, run_screen
begin, file = float(sys.argv.pop(1)), open(sys.argv.pop(1), "w")  # later it may open none
try:
    cli.main()
finally:
    with file:
        json.dump({what: when - begin for what, when in marks.items()}, file)
"""


def import_s() -> float:
    """Seconds from exec to exit of a program that only imports."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
    return time.monotonic() - start


def painted_s(text: bytes, *program: str, before: Sequence[str] = ()) -> float:
    """Seconds from exec until this is written to the terminal."""
    start = time.monotonic()
    with terminal(*before, sys.executable, *(program or _PROGRAM)) as (_, screen):
        painted = b""
        while text not in painted:
            painted += os.read(screen, 65536)
        return time.monotonic() - start


def first_rows_s(port: int, *program: str, before: Sequence[str] = ()) -> float:
    """Seconds from exec until a row with this port, of this process, is written to the terminal."""
    own = ("--pid", str(os.getpid()))  # those of others could fill the screen
    return painted_s(f":{port}".encode(), *(program or _PROGRAM), *own, before=before)


def memory_mib(*command: str) -> tuple[float, float]:
    """Of a process that has settled: what is resident, and the most that ever was."""
    with unseen(*command) as pid:
        time.sleep(SETTLE_S)
        return resident_mib(pid), resident_mib(pid, "VmHWM")


def breakdown_s(port: int) -> dict[str, float]:
    """Seconds from exec until each place was passed first."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/marks.json"
        rows_s = first_rows_s(port, "-c", _MARKED, str(time.monotonic()), path)
        marks: dict[str, float] = json.loads(Path(path).read_text())
    return marks | {"painted": rows_s}


@contextmanager
def as_installed() -> Iterator[None]:
    """In a directory with a copy of the program, compiled: that an installation is, a checkout may not be."""
    with tempfile.TemporaryDirectory() as directory:
        copy = shutil.copytree(Path(tcptop_rtt.__file__).parent, Path(directory, "tcptop_rtt"))
        assert compileall.compile_dir(copy, quiet=1)
        with contextlib.chdir(directory):
            yield


def measure() -> list[Result]:
    """The medians, the limits that follow from imports alone, and memory."""
    with as_installed():
        return _measured()


def _measured() -> list[Result]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            imports, rows, words, frames, cold, marks = [], [], [], [], [], []
            for _ in range(ROUNDS):
                imports.append(import_s())
                rows.append(first_rows_s(port))
                words.append(painted_s(b"the BPF program", before=mounted()))
                frames.append(painted_s(b"compiling the BPF program", before=mounted()))
                cold.append(first_rows_s(port, before=mounted()))
                marks.append(breakdown_s(port))
    imported_s = statistics.median(imports)
    spread = " ".join(f"{value:.2f}" for value in sorted(rows))
    return [
        Result("imports alone", imported_s, "s"),
        Result(
            "exec to first rows",
            statistics.median(rows),
            "s",
            at_most=round(imported_s + 0.15, 3),
            detail=spread,
        ),
        *(
            Result(f"of that, until: {what}", statistics.median(one[what] for one in marks), "s")
            for what in sorted(marks[0], key=lambda what: marks[0][what])
        ),
        Result("with nothing compiled yet: exec to first words", statistics.median(words), "s", at_most=0.25),
        Result("with nothing compiled yet: exec to frame", statistics.median(frames), "s"),
        Result("with nothing compiled yet: exec to first rows", statistics.median(cold), "s"),
        *_memory(),
    ]


def _memory() -> list[Result]:
    """With 100 connections."""
    imports = f"{_IMPORTS}; import time; time.sleep({2 * SETTLE_S})"
    with talking(50, 1.0):
        imported_mib, _ = memory_mib(sys.executable, "-c", imports)
        results = [Result("memory: imports alone", imported_mib, "MiB")]
        for what, options in ("dashboard", ()), ("--json", ("--json",)):
            settled_mib, most_mib = memory_mib(sys.executable, "-m", "tcptop_rtt", *options)
            detail = f"at most {most_mib:.0f} at any time"
            results.append(Result(f"memory: {what}", settled_mib, "MiB", at_most=35, detail=detail))
    return results
