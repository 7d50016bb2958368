"""By which descriptors a process holds a socket, and which of its threads are blocked on it.

Only what /proc says for certain: a thread in a system call whose first argument is the descriptor, or an
epoll instance that watches it. What poll() and select() watch is in the process's memory, and is not read.
"""

from __future__ import annotations

import os
import platform
import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from tcptop_rtt.model.outside import read_bytes
from tcptop_rtt.model.snapshot import BlockedThread, SocketUse

SOCKETS_BYTES = 4 << 20
"""As much of a list of sockets is read: some 25,000 of them."""
MOST_DESCRIPTORS = 4096
MOST_THREADS = 512
_LINE_BYTES = 4096
_FDINFO_BYTES = 1 << 16
_PATIENCE_S = 0.02
_AGAIN_S = 5.0

_CALLS = {
    "x86_64": {
        0: "read", 1: "write", 19: "readv", 20: "writev", 44: "sendto", 45: "recvfrom", 46: "sendmsg",
        47: "recvmsg", 232: "epoll_wait", 281: "epoll_pwait", 299: "recvmmsg", 307: "sendmmsg",
        441: "epoll_pwait2",
    },
    "aarch64": {
        22: "epoll_pwait", 63: "read", 64: "write", 65: "readv", 66: "writev", 206: "sendto", 207: "recvfrom",
        211: "sendmsg", 212: "recvmsg", 243: "recvmmsg", 269: "sendmmsg", 441: "epoll_pwait2",
    },
}  # fmt: skip
"""System calls that may wait, and whose first argument is a descriptor (asm/unistd.h)."""


class Socket(NamedTuple):
    """A connection, and a process that holds it."""

    pid: int
    laddr: bytes  # 16 bytes, IPv4 ones v4-mapped
    lport: int
    raddr: bytes
    rport: int


ENDS = Socket._fields[1:]
"""The fields of a row that a socket is known by."""


class UseWatch:
    """Looks at one socket in a thread of its own: who asks gets what it has found last.

    :param look: looks at a socket whose inode number is given
    :param find: finds that number; 0: it is not known
    """

    def __init__(
        self,
        look: Callable[[int, int], SocketUse | None] | None = None,
        find: Callable[[Socket], int] | None = None,
    ) -> None:
        self._look = look or use_of
        self._find = find or inode_of
        self._wanted: Socket | None = None
        self._inode = 0
        self._next_find_s = 0.0
        self._found: SocketUse | None = None
        self._thread: threading.Thread | None = None

    def of(self, wanted: Socket) -> SocketUse | None:
        """What is known; None: nothing, or nothing yet."""
        if self._thread is None or not self._thread.is_alive():
            if wanted != self._wanted:
                self._wanted, self._inode, self._found, self._next_find_s = wanted, 0, None, 0.0
            self._thread = threading.Thread(target=self._run, args=(wanted,), name="socket-use", daemon=True)
            self._thread.start()
            self._thread.join(_PATIENCE_S)
        return self._found if wanted == self._wanted else None

    def _run(self, wanted: Socket) -> None:
        try:
            if not self._inode and time.monotonic() >= self._next_find_s:
                self._next_find_s = time.monotonic() + _AGAIN_S
                self._inode = self._find(wanted)
            self._found = self._look(wanted.pid, self._inode) if self._inode else None
        except OSError:
            self._found = None  # it has ended, or we may not look


def inode_of(wanted: Socket) -> int:
    """The number of a socket, by the list of its process's network namespace; 0: it is not in it.

    :raises OSError: there is no such list
    """
    for name, start in (("tcp", 12), ("tcp6", 0)):
        ends = f" {_end(wanted.laddr[start:], wanted.lport)} {_end(wanted.raddr[start:], wanted.rport)} "
        text = read_bytes(f"/proc/{wanted.pid}/net/{name}", SOCKETS_BYTES)
        at = text.find(ends.encode())
        if at >= 0:
            fields = text[at : at + _LINE_BYTES].partition(b"\n")[0].split()
            return int(fields[8]) if len(fields) > 8 else 0
    return 0


def _end(address: bytes, port: int) -> str:
    """As proc_net_tcp(5) has it: words in the machine's order of bytes."""
    words = struct.unpack(f"={len(address) // 4}I", address)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


def use_of(pid: int, inode: int) -> SocketUse | None:
    """How a process uses a socket; None: it does not hold it.

    :raises OSError: it is not there, or we may not look
    """
    target = _target(inode)
    descriptors = tuple(sorted(fd for fd in _numbers(f"/proc/{pid}/fd", MOST_DESCRIPTORS)
                               if _link(f"/proc/{pid}/fd/{fd}") == target))  # fmt: skip
    if not descriptors:
        return None
    calls = _CALLS.get(platform.machine(), {}) if read_bytes(f"/proc/{pid}/exe", 5)[4:] == b"\x02" else {}
    found = (_blocked(pid, tid, calls, inode) for tid in _numbers(f"/proc/{pid}/task", MOST_THREADS))
    return SocketUse(descriptors, tuple(thread for thread in found if thread))


def _blocked(pid: int, tid: int, calls: dict[int, str], inode: int) -> BlockedThread | None:
    """A thread that is blocked on the socket."""
    task = f"/proc/{pid}/task/{tid}"
    try:
        fields = read_bytes(f"{task}/syscall", _LINE_BYTES).split()
        call = calls.get(int(fields[0])) if len(fields) > 1 else None  # else it is running
        if call is None:
            return None
        fd = int(fields[1], 16)
        is_on_it = _watches if call.startswith("epoll") else _is
        if not is_on_it(task, fd, inode):
            return None
        return BlockedThread(tid, read_bytes(f"{task}/comm", _LINE_BYTES).rstrip(b"\n"), call)
    except (OSError, ValueError):
        return None  # it has ended


def _is(task: str, fd: int, inode: int) -> bool:
    """Whether a descriptor is that of the socket."""
    return _link(f"{task}/fd/{fd}") == _target(inode)


def _watches(task: str, epoll: int, inode: int) -> bool:
    """Whether an epoll instance watches the socket (proc_pid_fdinfo(5))."""
    for line in read_bytes(f"{task}/fdinfo/{epoll}", _FDINFO_BYTES).split(b"\n"):
        words = line.split()
        # The number was the socket's when it was registered, and may be another's by now.
        if words[:1] == [b"tfd:"] and f"ino:{inode:x}".encode() in words and _is(task, int(words[1]), inode):
            return True
    return False


def _target(inode: int) -> str:
    return f"socket:[{inode}]"


def _numbers(directory: str, most: int) -> Iterator[int]:
    with os.scandir(directory) as entries:
        for entry in islice(entries, most):
            yield int(entry.name)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
