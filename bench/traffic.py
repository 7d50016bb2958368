"""What the benchmarks share: traffic, the program at work."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTLE_S = 3.0
"""Connections this old are nothing new to any tool."""
ACCEPTS_PER_S = 50
"""What a server in use does beside its long connections."""


class PingPong:
    """Loopback request/response traffic, compiled for this run."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="tcptop-rtt-bench-")
        self._program = f"{self._directory.name}/pingpong"
        source = Path(__file__).with_name("pingpong.c")
        subprocess.run(["cc", "-O2", "-Wall", "-o", self._program, str(source)], check=True)

    def rate(self, connections: int, seconds: float) -> float:
        """Round trips per second."""
        command = [self._program, str(connections), str(seconds), str(SETTLE_S)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return int(output) / seconds

    @contextmanager
    def running(self, connections: int, seconds: float) -> Iterator[list[tuple[float, int]]]:
        """Traffic meanwhile, for so long at least unless it is left before.

        The list grows: when, on the monotonic clock, and the round trips until then.
        """
        steps: list[tuple[float, int]] = []
        command = [self._program, str(connections), str(seconds + 1), str(SETTLE_S)]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:

            def follow() -> None:
                assert process.stderr
                for line in process.stderr:
                    when, trips = line.split()
                    steps.append((float(when), int(trips)))

            follower = threading.Thread(target=follow)
            follower.start()
            time.sleep(SETTLE_S + 0.5)
            try:
                yield steps
            finally:
                process.kill()
                follower.join()


_ACCEPT = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
pause_s, due_s = 1 / float(sys.argv[1]), time.monotonic()
while True:
    with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
        client.sendall(b"question")
        server.recv(16)
        server.sendall(b"answer")
        client.recv(16)
    due_s += pause_s
    time.sleep(max(0.0, due_s - time.monotonic()))
"""


@contextmanager
def accepting(per_s: int) -> Iterator[None]:
    """Another process accepts so many connections a second meanwhile; each lives for one question."""
    with subprocess.Popen([sys.executable, "-c", _ACCEPT, str(per_s)]) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def terminal(*command: str) -> Iterator[tuple[int, int]]:
    """A program on a terminal of 160x48: its pid, and where it is seen and typed to."""
    pid, screen = pty.fork()
    if not pid:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
    try:
        yield pid, screen
    finally:
        os.kill(pid, signal.SIGTERM)
        drain(screen)
        os.waitpid(pid, 0)
        os.close(screen)


def drain(screen: int) -> None:
    """Look at what is shown no longer, until the program has ended."""
    with contextlib.suppress(OSError):  # how a terminal tells it
        while os.read(screen, 65536):
            pass


@contextmanager
def unseen(*command: str) -> Iterator[int]:
    """A program on a terminal that nobody looks at; its pid."""
    with terminal(*command) as (pid, screen):
        drainer = threading.Thread(target=drain, args=(screen,))
        drainer.start()
        try:
            yield pid
        finally:
            os.kill(pid, signal.SIGTERM)
            drainer.join()


@contextmanager
def dashboard(*options: str) -> Iterator[int]:
    """The program as its users see it; its pid."""
    with unseen(sys.executable, "-m", "tcptop_rtt", *options) as pid:
        yield pid


def cpu_s(pid: int) -> float:
    """Processor time of a process and of its ended children so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory of a process that is in use."""
    fields = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()
    return int(fields[0]) / 1024
