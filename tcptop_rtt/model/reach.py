"""What takes rights over others, as those who need it ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class BlockedThread(NamedTuple):
    """A thread that is blocked on the socket."""

    tid: int
    comm: bytes
    call: str  # the system call


class SocketUse(NamedTuple):
    """How the process uses the socket, as far as that can be told for certain."""

    descriptors: tuple[int, ...]  # of the socket, at least one
    blocked: tuple[BlockedThread, ...]


class Holder(NamedTuple):
    """A socket, and a process that has a descriptor of it."""

    inode: int
    pid: int
    started_ns: int  # since the machine has started
    uid: int  # effective
    comm: bytes


class Holders(NamedTuple):
    """All sockets with their processes."""

    found: Sequence[Holder]
    is_partial: bool  # there are processes that may not be looked into
    cost_s: float  # processor time that this has taken


class Netlink(NamedTuple):
    """A way to ask for the sockets of a network namespace."""

    descriptor: int  # of a socket there, which whoever asks closes
    time_wait: int | None  # how many sockets are in TIME-WAIT there; None: that is not told


Rights = tuple[tuple[str, str], ...]
"""Whose rights there are, and which, in words."""


class Reach(Protocol):
    """Looks into processes and network namespaces, as far as the rights go. Any thread may call.

    A method raises OSError where it cannot be done. Network namespaces are named by their inode numbers.
    """

    @property
    def problem(self) -> str:
        """Why it does not reach as far as at the beginning; empty: it does."""
        return ""

    def cpu_s(self) -> float:
        """Processor time that it takes in other processes, so far."""
        return 0.0

    def close(self) -> None:
        """Look no further."""
        return

    @property
    def netns(self) -> int:
        """The network namespace of this process."""
        ...

    def namespaces(self) -> Sequence[int]:
        """All network namespaces that there is a way into, ours first."""
        ...

    def iterator_in(self, netns: int, link: int) -> int:
        """A descriptor of a new BPF iterator over the sockets of a network namespace.

        :param link: a descriptor of the iterator's link
        """
        ...

    def netlink_in(self, netns: int) -> Netlink:
        """A netlink socket there, for sock_diag(7)."""
        ...

    def interface_names(self, netns: int) -> Mapping[int, bytes]:
        """The names of the interfaces there, by their indices."""
        ...

    def count_run_time(self) -> int:
        """A descriptor: until it is closed, the kernel counts what each BPF program of the machine costs."""
        ...

    def holders(self) -> Holders:
        """Which processes have a descriptor of which socket."""
        ...

    def use_of(self, pid: int, inode: int) -> SocketUse | None:
        """How a process uses a socket; None: it does not hold it."""
        ...
