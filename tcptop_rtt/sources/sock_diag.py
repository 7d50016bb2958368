"""Polls the kernel's list of sockets, which is open to every user, without BPF and without root.

It sees what exists when it polls: no connection that comes and goes between two polls, and no single ACK.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.ids import among
from tcptop_rtt.model.kernel_time import monotonic_ns
from tcptop_rtt.model.reach import Reach
from tcptop_rtt.model.records import RECORD, Records
from tcptop_rtt.model.rows import UNKNOWN_U32
from tcptop_rtt.model.snapshot import Waiting
from tcptop_rtt.sources.base import Batch, Source
from tcptop_rtt.sources.descriptors import Descriptors
from tcptop_rtt.sources.diag_messages import CONNECTIONS, LACKING, LISTENERS, connections, listeners
from tcptop_rtt.sources.interfaces import Interfaces
from tcptop_rtt.sources.netlink import Netlink
from tcptop_rtt.sources.netns import Namespaces

_FRESH_US = 1_000_000
"""In the first scan of a network namespace an RTT sample no older than this counts as new."""


class SockDiag(Source):
    """Every TCP socket of the network namespaces that this user may enter, with the processes that this user
    may look into.

    :param reach: looks into processes and network namespaces
    :param hook_note: why BPF is not used
    :raises TcptopError: the kernel does not list its sockets
    """

    def __init__(self, reach: Reach, hook_note: str = "") -> None:
        self._reach = reach
        self._hook_note = hook_note
        self._lacking: frozenset[str] = frozenset()
        self._waiting: dict[int, Waiting] = {}
        self._met: dict[int, _Met] = {}
        self._missing: set[int] = set()
        self._descriptors = Descriptors(reach)
        self._interfaces = Interfaces(reach)
        try:
            self._namespaces = Namespaces(reach)
            with closing(Netlink()) as netlink:
                for _ in netlink.dump(LISTENERS[0]):
                    pass
        except OSError as error:
            raise TcptopError(_refusal(error)) from error

    @property
    def hook(self) -> str:
        """The name of this source, which has no hook."""
        return "sock_diag"

    @property
    def hook_note(self) -> str:
        """Why BPF is not used."""
        return self._hook_note

    @property
    def polls(self) -> bool:
        """Always true: this source only polls."""
        return True

    @property
    def lacking(self) -> frozenset[str]:
        """The fields that only BPF knows, and those that this kernel's tcp_info lacks."""
        return LACKING | self._lacking

    @property
    def missed(self) -> str:
        """What this source does not see."""
        others = "; others' processes unknown" if self._descriptors.incomplete else ""
        return f"short connections and spikes between polls are missed{others}"

    @property
    def problem(self) -> str:
        """Why other processes and network namespaces are not seen any more; empty if they are."""
        return self._reach.problem

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """The sockets without rows that the latest scan of each network namespace has counted."""
        return tuple(self._waiting.values())

    def set_report_interval(self, seconds: float) -> None:
        """Do nothing: no records come between scans."""

    def trace(self, sock: int) -> None:
        """Do nothing: no ACK is seen."""

    def read(self) -> Batch:
        """Return no records: none come between scans."""
        return Batch(np.zeros(0, RECORD), 0)

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:  # noqa: ARG002
        """List the sockets of each network namespace.

        :raises OSError: the scan cannot be done now, as without a free descriptor
        """
        self._descriptors.begin()
        if self._namespaces.search():
            for gone in self._met.keys() - set(self._namespaces.found):
                self._forget(gone)
        for netns in self._namespaces.found:
            try:
                fd, time_wait = self._reach.netlink_in(netns)
            except OSError as error:
                self._forget(netns)
                if netns == self._namespaces.ours or error.errno in (errno.EMFILE, errno.ENFILE):
                    raise
                continue  # the namespace is gone, or this user may not enter it
            with closing(Netlink(socket.socket(fileno=fd))) as netlink:
                yield from self._scan_one(netns, netlink, time_wait)

    def _forget(self, netns: int) -> None:
        self._met.pop(netns, None)
        self._waiting.pop(netns, None)

    def _scan_one(self, netns: int, netlink: Netlink, time_wait: int | None) -> Iterator[Records]:
        before, now = self._met.get(netns), _Met()
        syn_recv = 0
        for request in LISTENERS:
            for messages in netlink.dump(request):
                entries = listeners(messages, monotonic_ns())
                entries["netns"] = netns
                # Entries without a process mark a namespace as scanned: its other listeners are gone.
                yield np.concatenate([self._descriptors.add_holders(entries), entries])
        for request in CONNECTIONS:
            for messages in netlink.dump(request):
                found = connections(messages, monotonic_ns())
                syn_recv += found.syn_recv
                self._lacking |= found.lacking
                found.entries["netns"] = netns
                _add_times(found.entries, before)
                now.add(found.entries["id"])
                yield self._descriptors.add_holders(found.entries)
        self._met[netns] = now
        if time_wait is not None:
            self._waiting[netns] = Waiting(netns, time_wait, syn_recv)

    def interface_names(self, namespaces: Collection[int]) -> Mapping[tuple[int, int], bytes]:
        """The names of the interfaces in these network namespaces."""
        return self._interfaces.names(namespaces)

    def ended(self, connections: Mapping[int, int]) -> list[int]:
        """The ids that were missing at the previous call, too: the kernel may leave a socket out of its list
        once, as others come and go.
        """
        missing = set(connections.values())
        gone = missing & self._missing
        self._missing = missing - gone
        return list(gone)

    def close(self) -> None:
        """Do nothing: nothing is held open."""


