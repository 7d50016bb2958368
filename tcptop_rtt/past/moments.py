"""The log of moments: each is the time at which something of note has begun."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.ids import matched
from tcptop_rtt.model.rows import Indices, Mask, no_rows
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.past.side_signs import CONNECT, OVERFLOW, side_news
from tcptop_rtt.past.signs import KINDS, STOPS, Sign, signs
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.grouping import HOSTS, SERVICES, ids_of

SEVERE = (STOPS, CONNECT, OVERFLOW)
"""The kinds of what stops something, and does not only slow it down."""
KEPT = 1_000
HOLD_NS = 10_000_000_000
"""A sign that comes back within this time has not ended in between."""
ALIKE_NS = 60_000_000_000
"""Within this time, the same sign at the same service of a host only adds to the moment's count."""
FEW = 5
"""At most so many services have a moment for the same sign of one snapshot."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The beginning of something of note."""

    time_ns: int  # wall clock
    clock_ns: int  # CLOCK_MONOTONIC
    kind: str  # as in signs.KINDS and side_signs
    words: str  # what has begun
    table: str  # the name of the table that has the row
    id: int  # of the row in that table
    row: Connection  # the process and the endpoints, as they were then
    count: int  # of connections, or of events, within ALIKE_NS
    alike: tuple[str, int]
    """Equal for moments that are counted as one: same sign and service, or same listener or target."""


class Log(NamedTuple):
    """Moments, oldest first, with their ages at one snapshot.

    :param ago_ns: the age of each moment; negative: the moment is later than the snapshot
    :param forgotten: how many of the oldest are from before the kept frames
    """

    moments: tuple[Moment, ...] = ()
    ago_ns: tuple[int, ...] = ()
    forgotten: int = 0


class MomentFinder:
    """Compares each snapshot with the previous one. Only one thread may use it."""

    def __init__(self) -> None:
        self._before: Snapshot | None = None
        self._moments: list[Moment] = []
        self._until_ns = {kind: np.zeros(0, np.int64) for kind in KINDS}
        """Per row of the previous snapshot: until when further signs of a kind are not reported."""

    def look(self, snapshot: Snapshot) -> tuple[Moment, ...]:
        """Takes a snapshot and returns all moments so far, oldest first."""
        rows, before = snapshot.rows, self._before
        before_rows = before.rows if before else no_rows()
        at = matched(before_rows["id"], rows["id"])
        there = at >= 0
        # What the first scan of a row shows may be old, unless the connection's opening was seen.
        watched = rows["open_seen"].copy() if before else np.zeros(len(rows), bool)
        watched[there] |= before_rows["scanned"][at[there]]
        found = signs(before or snapshot, snapshot, at)
        for kind in KINDS:
            until_ns = np.zeros(len(rows), np.int64)
            until_ns[there] = self._until_ns[kind][at[there]]
            self._until_ns[kind] = until_ns
            news = watched & (until_ns <= snapshot.clock_ns)
            for sign in found:
                if sign.kind == kind:
                    self._tell(snapshot, sign, sign.holds & news)
                    news &= ~sign.holds
                    until_ns[sign.holds] = snapshot.clock_ns + HOLD_NS
        for other in side_news(before, snapshot) if before else ():
            row = Connection(other.row, snapshot.health.lacking)
            alike = (other.kind, other.id)
            self._add(snapshot, other.kind, other.words, other.table, other.id, row, other.gained, alike)
        self._before = snapshot
        del self._moments[:-KEPT]
        return tuple(self._moments)

    def _tell(self, snapshot: Snapshot, sign: Sign, news: Mask) -> None:
        begun = np.flatnonzero(news)
        if not len(begun):
            return
        services = _services(snapshot, begun)
        _, first, counts = np.unique(services, return_index=True, return_counts=True)
        largest = np.argsort(-counts, kind="stable")
        for group in largest[:FEW].tolist():
            row, count = int(begun[first[group]]), int(counts[group])
            if group == largest[0]:
                count += int(counts[largest[FEW:]].sum())  # these have no moment of their own
            connection = Connection(snapshot.rows[row], snapshot.health.lacking)
            words, alike = sign.words(row, connection), (sign.name, int(services[first[group]]))
            table, id_ = CONNECTIONS.name, connection.id
            self._add(snapshot, sign.kind, words, table, id_, connection, count, alike)

    def _add(
        self,
        snapshot: Snapshot,
        kind: str,
        words: str,
        table: str,
        id_: int,
        row: Connection,
        count: int,
        alike: tuple[str, int],
    ) -> None:
        moments = self._moments
        for number in range(len(moments) - 1, -1, -1):
            moment = moments[number]
            if moment.clock_ns < snapshot.clock_ns - ALIKE_NS:
                break
            if moment.alike == alike:
                moments[number] = replace(moment, count=moment.count + count)
                return
        moments.append(
            Moment(snapshot.time_ns, snapshot.clock_ns, kind, words, table, id_, row, count, alike)
        )


def _services(snapshot: Snapshot, rows: Indices) -> np.ndarray:
    """Returns a number per row, equal for rows of the same service of the same host."""

    def get(name: str) -> np.ndarray:
        return snapshot.rows[name][rows]

    return ids_of(HOSTS, get) ^ ids_of(SERVICES, get)
