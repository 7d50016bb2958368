"""How long from exec to the first painted rows, beside what importing textual and bcc alone takes.

The limit is 1.5 times the import plus 0.4 s. Both in turn, medians.
"""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import socket
import statistics
import struct
import subprocess
import sys
import termios
import time

from bench.results import Result

ROUNDS = 9
_IMPORTS = "import bcc, textual.app"


def import_s() -> float:
    """Seconds from exec to exit of a program that only imports."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
    return time.monotonic() - start


def first_rows_s(port: int) -> float:
    """Seconds from exec until a row with this port is written to the terminal."""
    start = time.monotonic()
    pid, terminal = pty.fork()
    if not pid:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "tcptop_rtt"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
    painted = b""
    while f":{port}".encode() not in painted:
        painted += os.read(terminal, 65536)
    elapsed = time.monotonic() - start
    os.kill(pid, signal.SIGTERM)
    while True:
        try:
            if not os.read(terminal, 65536):
                break
        except OSError:
            break  # how a terminal tells that its program has ended
    os.waitpid(pid, 0)
    return elapsed


def measure() -> list[Result]:
    """Both medians, and the limit that follows from the first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            imports, rows = [], []
            for _ in range(ROUNDS):
                imports.append(import_s())
                rows.append(first_rows_s(port))
    limit = 1.5 * statistics.median(imports) + 0.4
    spread = " ".join(f"{value:.2f}" for value in sorted(rows))
    return [
        Result("imports alone", statistics.median(imports), "s"),
        Result("exec to first rows", statistics.median(rows), "s", at_most=round(limit, 3), detail=spread),
    ]
