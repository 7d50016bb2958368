"""The network namespaces of this machine, and doing something inside one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from tcptop_rtt.system_call import LIBC, checked

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
_OURS = "/proc/thread-self/ns/net"


class Ways:
    """Paths of the network namespaces that have a process or, as those of ``ip netns``, a name.

    No namespace is held open, because that would keep it alive.
    """

    def __init__(self) -> None:
        self._ways: dict[int, str] = {}

    @cached_property
    def ours(self) -> int:
        """The namespace of this process.

        :raises OSError: /proc is not mounted
        """
        return os.stat(_OURS).st_ino

    def find(self) -> tuple[int, ...]:
        """Search for all namespaces, and return their inode numbers, ours first."""
        self._ways = {self.ours: _OURS}
        for way in _possible_ways():
            with contextlib.suppress(OSError):
                self._ways.setdefault(os.stat(way).st_ino, way)
        return tuple(self._ways)

    @contextmanager
    def inside(self, netns: int) -> Iterator[None]:
        """Put the calling thread, and no other, into a namespace inside the ``with`` block.

        :raises OSError: no path leads there any more, or CAP_SYS_ADMIN is missing
        """
        if netns == self.ours:
            yield
            return
        if not self._leads_there(netns):
            self.find()
        if netns not in self._ways:
            raise FileNotFoundError(f"no process is in the network namespace {netns}")
        with network_namespace_at(self._ways[netns]):
            yield

    def _leads_there(self, netns: int) -> bool:
        """Whether the known path still leads there: its process may have ended, and another have the PID."""
        with contextlib.suppress(OSError):
            return netns in self._ways and os.stat(self._ways[netns]).st_ino == netns
        return False


def _possible_ways() -> Iterator[str]:
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield f"/proc/{entry.name}/ns/net"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            before, _, after = line.partition(" - ")
            if after.startswith("nsfs "):
                yield before.split()[4].encode(errors="surrogateescape").decode("unicode_escape")


@contextmanager
def network_namespace_at(path: str) -> Iterator[None]:
    """Put the calling thread, and no other, into the namespace of a file inside the ``with`` block.

    :raises OSError: there is no such file, or CAP_SYS_ADMIN is missing
    """
    with open(_OURS, "rb") as ours, open(path, "rb") as theirs:
        _enter(theirs.fileno())
        try:
            yield
        finally:
            _enter(ours.fileno())


def _enter(namespace_fd: int) -> None:
    # Python has os.setns() only from 3.12 on.
    checked(LIBC.setns(namespace_fd, CLONE_NEWNET))
