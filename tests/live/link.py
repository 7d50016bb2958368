"""A link with a known delay on one machine: a TUN device in each of two network namespaces.

Run as a program it is the wire: it holds every packet back, and drops them all while told to.

    python link.py PID_A PID_B DELAY_MS LOSE_EACH BYTES_PER_S

The namespaces are those of two processes. It prints ``ready`` once packets flow. SIGUSR1 cuts the
wire, SIGUSR2 mends it. Of the packets from A that are longer than an empty one, each LOSE_EACH-th is lost.
From A pass at most BYTES_PER_S; what is more waits in a queue without an end.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import math
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from tcptop_rtt.reach.netns import network_namespace_at

_TUNSETIFF = 0x400454CA  # include/uapi/linux/if_tun.h
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000

EMPTY_BYTES = 100
"""No segment without data is longer: IPv6 and TCP with all options have 100 bytes."""

ADDRESSES = {"a": ("10.199.0.1", "fd99::1"), "b": ("10.199.0.2", "fd99::2")}
"""IPv4 and IPv6 address of each end."""


def inside(pid: int) -> tuple[str, ...]:
    """Starts a command in the network namespace of this process."""
    return ("nsenter", f"--net=/proc/{pid}/ns/net")


def taking(port: int, window_bytes: int = 0) -> str:
    """A script for ``b`` that takes all that one connection brings; 0: into as large a window as is usual."""
    return f"""
import socket
listener = socket.create_server(("{ADDRESSES["b"][0]}", {port}))
if {window_bytes}:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, {window_bytes})
print("ready", flush=True)
connection, _ = listener.accept()
while connection.recv(65536):
    pass
"""


def sending(port: int, size: int, pause_s: float) -> str:
    """A script for ``a`` that sends so many bytes to ``b`` again and again, and is ready once connected."""
    return f"""
import socket, time
connection = socket.create_connection(("{ADDRESSES["b"][0]}", {port}))
print("ready", flush=True)
while True:
    connection.sendall(bytes({size}))
    time.sleep({pause_s})
"""


def echoing(port: int, pause_s: float = 0.0) -> str:
    """A script for ``b`` that sends back what each connection brings, one after the other, so much later."""
    return f"""
import socket, time
listener = socket.create_server(("{ADDRESSES["b"][0]}", {port}))
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        time.sleep({pause_s})
        connection.sendall(data)
    connection.close()
"""


def asking(port: int, size: int, pause_s: float) -> str:
    """A script for ``a`` that sends so many bytes, and waits for as many, again and again."""
    return f"""
import socket, time
connection = socket.create_connection(("{ADDRESSES["b"][0]}", {port}))
print("ready", flush=True)
while True:
    connection.sendall(bytes({size}))
    connection.recv({size}, socket.MSG_WAITALL)
    time.sleep({pause_s})
