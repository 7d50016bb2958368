"""The connections of a command from its start to its end, including those that are gone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.ids import among
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import ROW, Get, Rows
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import causes
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.grouping import peer_serves
from tcptop_rtt.view.percentiles import by_rank
from tcptop_rtt.view.rtt_steps import StepCounts

MOST = 200_000
"""At most this many connections are kept, which takes some 40 MB."""

_COPIED = (
    *("comm", "pid", "family", "laddr", "lport", "raddr", "rport", "direction", "state"),
    *("connect_error", "closed", "age_ns", "retrans", "bytes_acked", "bytes_received"),
)
_IF_KNOWN = ("connect_us", "first_byte_us")
"""A known value of these fields is not overwritten by 0, which means unknown."""

MEMBER = np.dtype(
    [
        ("id", "u8"),
        ("slot", "u4"),  # the number of connections seen before this one
        *((name, ROW[name]) for name in (*_COPIED, *_IF_KNOWN)),
        ("lo_us", "u4"),  # of the RTT samples; 0 if there were none
        ("hi_us", "u4"),
        ("p50_us", "u4"),
        ("p99_us", "u4"),
        ("verdict", "u1"),  # the most severe verdict so far, an index into causes.NAMES
    ]
)
"""One connection of the command."""

SERVICE = np.dtype(
    [
        *((name, ROW[name]) for name in ("family", "raddr", "rport", "direction")),
        ("count", "u4"),
        ("failed", "u4"),  # connections whose connect() failed
        ("connect_us", "u4"),  # medians; 0 if unknown for all connections
        ("first_byte_us", "u4"),
        ("p50_us", "u4"),  # percentiles of all RTT samples
        ("p99_us", "u4"),
        ("retrans", "u8"),
        ("bytes_acked", "u8"),
        ("bytes_received", "u8"),
        ("verdict", "u1"),  # the most severe verdict among the connections
    ]
)
"""All connections to one port of one host, or to one local port; the address of a local port is zeros."""


class Account:
    """Collects data on all connections that the command has had, from snapshots.

    :param chosen: a connection is kept once it has matched this filter
    """

    def __init__(self, chosen: Filter) -> None:
        self._filter = chosen
        self._members = np.zeros(0, MEMBER)  # by id
        self._rtts = StepCounts()
        self.not_kept = 0
        """The number of connections left out because MOST was reached."""
        self._left_out = np.zeros(0, np.uint64)  # ids left out of the previous snapshot
        self.dropped_records = self.untracked = 0

    def take(self, snapshot: Snapshot) -> None:
        """Add the data of the next snapshot."""
        rows, lacking = snapshot.rows, snapshot.health.lacking
        self.dropped_records, self.untracked = snapshot.health.dropped_records, snapshot.health.untracked
        here = rows["followed"] & among(rows["id"], self._members["id"])
        here[self._new(rows, lacking)] = True
        indices = np.flatnonzero(here)
        if not len(indices):
            return
        self._update(lambda name: rows[name][indices], lacking)

    def _new(self, rows: Rows, lacking: frozenset[str]) -> NDArray[np.intp]:
        """Add the connections that are seen for the first time, and return the indices of their rows."""
        new: NDArray[np.intp] = select(rows, self._filter, lacking)
        new = new[rows["followed"][new]]
        new = new[~among(rows["id"][new], self._members["id"])]
        if not len(new):
            return new
        room = MOST - len(self._members)
        left_out = rows["id"][new[room:]]
        self.not_kept += int(np.count_nonzero(~among(left_out, self._left_out)))
        self._left_out = left_out
        new = new[:room]
        fresh = np.zeros(len(new), MEMBER)
        fresh["id"] = rows["id"][new]
        fresh["slot"] = np.arange(len(self._members), len(self._members) + len(new))
        members = np.concatenate([self._members, fresh])
        self._members = members[np.argsort(members["id"])]
        return new

    def _update(self, get: Get, lacking: frozenset[str]) -> None:
        places = np.searchsorted(self._members["id"], get("id"))
        members = self._members
        for name in _COPIED:
            members[name][places] = get(name)
        for name in _IF_KNOWN:
            is_known = ~known.is_unknown(get, name, lacking)
            members[name][places[is_known]] = get(name)[is_known]
        # A closed connection has no verdict: treat it as open, to get its last one.
        closed = get("closed")
        found = causes.verdicts(
            lambda name: np.zeros_like(closed) if name == "closed" else get(name), lacking
        )
        before = members["verdict"][places]
        # The lowest number is the most severe, but 0 is none: it wraps around to the highest.
        members["verdict"][places] = np.minimum(before - np.uint8(1), found - np.uint8(1)) + np.uint8(1)
        self._rtts.add(members["slot"][places], 0, get)
        some = places[get("rtt_samples") > 0]
        low, high = (get(name)[get("rtt_samples") > 0] for name in ("rtt_lo_us", "rtt_hi_us"))
        lowest = members["lo_us"][some]
        members["lo_us"][some] = np.where(lowest == 0, low, np.minimum(lowest, low))
        members["hi_us"][some] = np.maximum(members["hi_us"][some], high)

    def unfinished(self) -> int:
        """How many connections are not closed yet."""
        return int(np.count_nonzero(~self._members["closed"]))

    def connections(self) -> NDArray[np.void]:
        """Return all connections, in the order in which they were first seen."""
        members = self._members[np.argsort(self._members["slot"])]
        ranked = self._rtts.percentiles(np.arange(len(members)), len(members), (0.5, 0.99))
        for name, us in zip(("p50_us", "p99_us"), ranked, strict=True):
            # A percentile is the middle of a step, which may lie outside the range of the samples.
            members[name] = np.clip(us, members["lo_us"], members["hi_us"])
        return members

    def services(self, members: NDArray[np.void]) -> NDArray[np.void]:
        """Group the connections by service; the service with the most connections comes first.

        :param members: the result of :meth:`connections`
        """
        ours = ~peer_serves(members["direction"], members["lport"], members["rport"])
        shared: dict[str, NDArray[Any]] = {
            # A local port is one service for IPv4 and IPv6 together.
            "family": np.where(ours, 0, members["family"]).astype(np.uint8),
            "raddr": np.where(ours, np.zeros((), "V16"), members["raddr"]),
            "rport": np.where(ours, members["lport"], members["rport"]),
            "direction": np.where(ours, Direction.IN, Direction.OUT).astype(np.uint8),
        }
        _, first, group = np.unique(mixed(shared.values()), return_index=True, return_inverse=True)
        found = np.zeros(len(first), SERVICE)
        for name, values in shared.items():
            found[name] = values[first]
        found["count"] = np.bincount(group, minlength=len(found))
        found["failed"] = np.bincount(group, weights=members["connect_error"] > 0, minlength=len(found))
        for name in ("retrans", "bytes_acked", "bytes_received"):
            np.add.at(found[name], group, members[name])
        for name in ("connect_us", "first_byte_us"):
            is_known = members[name] > 0
            (found[name],) = by_rank(members[name][is_known], group[is_known], len(found), (0.5,))
        ranked = self._rtts.percentiles(group, len(found), (0.5, 0.99))
        low, high = np.full(len(found), np.iinfo(np.uint32).max, np.uint32), np.zeros(len(found), np.uint32)
        is_known = members["lo_us"] > 0
        np.minimum.at(low, group[is_known], members["lo_us"][is_known])
        np.maximum.at(high, group, members["hi_us"])
        for name, us in zip(("p50_us", "p99_us"), ranked, strict=True):
            found[name] = np.where(us > 0, np.clip(us, low, high), 0)
        worst = np.full(len(found), 255, np.uint8)
        np.minimum.at(worst, group, members["verdict"] - np.uint8(1))
        found["verdict"] = worst + np.uint8(1)
        return found[np.argsort(-found["count"].astype(np.int64), kind="stable")]


def why(row: np.void) -> str | None:
    """Return the worst cause that held up a connection or service, or made it fail; None if none did."""
    return causes.NAMES[int(row["verdict"])]