class _Met:
    """The connections that a scan has met."""

    def __init__(self) -> None:
        self.began_ns = monotonic_ns()
        self._parts: list[NDArray[np.uint64]] = []

    def add(self, ids: NDArray[np.uint64]) -> None:
        self._parts.append(ids)

    def has(self, ids: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of these it has met."""
        if len(self._parts) > 1:
            self._parts = [np.sort(np.concatenate(self._parts))]
        return among(ids, self._parts[0]) if self._parts else np.zeros(len(ids), bool)


def _add_times(entries: Records, before: _Met | None) -> None:
    """Add the fields that follow from the time of the previous scan."""
    entries["opened_ns"] = entries["time_ns"]
    told_us = entries["time_ns"] // 1000 - _FRESH_US
    if before is not None:
        told_us = np.full(len(entries), before.began_ns // 1000, np.uint64)
        new = np.flatnonzero(~before.has(entries["id"]))
        entries["open_seen"][new] = 1
        # A new connection was opened before its first data, and after the previous scan.
        since_ns = entries["time_ns"][new] - np.uint64(before.began_ns)
        entries["opened_ns"][new] -= np.minimum(_ages_ns(entries, new), since_ns)
    entries["single_rtt_us"] = np.where(entries["sampled_us"] > told_us, entries["srtt_us"], 0)


def _ages_ns(entries: Records, which: NDArray[np.intp]) -> NDArray[np.uint64]:
    """The least ages of connections: the kernel counts these times from a connection's beginning, too."""
    ages_ms = (entries[name][which] for name in ("last_sent_ms", "last_received_ms", "last_ack_ms"))
    known_ms = [np.where(age == UNKNOWN_U32, 0, age) for age in ages_ms]
    ages_ns: NDArray[np.uint64] = np.maximum.reduce(known_ms).astype(np.uint64) * np.uint64(1_000_000)
    return ages_ns


def _refusal(error: OSError) -> str:
    if error.errno == errno.ENOENT and "ns/net" in str(error.filename):
        return "/proc is not mounted: run mount -t proc proc /proc"
    if error.errno in (errno.ENOENT, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
        return "the kernel does not list its TCP sockets: run sudo modprobe tcp_diag"
    return f"the kernel does not list its TCP sockets ({error.strerror})"
