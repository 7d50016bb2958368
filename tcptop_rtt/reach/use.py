"""By which descriptors a process holds a socket, and which of its threads are blocked on it.

Only what /proc shows for certain counts: a thread in a system call whose first argument is the descriptor, or
an epoll instance that watches it. What poll() and select() watch is in the process's memory, and is not read.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from itertools import islice

from tcptop_rtt.model.outside import read_bytes
from tcptop_rtt.model.reach import BlockedThread, SocketUse

MOST_DESCRIPTORS = 4096
MOST_THREADS = 512
_LINE_BYTES = 4096
_FDINFO_BYTES = 1 << 16

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


def use_of(pid: int, inode: int) -> SocketUse | None:
    """How a process uses a socket; None if it does not hold it.

    :raises OSError: there is no such process, or this user may not look into it
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
    """The thread, if it is blocked on the socket."""
    task = f"/proc/{pid}/task/{tid}"
    try:
        fields = read_bytes(f"{task}/syscall", _LINE_BYTES).split()
        call = calls.get(int(fields[0])) if len(fields) > 1 else None  # else the thread is running
        if call is None:
            return None
        fd = int(fields[1], 16)
        is_on_it = _watches if call.startswith("epoll") else _is
        if not is_on_it(task, fd, inode):
            return None
        return BlockedThread(tid, read_bytes(f"{task}/comm", _LINE_BYTES).rstrip(b"\n"), call)
    except (OSError, ValueError):
        return None  # the thread has ended


def _is(task: str, fd: int, inode: int) -> bool:
    """Whether a descriptor is that of the socket."""
    return _link(f"{task}/fd/{fd}") == _target(inode)


def _watches(task: str, epoll: int, inode: int) -> bool:
    """Whether an epoll instance watches the socket (proc_pid_fdinfo(5))."""
    for line in read_bytes(f"{task}/fdinfo/{epoll}", _FDINFO_BYTES).split(b"\n"):
        words = line.split()
        # The descriptor was the socket's when it was registered, but may be another file's by now.
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
