"""The rows of connections, each from its connection's first record until the row is dropped.

The rows in use are the first ones, without a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among
from tcptop_rtt.model.records import UNTRACKED_ID, Records, take_rows
from tcptop_rtt.model.rows import CLOSED, NOT_HELD, ROW, Holder, Indices, Rows
from tcptop_rtt.tracking import room
from tcptop_rtt.tracking.column_store import ColumnStore, Where
from tcptop_rtt.tracking.id_index import IdIndex
from tcptop_rtt.tracking.located import Located

_ENDPOINTS = ("laddr", "lport", "raddr", "rport", "netns")

_SHOWN = ROW.names or ()
_INTERNAL = np.dtype(
    [
        ("sock", "u8"),
        ("kernel_id", "u8"),  # the id that the kernel side has for the connection now
        ("port_chosen", "?"),  # connect() has picked the local port, so no listener has that port
        ("opened_ns", "u8"),
        ("closed_ns", "u8"),  # when the row was closed
        ("ended_ns", "u8"),  # when the connection ended; closed_ns if unknown
        ("time_ns", "u8"),  # of the newest record; 0 until there was a whole one
        ("sampled_us", "u8"),  # of the latest RTT sample; 0 if none
    ]
)
"""Fields of a row that are not in snapshots."""


class PerRow(Protocol):
    """Data with a place for every row, which follow the rows as these are opened and moved."""

    def resize(self, length: int) -> None:
        """Make room for this many rows in all, more or fewer than before. The rows in use always fit."""

    def clear(self, rows: slice) -> None:
        """Forget the data of these rows, as new connections take them."""

    def move(self, rows: Indices, to: Indices) -> None:
        """Copy some rows over others."""


Part = TypeVar("Part", bound=PerRow)


class RowStore:
    """Columns with one row per connection, and the ways to find a row.

    ``count`` rows are in use. Columns and masks are longer: they have room for ``capacity`` rows.

    :param clock_ns: the clock of the records' ``time_ns``
    """

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self.count = 0
        self._columns = ColumnStore(np.dtype([*ROW.descr, *_INTERNAL.descr]))
        self._parts: list[PerRow] = []
        self._row_of_id = IdIndex()
        self._row_of_sock = IdIndex()
        self._closed = 0

    def attach(self, part: Part) -> Part:
        """Let ``part`` follow the rows from now on. There must be no rows yet."""
        self._parts.append(part)
        return part

    # --- columns --------------------------------------------------------------------------------------

    @property
    def capacity(self) -> int:
        """The length of columns."""
        return len(self._columns)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column, for reading: a field of ``ROW``, or an internal one."""
        return self._columns[name]

    def set(self, name: str, rows: Where, values: Any) -> None:
        """Write to some rows of a column. If a row has several values, the last one stays."""
        self._columns.set(name, rows, values)

    def set_all(self, name: str, values: NDArray[Any]) -> None:
        """Replace a whole column."""
        self._columns.set_all(name, values)

    def writable(self, name: str) -> NDArray[Any]:
        """A column, for writing in place."""
        return self._columns.writable(name)

    def copy(self, batch: Located, *names: str) -> None:
        """Copy fields of records into the columns of the same name."""
        for name in names:
            self._columns.set(name, batch.rows, batch[name])

    def freeze(self) -> Rows:
        """All rows in use as they are now."""
        return Rows(self._columns.freeze(_SHOWN, self.count))

    # --- finding rows ---------------------------------------------------------------------------------

    def select(self, mask: NDArray[np.bool_]) -> Indices:
        """The rows in use that the mask marks."""
        return np.flatnonzero(mask[: self.count])

    def row_of(self, connection: int) -> int | None:
        """The row of one connection, if it has one."""
        return self._row_of_id.get(connection)

    def rows_of(self, connections: NDArray[np.uint64]) -> Indices:
        """The rows of connections; -1 for those that have none."""
        return self._row_of_id.find(connections)

    def locate(self, records: Records) -> Located:
        """Find the row of each record's connection, and open rows for new connections."""
        ids = records["id"]
        rows = self._row_of_id.find(ids)
        unknown = np.flatnonzero(rows < 0)
        if len(unknown):
            _, first, inverse = np.unique(ids[unknown], return_index=True, return_inverse=True)
            firsts = take_rows(records, unknown[first])
            rows_of_firsts = self._find_renamed(firsts)
            in_time = np.argsort(first)
            new = in_time[rows_of_firsts[in_time] < 0]
            rows_of_firsts[new] = self._open(take_rows(firsts, new))
            rows[unknown] = rows_of_firsts[inverse]
        return Located(records, rows, records["kind"].copy())

    def _find_renamed(self, records: Records) -> Indices:
        """Find the rows of connections to which the kernel side has given another id; -1 for others.

        While the kernel side has no memory for a connection, it makes an id of its socket and its ports.
        """
        rows = self._row_of_sock.find(records["sock"])
        if not self.count:
            return rows
        ids, before = records["id"], self["kernel_id"][rows]
        renamed = (rows >= 0) & (records["open_seen"] == 0)
        renamed &= (ids >= UNTRACKED_ID) | (before >= UNTRACKED_ID)
        renamed &= self._have_endpoints(rows, records)
        self._remove_kernel_ids(rows[renamed])
        self.set("kernel_id", rows[renamed], ids[renamed])
        self._row_of_id.set(ids[renamed], rows[renamed])
        return np.where(renamed, rows, -1)

    def _have_endpoints(self, rows: Indices, records: Records) -> NDArray[np.bool_]:
        same = [self[name][rows] == records[name] for name in _ENDPOINTS]
        all_same: NDArray[np.bool_] = np.logical_and.reduce(same)
        return all_same

    def _remove_kernel_ids(self, rows: Indices) -> None:
        """Remove from the index the kernel ids that differ from the row's own id."""
        ids = self["kernel_id"][rows]
        self._row_of_id.remove(ids[ids != self["id"][rows]])

    # --- the life of a row ----------------------------------------------------------------------------

    def _open(self, records: Records) -> Indices:
        """Open rows for new connections, given their first records."""
        start, self.count = self.count, self.count + len(records)
        rows = np.arange(start, self.count)
        if self.count > self.capacity:
            self._resize(room.grown(self.count, self.capacity))
        self._clear(slice(start, self.count), records)
        self._row_of_id.set(records["id"], rows)
        # If two connections have one socket, the earlier one has ended, and the record of its end was lost.
        socks = records["sock"][::-1]
        socks, last = np.unique(socks, return_index=True)
        last = len(records) - 1 - last
        earlier = np.ones(len(records), bool)
        earlier[last] = False
        before = self._row_of_sock.find(socks)
        self._row_of_sock.set(socks, rows[last])
        self.close(np.concatenate([before[before >= 0], rows[earlier]]))
        return rows

    def _clear(self, rows: slice, records: Records) -> None:
        self._columns.clear(rows)
        for name in ("id", "open_seen", "sock", "opened_ns"):
            self.set(name, rows, records[name])
        self.set("kernel_id", rows, records["id"])
        for part in self._parts:
            part.clear(rows)

    def _resize(self, length: int) -> None:
        for part in (self._columns, *self._parts):
            part.resize(length)

    def close(self, rows: Indices) -> None:
        """Mark connections as ended. Their rows stay until they are dropped."""
        rows = rows[~self["closed"][rows]]
        if not len(rows):
            return
        self._closed += len(rows)
        self.set("closed", rows, True)
        self.set("stalled", rows, False)
        self.set("state", rows, CLOSED)
        for name in ("closed_ns", "ended_ns"):
            self.set(name, rows, self._clock_ns())
        self._set_last_holder(rows)
        socks = self["sock"][rows]
        self._row_of_sock.remove(socks[self._row_of_sock.find(socks) == rows])

    def _set_last_holder(self, rows: Indices) -> None:
        """Set the process of closed connections to the last one that held them. A listener did not."""
        holder = self["holder"][rows]
        left, waiting = rows[among(holder, NOT_HELD)], rows[holder == Holder.LISTENER]
        for name, last in (("pid", "was_pid"), ("comm", "was_comm")):
            self.set(name, left, self[last][left])
            self.set(name, waiting, np.zeros((), self[name].dtype))
        self.set("holder", left, np.where(self["pid"][left] != 0, Holder.PROCESS, Holder.UNKNOWN))
        self.set("holder", waiting, Holder.UNKNOWN)

    def closed(self) -> Indices:
        """The rows of connections that have ended."""
        return self.select(self["closed"]) if self._closed else np.zeros(0, np.intp)

    def passed(self, closed: Indices, before_ns: int) -> Indices:
        """Of closed rows, those closed before a time, and those of connects that failed."""
        old = self["closed_ns"][closed] < before_ns
        passed: Indices = closed[old | (self["connect_error"][closed] != 0)]
        return passed

    def drop_closed(self, before_ns: int) -> None:
        """Drop the rows that :meth:`passed` returns. The last rows take their places."""
        dropped = self.passed(self.closed(), before_ns)
        if not len(dropped):
            return
        self._closed -= len(dropped)
        self._remove_kernel_ids(dropped)
        self._row_of_id.remove(self["id"][dropped])
        left = self.count - len(dropped)
        stays = np.ones(len(dropped), bool)
        stays[dropped[dropped >= left] - left] = False
        self._move(left + np.flatnonzero(stays), dropped[dropped < left])
        self.count = left
        enough = room.shrunk(self.count, self.capacity)
        if enough < self.capacity:
            self._resize(enough)

    def _move(self, rows: Indices, to: Indices) -> None:
        for part in (self._columns, *self._parts):
            part.move(rows, to)
        for ids in (self["id"][to], self["kernel_id"][to]):
            self._row_of_id.set(ids, to)
        socks = self["sock"][to]
        own = self._row_of_sock.find(socks) == rows
        self._row_of_sock.set(socks[own], to[own])
