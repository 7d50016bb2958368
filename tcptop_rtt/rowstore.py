"""Rows of connections: where each one is, from its first record until it is dropped.

Those in use are the first ones, without a gap: what is done to all is done to one stretch of memory.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tcptop_rtt.history import History, Indices
from tcptop_rtt.snapshot import ROW
from tcptop_rtt.sources.record import Records, gather

_TCP_CLOSE = 7  # include/net/tcp_states.h
_ENDPOINTS = ("laddr", "lport", "raddr", "rport", "netns")

HIDDEN = np.dtype(
    [
        ("held", "?"),  # by a descriptor, at the last scan
        ("moving", "?"),  # its rates are not 0, or its counters have changed since the previous snapshot
        ("sock", "u8"),
        ("interval", "u8"),  # the last one whose samples are counted
        ("port_chosen", "?"),
        ("born_ns", "u8"),
        ("time_ns", "u8"),  # of the newest record
        ("closed_ns", "u8"),
        ("seen_acked", "u8"),  # byte counters at the previous snapshot
        ("seen_received", "u8"),
    ]
)
"""What is kept of a row but not shown."""


class RowStore:
    """Columns with one row per connection, and the ways to find a row.

    ``rows`` is of dtype ``ROW``, ``hidden`` of :data:`HIDDEN`; the first ``count`` of both are in use.

    :param clock_ns: the clock of the records' ``time_ns``
    """

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self.rows = np.zeros(0, ROW)
        self.hidden = np.zeros(0, HIDDEN)
        self.history = History(clock_ns())
        self.count = 0
        self.index_of: dict[int, int] = {}
        """Row by id."""
        self._index_of_sock: dict[int, int] = {}
        self.forgotten = 0
        """Times that the kernel side forgot a connection for lack of room."""

    def locate(self, records: Records, chosen: Indices) -> Indices:
        """Row indices of the chosen records' connections, opening rows for the unknown."""
        ids = records["id"][chosen].tolist()
        indices = list(map(self.index_of.get, ids))
        if None in indices:
            unknown = [position for position, index in enumerate(indices) if index is None]
            first = {ids[position]: position for position in reversed(unknown)}
            index_of = self._open(gather(records, chosen[sorted(first.values())]))
            for position in unknown:
                indices[position] = index_of[ids[position]]
        return np.array(indices, np.intp)

    def _open(self, records: Records) -> dict[int, int]:
        """Rows for new connections, of which these are the first records: row indices by id."""
        index_of: dict[int, int] = {}
        start, opened, replaced = self.count, [], []
        for position, (connection, sock) in enumerate(
            zip(records["id"].tolist(), records["sock"].tolist(), strict=True)
        ):
            before = self._index_of_sock.get(sock)
            if before is not None:
                known = before < start and not records["born_seen"][position]
                if known and self._same_connection(before, records[position]):
                    # The kernel side has forgotten the socket, for lack of room, and met it again.
                    self.forgotten += 1
                    del self.index_of[int(self.rows["id"][before])]
                    self.rows["id"][before] = connection
                    self.index_of[connection] = index_of[connection] = before
                    continue
                replaced.append(before)
            self.index_of[connection] = index_of[connection] = self._index_of_sock[sock] = self.count
            self.count += 1
            opened.append(position)
        if self.count > len(self.rows):
            self._grow()
        records, new = gather(records, np.array(opened, np.intp)), slice(start, self.count)
        self.rows[new] = np.zeros((), ROW)
        self.hidden[new] = np.zeros((), HIDDEN)
        self.history.blank(new)
        for name, of in (("id", "id"), ("born", "born_seen")):
            self.rows[name][new] = records[of]
        for name in ("sock", "born_ns"):
            self.hidden[name][new] = records[name]
        self.close(np.array(replaced, np.intp))
        return index_of

    def _same_connection(self, index: int, record: np.void) -> bool:
        row = self.rows[index]
        return not row["closed"] and all(row[name].tobytes() == record[name].tobytes() for name in _ENDPOINTS)

    def _grow(self) -> None:
        old = len(self.rows)
        new = max(1024, self.count, old + old // 2)
        self.rows = np.concatenate([self.rows, np.zeros(new - old, ROW)])
        self.hidden = np.concatenate([self.hidden, np.zeros(new - old, HIDDEN)])
        self.history.grow(new - old)

    def close(self, indices: Indices) -> None:
        """These connections have ended; their rows stay until they are dropped."""
        indices = indices[~self.rows["closed"][indices]]
        self.rows["closed"][indices] = True
        self.rows["stalled"][indices] = False
        self.rows["state"][indices] = _TCP_CLOSE
        self.hidden["closed_ns"][indices] = self._clock_ns()
        for index, sock in zip(indices.tolist(), self.hidden["sock"][indices].tolist(), strict=True):
            if self._index_of_sock.get(sock) == index:
                del self._index_of_sock[sock]

    def drop_closed(self, before_ns: int) -> None:
        """Give up the rows that closed before that time; others take their places."""
        rows, hidden = self.rows[: self.count], self.hidden[: self.count]
        closed = np.flatnonzero(rows["closed"])
        gone = closed[hidden["closed_ns"][closed] < before_ns]
        # From the last on, so that the row that takes a place is one that stays.
        for index in gone[::-1].tolist():
            del self.index_of[int(self.rows["id"][index])]
            self.count -= 1
            if index < self.count:
                self._move(self.count, index)

    def _move(self, index: int, to: int) -> None:
        self.rows[to] = self.rows[index]
        self.hidden[to] = self.hidden[index]
        self.history.move(index, to)
        self.index_of[int(self.rows["id"][to])] = to
        sock = int(self.hidden["sock"][to])
        if self._index_of_sock.get(sock) == index:
            self._index_of_sock[sock] = to
