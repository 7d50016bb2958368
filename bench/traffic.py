"""What the benchmarks share: traffic, the program at work, what it takes of processor and memory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

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


# Holds pairs of connected sockets, and lets a tenth of them talk in each period.
_TALK = """
import random, resource, socket, sys, time
pairs, period_s = int(sys.argv[1]), float(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (2 * pairs + 100, 2 * pairs + 100))
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
both = []
for _ in range(pairs):
    client = socket.create_connection(listener.getsockname())
    both.append((client, listener.accept()[0]))
print("ready", flush=True)
while True:
    for client, server in random.sample(both, pairs // 10):
        client.sendall(b"x")
        server.recv(1)
    time.sleep(period_s)
"""


@contextmanager
def talking(pairs: int, period_s: float) -> Iterator[None]:
    """Another process has so many connections meanwhile, a tenth of which talk in each period."""
    command = [sys.executable, "-c", _TALK, str(pairs), str(period_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


# It tells its namespace, and at the end how many connections were opened and accepted there.
_CHURN = """
import os, socket, struct, sys, time
per_s, seconds, networks, *ports = map(int, sys.argv[1:])
print(os.stat("/proc/self/ns/net").st_ino, flush=True)
listeners = [socket.create_server(("127.0.0.1", port), backlog=128) for port in ports]
reset = struct.pack("ii", 1, 0)  # no TIME_WAIT: there are not ports enough
start, opened = time.monotonic(), 0
while (elapsed := time.monotonic() - start) < seconds:
    while opened < elapsed * per_s:
        listener, network = listeners[opened % len(listeners)], opened // len(listeners)
        source = (f"127.1.{network % networks}.1", 0) if networks else None
        with socket.create_connection(listener.getsockname(), source_address=source) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            listener.accept()[0].close()
        opened += 1
    time.sleep(0.005)
names, values = (line.split() for line in open("/proc/net/snmp") if line.startswith("Tcp:"))
print(values[names.index("ActiveOpens")], values[names.index("PassiveOpens")], flush=True)
"""
IN_NAMESPACE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


class Churn:
    """Connections that are closed as soon as they are open, the only ones of a network namespace.

    The kernel's own counters are theirs.
    """

    def __init__(self, told: IO[str]) -> None:
        self._told = told
        self.netns = int(told.readline())

    def opened_and_accepted(self) -> tuple[int, int]:
        """What the kernel has counted, once it is over."""
        opened, accepted = map(int, self._told.readline().split())
        return opened, accepted


@contextmanager
def churning(per_s: int, seconds: int, ports: Sequence[int] = (0,), networks: int = 0) -> Iterator[Churn]:
    """Another process opens and closes so many connections a second for so long.

    :param ports: at which they are accepted, in turn; 0: one that the kernel chooses
    :param networks: so many /24 connect in turn; 0: the kernel chooses the address
    """
    numbers = map(str, (per_s, seconds, networks, *ports))
    command = [*IN_NAMESPACE, sys.executable, "-c", _CHURN, *numbers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Churn(process.stdout)


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


def cpu_percent(pid: int, seconds: float) -> float:
    """Of one processor, that a process takes in the time from now on."""
    before_s, start = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_s(pid) - before_s) / (time.monotonic() - start)


def cpu_ms(action: Callable[[], object]) -> float:
    """Processor time of this thread, and of the children that it has waited for."""

    def spent_s() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.thread_time() + children.ru_utime + children.ru_stime

    start_s = spent_s()
    action()
    return 1e3 * (spent_s() - start_s)


def ask_ss() -> None:
    """Have ss tell of all connections."""
    subprocess.run(["ss", "-tinp"], stdout=subprocess.DEVNULL, check=True)


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """Memory of a process that is in use.

    :param field: VmHWM: the most that ever was
    """
    fields = Path(f"/proc/{pid}/status").read_text().partition(f"{field}:")[2].split()
    return int(fields[0]) / 1024
