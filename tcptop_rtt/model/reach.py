"""The interface to what needs rights: looking into processes and network namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class BlockedThread(NamedTuple):
    """A thread that is blocked on the socket."""

    tid: int
    comm: bytes
    call: str  # the system call


class SocketUse(NamedTuple):
    """How the process uses the socket, as far as that is certain."""

    descriptors: tuple[int, ...]  # that refer to the socket, at least one
    blocked: tuple[BlockedThread, ...]


class Holder(NamedTuple):
    """A socket and a process that has a descriptor of it."""

    inode: int
    pid: int
    started_ns: int  # CLOCK_BOOTTIME
    uid: int  # effective
    comm: bytes


class Holders(NamedTuple):
    """All sockets with their processes."""

    found: Sequence[Holder]
    is_partial: bool  # some processes may not be read
    cost_s: float  # processor time of the look-up


class Netlink(NamedTuple):
    """A netlink socket in a network namespace."""

    descriptor: int  # of the netlink socket; the caller closes it
    time_wait: int | None  # the number of sockets in TIME-WAIT there; None if unknown


Rights = tuple[tuple[str, str], ...]
"""Pairs of a process and the rights that it holds, in words."""


class Reach(Protocol):
    """Looks into processes and network namespaces, as far as rights allow. Any thread may call.

    Methods raise OSError if a look-up fails. Network namespaces are named by their inode numbers.
    """

    @property
    def problem(self) -> str:
        """Why less can be read than at the start; empty: nothing has changed."""
        return ""

    def cpu_s(self) -> float:
        """Return the processor time that look-ups have taken in other processes so far."""
        return 0.0

    def close(self) -> None:
        """Close what is open. No look-up works afterwards."""
        return

    @property
    def netns(self) -> int:
        """The network namespace of this process."""
        ...

    def namespaces(self) -> Sequence[int]:
        """Return all network namespaces that can be entered, this process's first."""
        ...

    def iterator_in(self, netns: int, link: int) -> int:
        """Return a descriptor of a new BPF iterator over the sockets of a network namespace.

        :param link: a descriptor of the iterator's link
        """
        ...

    def netlink_in(self, netns: int) -> Netlink:
        """Return a netlink socket in that network namespace, for sock_diag(7)."""
        ...

    def interface_names(self, netns: int) -> Mapping[int, bytes]:
        """Return the names of the interfaces in that network namespace, by their indices."""
        ...

    def count_run_time(self) -> int:
        """Return a descriptor. Until it is closed, the kernel counts the run time of all BPF programs."""
        ...

    def holders(self) -> Holders:
        """Return all sockets with the processes that have descriptors of them."""
        ...

    def use_of(self, pid: int, inode: int) -> SocketUse | None:
        """Return how a process uses a socket; None: the process has no descriptor of it."""
        ...
