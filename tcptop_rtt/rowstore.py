"""Rows of connections: where each one is, from its first record until it is dropped.

Those in use are the first ones, without a gap.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tcptop_rtt.columns import Columns
from tcptop_rtt.history import History
from tcptop_rtt.idtable import Ids, IdTable
from tcptop_rtt.snapshot import ROW, Indices
from tcptop_rtt.sources.record import Records, gather

_TCP_CLOSE = 7  # include/net/tcp_states.h
_ENDPOINTS = ("laddr", "lport", "raddr", "rport", "netns")

HIDDEN = np.dtype(
    [
        ("held", "?"),  # by a descriptor, at the last scan
        ("moving", "?"),  # its rates are not 0, or its counters have changed since the previous snapshot
        ("sock", "u8"),
        ("interval", "u8"),  # the last one whose samples are counted
        ("counted", "u4"),  # of them
        ("port_chosen", "?"),
        ("born_ns", "u8"),
        ("time_ns", "u8"),  # of the newest record
        ("closed_ns", "u8"),
        ("seen_acked", "u8"),  # byte counters that the rates are up to
        ("seen_received", "u8"),
        ("seen_ns", "u8"),  # when they were that, if it is moving
    ]
)
"""What is kept of a row but not shown."""


class RowStore:
    """Columns with one row per connection, and the ways to find a row.

    ``rows`` has the fields of ``ROW``, ``hidden`` those of :data:`HIDDEN`; ``count`` rows of both are in use,
    the first ones.

    :param clock_ns: the clock of the records' ``time_ns``
    """

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self.rows = Columns(ROW)
        self.hidden = Columns(HIDDEN)
        self.history = History(clock_ns())
        self.count = 0
        self.index_of = IdTable()
        self._index_of_sock: dict[int, int] = {}
        self._closed = 0
        self.forgotten = 0
        """Times that the kernel side forgot a connection for lack of room."""

    def locate(self, records: Records, chosen: Indices) -> Indices:
        """Row indices of the chosen records' connections, opening rows for the unknown."""
        ids = records["id"][chosen]
        indices = self.index_of.find(ids)
        unknown = np.flatnonzero(indices < 0)
        if len(unknown):
            _, first, inverse = np.unique(ids[unknown], return_index=True, return_inverse=True)
            in_time = np.argsort(first)
            opened = np.empty(len(first), np.intp)
            opened[in_time] = self._open(gather(records, chosen[unknown[first[in_time]]]))
            indices[unknown] = opened[inverse]
        return indices

    def _open(self, records: Records) -> Indices:
        """Rows for new connections, of which these are the first records."""
        ids, born_seen = records["id"], records["born_seen"]
        indices = np.empty(len(records), np.intp)
        start, replaced, met_again = self.count, [], dict[int, int]()
        opened = np.ones(len(records), bool)
        for position, sock in enumerate(records["sock"].tolist()):
            before = self._index_of_sock.get(sock)
            if before is not None:
                known = before < start and not born_seen[position]
                if known and self._same_connection(before, records[position]):
                    # The kernel side has forgotten the socket, for lack of room, and met it again.
                    self.forgotten += 1
                    indices[position], opened[position] = before, False
                    met_again[before] = position
                    continue
                replaced.append(before)
            indices[position] = self._index_of_sock[sock] = self.count
            self.count += 1
        if self.count > len(self.rows):
            self._grow()
        self._rename(np.array(list(met_again), np.intp), ids[list(met_again.values())])
        self._begin(gather(records, opened), slice(start, self.count))
        self.index_of.set(ids[opened], indices[opened])
        self.close(np.array(replaced, np.intp))
        return indices

    def _rename(self, indices: Indices, ids: Ids) -> None:
        self.index_of.remove(self.rows["id"][indices])
        self.rows.put("id", indices, ids)
        self.index_of.set(ids, indices)

    def _begin(self, records: Records, new: slice) -> None:
        self.rows.clear(new)
        self.hidden.clear(new)
        self.history.blank(new)
        for name, of in (("id", "id"), ("born", "born_seen")):
            self.rows.put(name, new, records[of])
        for name in ("sock", "born_ns"):
            self.hidden.put(name, new, records[name])

    def _same_connection(self, index: int, record: np.void) -> bool:
        return not self.rows["closed"][index] and all(
            self.rows[name][index].tobytes() == record[name].tobytes() for name in _ENDPOINTS
        )

    def _grow(self) -> None:
        old = len(self.rows)
        new = max(1024, self.count, old + old // 2)
        for columns in (self.rows, self.hidden):
            columns.grow(new)
        self.history.grow(new - old)

    def close(self, indices: Indices) -> None:
        """These connections have ended; their rows stay until they are dropped."""
        indices = indices[~self.rows["closed"][indices]]
        self._closed += len(indices)
        if not len(indices):
            return
        self.rows.put("closed", indices, True)
        self.rows.put("stalled", indices, False)
        self.rows.put("state", indices, _TCP_CLOSE)
        self.hidden.put("closed_ns", indices, self._clock_ns())
        for index, sock in zip(indices.tolist(), self.hidden["sock"][indices].tolist(), strict=True):
            if self._index_of_sock.get(sock) == index:
                del self._index_of_sock[sock]

    def closed(self) -> Indices:
        """Rows of connections that have ended."""
        return np.flatnonzero(self.rows["closed"][: self.count]) if self._closed else np.zeros(0, np.intp)

    def drop_closed(self, before_ns: int) -> None:
        """Give up the rows that closed before that time; others take their places."""
        closed = self.closed()
        gone = closed[self.hidden["closed_ns"][closed] < before_ns]
        if not len(gone):
            return
        self._closed -= len(gone)
        self.index_of.remove(self.rows["id"][gone])
        left = self.count - len(gone)
        stays = np.ones(len(gone), bool)
        stays[gone[gone >= left] - left] = False
        self._move(left + np.flatnonzero(stays), gone[gone < left])
        self.count = left

    def _move(self, indices: Indices, to: Indices) -> None:
        for columns in (self.rows, self.hidden):
            columns.move(indices, to)
        self.history.move(indices, to)
        self.index_of.set(self.rows["id"][to], to)
        moved = zip(self.hidden["sock"][to].tolist(), indices.tolist(), to.tolist(), strict=True)
        for sock, index, place in moved:
            if self._index_of_sock.get(sock) == index:
                self._index_of_sock[sock] = place
