"""Groups of connections that share a remote host, a service, a process or a unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import ROW, Get, Indices, has_any
from tcptop_rtt.view import addresses, numbers
from tcptop_rtt.view.percentiles import by_rank

GROUP = np.dtype(
    [
        ("id", "u8"),  # a hash of what its connections share: the same in each snapshot
        # What the connections share; the fields that the grouping does not compare are 0.
        *((name, ROW[name]) for name in ("family", "raddr", "ifindex", "interface")),
        *((name, ROW[name]) for name in ("rport", "host", "holder", "comm", "pid", "direction", "unit")),
        ("count", "u4"),
        ("stalled", "u4"),
        # Of the current RTTs, microseconds; 0 if there is none.
        ("p50_us", "u4"),
        ("p95_us", "u4"),
        ("worst_us", "u4"),
        ("retrans_per_s", "f8"),
        ("in_bps", "f8"),
        ("out_bps", "f8"),
        ("verdict", "u1"),  # the most severe one, an index into causes.NAMES
    ]
)
"""The row of a group. ``rport`` is the server's port, whether the server is the peer or this host."""

Shared = dict[str, NDArray[Any]]
"""What connections of a group share: by field name, one value per connection."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """A way to group connections."""

    name: str
    shared: Callable[[Get], Shared]
    by_end: bool = False
    """Whether each end is grouped by itself: a connection whose ends are both seen counts twice."""


def _host(get: Get) -> Shared:
    family, raddr, interface = get("family"), get("raddr"), get("interface")
    # Each link has hosts of its own by the same link-local addresses.
    local = addresses.are_link_local(family, raddr)
    return {
        "family": family,
        "raddr": raddr,
        "ifindex": np.where(local, get("ifindex"), 0),
        "interface": np.where(local, interface, b"").astype(interface.dtype),
    }


def peer_serves(direction: NDArray[Any], lport: NDArray[Any], rport: NDArray[Any]) -> NDArray[np.bool_]:
    """Which connections have the peer as their server; for the others it is this host.

    Where the direction is unknown, the end with the lower port counts as the server, which is usually right.
    A port that is unknown is 0, and not the lower one.
    """
    lower = (rport < lport) | (lport == 0)
    serves: NDArray[np.bool_] = (direction == Direction.OUT) | ((direction != Direction.IN) & lower)
    return serves


def _service(get: Get) -> Shared:
    direction, lport, rport = get("direction"), get("lport"), get("rport")
    ours = ~peer_serves(direction, lport, rport)
    return {
        "direction": np.where(ours, Direction.IN, Direction.OUT).astype(np.uint8),
        "rport": np.where(ours, lport, rport),
        "comm": np.where(ours, get("comm"), b""),
    }


def _process(get: Get) -> Shared:
    names = ("comm", "pid", "started_ns", *(["host"] if has_any(get("host")) else []))
    # Without a process, orphans, sockets of the kernel and those of an unknown process differ.
    holder = np.where(get("comm") == b"", get("holder"), 0).astype(np.uint8)
    return {"holder": holder, **{name: get(name) for name in names}}


def _unit(get: Get) -> Shared:
    return {"unit": get("unit")}


HOSTS = Grouping("hosts", _host)
SERVICES = Grouping("services", _service)
PROCESSES = Grouping("processes", _process, by_end=True)
UNITS = Grouping("units", _unit, by_end=True)


def ids_of(grouping: Grouping, get: Get) -> NDArray[np.uint64]:
    """The id of each row's group."""
    return mixed(grouping.shared(get).values())


class Members(NamedTuple):
    """The rows of all groups, one group after the other, and where each group ends in them."""

    rows: Indices
    ends: Indices

    def of(self, group: int) -> Indices:
        """The rows of one group."""
        start = int(self.ends[group - 1]) if group else 0
        return self.rows[start : int(self.ends[group])]


class Groups:
    """All groups of some connections.

    :param get: gives the values of a field of the connections
    :param verdicts: the number of each connection's verdict
    """

    def __init__(self, grouping: Grouping, get: Get, verdicts: NDArray[np.uint8]) -> None:
        self._get = get
        shared = grouping.shared(get)
        ids, first, self._group = np.unique(mixed(shared.values()), return_index=True, return_inverse=True)
        rows = np.zeros(len(ids), GROUP)
        rows["id"] = ids
        for name in shared.keys() & set(GROUP.names or ()):
            rows[name] = shared[name][first]
        self.rows = rows
        if len(ids):
            self._aggregate(verdicts)

    @cached_property
    def members(self) -> Members:
        """Which connections each group has."""
        return Members(
            np.argsort(self._group, kind="stable"),
            np.cumsum(np.bincount(self._group, minlength=len(self.rows))),
        )

    def _aggregate(self, verdicts: NDArray[np.uint8]) -> None:
        get, rows = self._get, self.rows
        is_open = ~get("closed")
        rows["count"] = self._sum(is_open)
        rows["stalled"] = self._sum(get("stalled") & is_open)
        # Bit rates and RTTs include closed connections: a short one may never be seen open.
        for name in ("in_bps", "out_bps"):
            rows[name] = self._sum(get(name))
        rates, unknown = numbers.retransmit_rates(get)
        rows["retrans_per_s"] = self._sum(np.where(is_open & ~unknown, rates, 0))
        rtt_us, is_old = numbers.rtts(get)
        self._rank(rtt_us, ~is_old)
        members = self.members
        starts = np.concatenate(([0], members.ends[:-1]))
        # No verdict is 0, which wraps around to the highest number.
        worst = np.minimum.reduceat((verdicts - np.uint8(1))[members.rows], starts)
        rows["verdict"] = worst + np.uint8(1)

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(self._group, weights=values, minlength=len(self.rows))

    def _rank(self, rtt_us: NDArray[Any], counts: NDArray[np.bool_]) -> None:
        """Set the percentiles, by nearest rank, of the RTTs of the rows that count."""
        names = ("p50_us", "p95_us", "worst_us")
        ranked = by_rank(rtt_us[counts], self._group[counts], len(self.rows), (0.5, 0.95, 1.0))
        for name, us in zip(names, ranked, strict=True):
            self.rows[name] = us