"""


class Link:
    """Two namespaces joined by a wire that takes ``delay_ms`` each way.

    Of the data segments from ``a`` it loses each ``lose_each``-th; 0: none. From ``a`` it passes at most
    ``bytes_per_s``; what is more waits.

    ``a`` and ``b`` are processes that do nothing but hold them: nothing of it outlives the test.
    """

    def __init__(self, delay_ms: float, lose_each: int = 0, bytes_per_s: float = math.inf) -> None:
        self._arguments = (str(delay_ms), str(lose_each), str(bytes_per_s))
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Link:
        self.a, self.b = _hold_namespace(), _hold_namespace()
        for end, holder in (("a", self.a), ("b", self.b)):
            v4, v6 = ADDRESSES[end]
            for command in (
                "link set lo up",
                "tuntap add wire mode tun",
                f"address add {v4}/24 dev wire",
                f"address add {v6}/64 dev wire nodad",
                "link set wire up",
            ):
                subprocess.run([*inside(holder.pid), "ip", *command.split()], check=True)
        self._wire = subprocess.Popen(
            [sys.executable, "-m", "tests.live.link", str(self.a.pid), str(self.b.pid), *self._arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._wire.stdout
        assert self._wire.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        processes: list[subprocess.Popen[Any]] = [*self._started, self._wire, self.a, self.b]
        for process in processes:
            process.kill()
            process.wait()

    @property
    def namespaces(self) -> set[int]:
        """The numbers of both network namespaces: their addresses may be those of others, too."""
        return {os.stat(f"/proc/{holder.pid}/ns/net").st_ino for holder in (self.a, self.b)}

    def run(self, end: subprocess.Popen[bytes], *command: str) -> subprocess.Popen[str]:
        """Start a program in the namespace of ``a`` or ``b``; it ends with the link."""
        # nsenter replaces itself with the command, so the process is the command's own.
        process = subprocess.Popen(
            [*inside(end.pid), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._started.append(process)
        return process

    def start(self, end: subprocess.Popen[bytes], script: str) -> subprocess.Popen[str]:
        """Start Python there, and wait until the script has printed that it is ready."""
        process = self.run(end, sys.executable, "-c", script)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process

    def cut(self) -> None:
        """Drop every packet from now on."""
        self._wire.send_signal(signal.SIGUSR1)

    def mend(self) -> None:
        """Let packets pass again."""
        self._wire.send_signal(signal.SIGUSR2)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Hold every packet back while this lasts, then let them go."""
        self._wire.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._wire.send_signal(signal.SIGCONT)

    def stall(self, seconds: float) -> None:
        """Hold every packet back for so long."""
        with self.holding():
            time.sleep(seconds)


def _hold_namespace() -> subprocess.Popen[bytes]:
    # "ip netns" would need a mount, which a chroot does not allow.
    holder = subprocess.Popen(["unshare", "--net", "setpriv", "--pdeathsig", "KILL", "sleep", "infinity"])
    ours = os.readlink("/proc/self/ns/net")
    deadline = time.monotonic() + 10
    while Path(f"/proc/{holder.pid}/comm").read_text() != "sleep\n":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert os.readlink(f"/proc/{holder.pid}/ns/net") != ours
    return holder


def _open_tun(pid: int) -> int:
    with network_namespace_at(f"/proc/{pid}/ns/net"):
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", b"wire", _IFF_TUN | _IFF_NO_PI))
    return tun


def _packets(tun: int) -> Iterator[bytes]:
    """All that the device has to send now."""
    with contextlib.suppress(BlockingIOError):
        while True:
            yield os.read(tun, 65536)


def _carry(tuns: tuple[int, int], delay_s: float, lose_each: int, bytes_per_s: float) -> None:
    """Pass packets on, each ``delay_s`` after it came and had its turn, for ever."""
    # A wire does not wait for a busy CPU.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    whole = [True]
    signal.signal(signal.SIGUSR1, lambda *_: whole.__setitem__(0, False))
    signal.signal(signal.SIGUSR2, lambda *_: whole.__setitem__(0, True))
    sent, free_s = 0, 0.0
    other = {tuns[0]: tuns[1], tuns[1]: tuns[0]}
    # When each packet is to leave, by where it came from.
    waiting: dict[int, collections.deque[tuple[float, bytes]]] = {tun: collections.deque() for tun in tuns}
    print("ready", flush=True)
    while True:
        next_s = min((queue[0][0] for queue in waiting.values() if queue), default=None)
        pause_s = None if next_s is None else max(0.0, next_s - time.monotonic())
        for tun in select.select(tuns, [], [], pause_s)[0]:
            for packet in _packets(tun):
                data = tun == tuns[0] and len(packet) > EMPTY_BYTES
                sent += data
                if not whole[0] or (data and lose_each and sent % lose_each == 0):
                    continue
                leaves_s = time.monotonic()
                if tun == tuns[0]:
                    leaves_s = free_s = max(leaves_s, free_s) + len(packet) / bytes_per_s
                waiting[tun].append((leaves_s + delay_s, packet))
        for tun, queue in waiting.items():
            while queue and queue[0][0] <= time.monotonic():
                os.write(other[tun], queue.popleft()[1])


if __name__ == "__main__":
    _carry(
        (_open_tun(int(sys.argv[1])), _open_tun(int(sys.argv[2]))),
        float(sys.argv[3]) / 1000,
        int(sys.argv[4]),
        float(sys.argv[5]),
    )
