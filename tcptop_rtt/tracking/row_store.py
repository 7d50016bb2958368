"""Rows of connections: where each one is, from its first record until it is dropped.

Those in use are the first ones, without a gap.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import Records, take_rows
from tcptop_rtt.model.rows import ROW, Holder, Indices
from tcptop_rtt.tracking.column_store import ColumnStore
from tcptop_rtt.tracking.history import History
from tcptop_rtt.tracking.id_index import IdIndex
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.minute import Minute

_TCP_CLOSE = 7  # include/net/tcp_states.h
_ENDPOINTS = ("laddr", "lport", "raddr", "rport", "netns")

HIDDEN = np.dtype(
    [
        ("met", "?"),  # by the latest scan
        ("held", "?"),  # by a descriptor, as it found
        ("tgid", "u4"),  # the process's number as the kernel counts; 0: not known
        ("moving", "?"),  # its rates are not 0, or its counters have changed since the previous snapshot
        ("sock", "u8"),
        (
            "kernel_id",
            "u8",
        ),  # what the kernel side calls it now
        ("interval", "u8"),  # the last one whose samples are counted
        ("counted", "u4"),  # of them
        ("port_chosen", "?"),
        ("opened_ns", "u8"),
        ("time_ns", "u8"),  # of the newest record
        ("sampled_us", "u8"),  # of the latest RTT sample; 0: none
        ("closed_ns", "u8"),
        ("seen_acked", "u8"),  # byte counters that the rates are up to
        ("seen_received", "u8"),
        ("seen_ns", "u8"),  # when they were that, if it is moving
        ("counted_ms", "u4"),  # of the latest scan, or else of its birth, modulo 2**32
        ("counted_retrans", "u4"),  # as that scan has found them, like the other counters
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
        self.rows = ColumnStore(ROW)
        self.hidden = ColumnStore(HIDDEN)
        self.history = History(clock_ns())
        self.minute = Minute(self.rows, self.hidden, clock_ns())
        self.count = 0
        self.index_of = IdIndex()
        self._index_of_sock = IdIndex()
        self._closed = 0

    def locate(self, records: Records) -> Located:
        """Find the row of each record's connection, and open rows for new connections."""
        ids = records["id"]
        indices = self.index_of.find(ids)
        unknown = np.flatnonzero(indices < 0)
        if len(unknown):
            _, first, inverse = np.unique(ids[unknown], return_index=True, return_inverse=True)
            firsts = take_rows(records, unknown[first])
            found = self._find_renamed(firsts)
            in_time = np.argsort(first)
            new = in_time[found[in_time] < 0]
            found[new] = self._open(take_rows(firsts, new))
            indices[unknown] = found[inverse]
        return Located(records, indices, records["kind"].copy())

    def _find_renamed(self, records: Records) -> Indices:
        """Rows of connections that the kernel side had no memory for, or has none for now; -1 for others.

        Their sockets' addresses stand for ids then.
        """
        indices = self._index_of_sock.find(records["sock"])
        if not self.count:
            return indices
        ids, before = records["id"], self.hidden["kernel_id"][indices]
        renamed = (indices >= 0) & (records["open_seen"] == 0)
        renamed &= (ids == records["sock"]) | (before == records["sock"])
        renamed &= self._have_endpoints(indices, records)
        at, ids = indices[renamed], ids[renamed]
        self._forget_kernel_ids(at)
        self.hidden.set("kernel_id", at, ids)
        self.index_of.set(ids, at)
        return np.where(renamed, indices, -1)

    def _have_endpoints(self, indices: Indices, records: Records) -> NDArray[np.bool_]:
        same = [self.rows[name][indices] == records[name] for name in _ENDPOINTS]
        all_same: NDArray[np.bool_] = np.logical_and.reduce(same)
        return all_same

    def _forget_kernel_ids(self, indices: Indices) -> None:
        """An id that differs from the row's own stands in the table beside it."""
        ids = self.hidden["kernel_id"][indices]
        self.index_of.remove(ids[ids != self.rows["id"][indices]])

    def _open(self, records: Records) -> Indices:
        """Rows for new connections, of which these are the first records."""
        start, self.count = self.count, self.count + len(records)
        indices = np.arange(start, self.count)
        if self.count > len(self.rows):
            self._grow()
        self._begin(records, slice(start, self.count))
        self.index_of.set(records["id"], indices)
        # Of two with one socket the later one has it: the end of the other was not told.
        socks = records["sock"][::-1]
        socks, last = np.unique(socks, return_index=True)
        last = len(records) - 1 - last
        earlier = np.ones(len(records), bool)
        earlier[last] = False
        before = self._index_of_sock.find(socks)
        self._index_of_sock.set(socks, indices[last])
        self.close(np.concatenate([before[before >= 0], indices[earlier]]))
        return indices

    def _begin(self, records: Records, new: slice) -> None:
        self.rows.clear(new)
        self.hidden.clear(new)
        self.history.blank(new)
        for name, of in (("id", "id"), ("open_seen", "open_seen")):
            self.rows.set(name, new, records[of])
        for name, of in (("sock", "sock"), ("opened_ns", "opened_ns"), ("kernel_id", "id")):
            self.hidden.set(name, new, records[of])
        self.hidden.set("counted_ms", new, records["opened_ns"] // 1_000_000 & 0xFFFFFFFF)
        self.minute.begin(new)

    def _grow(self) -> None:
        old = len(self.rows)
        new = max(1024, self.count, old + old // 8)
        for columns in (self.rows, self.hidden):
            columns.grow(new)
        self.history.grow(new - old)
        self.minute.grow(new - old)

    def close(self, indices: Indices) -> None:
        """These connections have ended; their rows stay until they are dropped."""
        indices = indices[~self.rows["closed"][indices]]
        self._closed += len(indices)
        if not len(indices):
            return
        self.rows.set("closed", indices, True)
        self.rows.set("stalled", indices, False)
        self.rows.set("state", indices, _TCP_CLOSE)
        self.hidden.set("closed_ns", indices, self._clock_ns())
        self._name_last_holder(indices)
        socks = self.hidden["sock"][indices]
        self._index_of_sock.remove(socks[self._index_of_sock.find(socks) == indices])

    def _name_last_holder(self, indices: Indices) -> None:
        """From now on the process is the last one that held it; who only listened did not."""
        holder = self.rows["holder"][indices]
        orphans = indices[holder == Holder.NOBODY]
        for name, last in (("pid", "was_pid"), ("comm", "was_comm")):
            self.rows.set(name, orphans, self.rows[last][orphans])
            self.rows.set(name, indices[holder == Holder.LISTENER], np.zeros((), self.rows[name].dtype))
        self.rows.set(
            "holder", orphans, np.where(self.rows["pid"][orphans] != 0, Holder.PROCESS, Holder.UNKNOWN)
        )
        self.rows.set("holder", indices[holder == Holder.LISTENER], Holder.UNKNOWN)

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
        self._forget_kernel_ids(gone)
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
        self.minute.move(indices, to)
        for ids in (self.rows["id"][to], self.hidden["kernel_id"][to]):
            self.index_of.set(ids, to)
        socks = self.hidden["sock"][to]
        found = self._index_of_sock.find(socks) == indices
        self._index_of_sock.set(socks[found], to[found])
