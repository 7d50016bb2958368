"""Which processes have a descriptor of which socket, as far as /proc shows it to this user."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tcptop_rtt.model.proc_stat import STAT_BYTES, stat_of
from tcptop_rtt.model.reach import Holder, Holders

_STATUS_BYTES = 1 << 16
_LINK = "socket:["


def holders() -> Holders:
    """All sockets that processes have descriptors of, with these processes.

    :raises OSError: no descriptor is free
    """
    began_s = time.thread_time()
    found: list[Holder] = []
    denied = not os.path.exists("/proc/1")  # true if /proc is mounted with hidepid
    for pid in _pids():
        try:
            found += _sockets_of(pid)
        except PermissionError:
            denied = True
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            continue  # the process has ended meanwhile
    return Holders(found, denied, time.thread_time() - began_s)


def _pids() -> Iterator[str]:
    with os.scandir("/proc") as entries:
        yield from (entry.name for entry in entries if entry.name.isdecimal())


def _sockets_of(pid: str) -> list[Holder]:
    """The sockets that a process has descriptors of, each once.

    :raises OSError: the process has ended, or is another user's
    """
    # The descriptor leads to this process only, even if another one gets its PID meanwhile.
    with _opened(f"/proc/{pid}", None) as process:
        with _opened("fd", process) as directory:
            inodes = set()
            for name in os.listdir(directory):
                with suppress(FileNotFoundError):  # closed meanwhile
                    link = os.readlink(name, dir_fd=directory)
                    if link.startswith(_LINK):
                        inodes.add(int(link[len(_LINK) : -1]))
        if not inodes:
            return []
        stat = stat_of(_read("stat", process, STAT_BYTES))
        facts = (int(pid), stat.started_ns, _euid(process), stat.comm)
        return [Holder(inode, *facts) for inode in inodes]


@contextmanager
def _opened(path: str, directory: int | None) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        yield fd
    finally:
        os.close(fd)


def _euid(process: int) -> int:
    return int(_read("status", process, _STATUS_BYTES).partition(b"\nUid:")[2].split(maxsplit=2)[1])


def _read(name: str, process: int, most: int) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        return os.read(fd, most)
    finally:
        os.close(fd)
