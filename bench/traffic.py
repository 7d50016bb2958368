"""What the benchmarks share: traffic, the program at work, the kernel's own accounts."""

from __future__ import annotations

import contextlib
import fcntl
import json
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

_BPF_STATS = Path("/proc/sys/kernel/bpf_stats_enabled")


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
    def running(self, connections: int, seconds: float) -> Iterator[None]:
        """Traffic meanwhile, that ends by itself a second after so many."""
        command = [self._program, str(connections), str(seconds + 1), str(SETTLE_S)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            time.sleep(SETTLE_S + 0.5)
            yield

    @contextmanager
    def told(self, connections: int, seconds: float) -> Iterator[list[tuple[float, int]]]:
        """Traffic meanwhile; the list grows: when, on the monotonic clock, and the round trips until then."""
        steps: list[tuple[float, int]] = []
        command = [self._program, str(connections), str(seconds), str(SETTLE_S)]
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


@contextmanager
def tcptop(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The program at work, from its first line on."""
    command = [sys.executable, "-m", "tcptop_rtt", "--json", "--interval", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()
            drain.wait()


@contextmanager
def on_terminal(command: list[str]) -> Iterator[int]:
    """A program on a terminal of 160x48 that nobody looks at; its pid."""
    pid, terminal = pty.fork()
    if not pid:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))

    def drain() -> None:
        with contextlib.suppress(OSError):  # how a terminal tells that its program has ended
            while os.read(terminal, 65536):
                pass

    drained = threading.Thread(target=drain)
    drained.start()
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        drained.join()
        os.close(terminal)


@contextmanager
def dashboard(*options: str) -> Iterator[int]:
    """The program as its users see it; its pid."""
    with on_terminal([sys.executable, "-m", "tcptop_rtt", *options]) as pid:
        yield pid


def cpu_s(pid: int) -> float:
    """Processor time of a process and of its ended children so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory of a process that is in use."""
    fields = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()
    return int(fields[0]) / 1024


@contextmanager
def bpf_stats() -> Iterator[None]:
    """While this lasts, the kernel accounts the time of every BPF program."""
    before = _BPF_STATS.read_text()
    _BPF_STATS.write_text("1")
    try:
        yield
    finally:
        _BPF_STATS.write_text(before)


def programs_of(pid: int) -> dict[str, tuple[int, int]]:
    """Nanoseconds and runs so far of each BPF program that a process holds, by name."""
    shown = json.loads(
        subprocess.run(["bpftool", "--json", "prog", "show"], check=True, capture_output=True).stdout
    )
    held = set()
    for fdinfo in os.scandir(f"/proc/{pid}/fdinfo"):
        fields = dict(line.partition(":")[::2] for line in Path(fdinfo.path).read_text().splitlines())
        if "prog_id" in fields:
            held.add(int(fields["prog_id"]))
    return {
        program["name"]: (program.get("run_time_ns", 0), program.get("run_cnt", 0))
        for program in shown
        if program["id"] in held
    }
