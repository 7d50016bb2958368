"""The state that the lines of a stream have built: the tables of a snapshot, which each line changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.feeds.stream import parts
from tcptop_rtt.feeds.stream.cells import Cells
from tcptop_rtt.feeds.stream.tables import BadLineError, StreamTable, ids_of
from tcptop_rtt.model.ids import among, distinct, places
from tcptop_rtt.model.rows import Indices, Mask, Rows
from tcptop_rtt.model.snapshot import Health, ProcessKey, Snapshot, Waiting, of_processes_here, processes_of
from tcptop_rtt.recording.reader import Complain
from tcptop_rtt.view.streamed import (
    CLOCKS,
    CONNECTION_COLUMNS,
    LISTENER_COLUMNS,
    OF_A_LINE,
    SIDES,
    TARGET_COLUMNS,
    advanced,
)

Line = Mapping[str, Any]

MOST_NAMESPACES = 1 << 16


class State:
    """Not thread-safe.

    :param say: called with what cannot be read in a line
    """

    def __init__(self, say: Complain) -> None:
        self._say = say
        self._connections = StreamTable(CONNECTION_COLUMNS)
        self._sides = {kind.id_field: StreamTable(kind) for kind in SIDES}
        self._tables = {table.kind.name: table for table in (self._connections, *self._sides.values())}
        self._quiet: dict[str, Mask] = {}  # per table, the rows without a line of their own in this snapshot
        self._cells = Cells()
        self._cgroups: dict[ProcessKey, str | None] = {}
        self._waiting: dict[int, Waiting] = {}

    def copy(self, say: Complain) -> State:
        """An independent copy, which can go on from here."""
        other = State(say)
        for name, table in self._tables.items():
            other._tables[name].become(table)
        other._cells = self._cells.copy()
        other._cgroups, other._waiting = dict(self._cgroups), dict(self._waiting)
        return other

    def snapshot(self, time_ns: int, clock_ns: int, health: Health) -> Snapshot:
        """A snapshot of the whole state, read-only. What the stream does not have is unknown in it."""
        absent = frozenset().union(*(table.absent for table in self._tables.values()))
        health = dataclasses.replace(health, lacking=health.lacking | absent)
        return Snapshot(
            time_ns,
            clock_ns,
            Rows(self._connections.freeze()),
            self._cells.latest(clock_ns, len(self._connections)),
            health,
            None,
            tuple(self._waiting.values()),
            self._tables[TARGET_COLUMNS.name].records(),
            self._tables[LISTENER_COLUMNS.name].records(),
        )

    def closed(self) -> list[int]:
        """The ids of the connections that have ended."""
        ids: list[int] = self._connections.ids[self._connections.columns["closed"]].tolist()
        return ids

    def cgroup(self, process: ProcessKey) -> str | None:
        """The control group of a process; None if no line has named it."""
        return self._cgroups.get(process)

    # --- lines; each of these methods raises BadLineError for a malformed line -----------------------------

    def take_waiting(self, line: Line) -> None:
        """Set the number of waiting sockets in a network namespace."""
        waiting = parts.waiting(line)
        if not (waiting.time_wait or waiting.syn_recv):
            self._waiting.pop(waiting.netns, None)
            return
        if waiting.netns not in self._waiting and len(self._waiting) >= MOST_NAMESPACES:
            raise BadLineError(f"more than {MOST_NAMESPACES:,} network namespaces")
        self._waiting[waiting.netns] = waiting

    def take_rows(self, rows: dict[int, Line], gone: NDArray[np.uint64], keeps_samples: bool) -> None:
        """Update the connections: remove those in ``gone``, and write the lines of the others.

        :param rows: the lines by connection id
        :param keeps_samples: the fields of samples have just come by state lines, and are not reset to 0
        """
        table = self._connections
        for connection in gone.tolist():
            rows.pop(connection, None)
        before = table.set_ids(_ids_after(table, rows, gone))
        if before is not None:
            self._cells.move(before)
        for name in () if keeps_samples else OF_A_LINE:
            if table.columns[name].any():
                table.writable(name)[:] = 0
        at, lines = self._put(table, rows)
        if lines:
            # A closed connection stays closed: an id is never used twice.
            table.writable("closed")[at] |= [line["event"] == "close" for line in lines]
            self._take_cgroups(at, [line.get("cgroup") for line in lines])

    def _take_cgroups(self, at: Indices, paths: Sequence[Any]) -> None:
        """Take the newest paths of the processes in these rows, and at times forget those without a row."""
        columns = self._connections.columns
        processes = processes_of(lambda name: columns[name][at])
        named = zip(processes, map(parts.text, paths), strict=True)
        self._cgroups.update((process, path) for process, path in named if process.pid)
        self._cgroups = of_processes_here(self._cgroups, columns.__getitem__)

    def take_side(self, event: str, rows: Mapping[int, Line]) -> None:
        """Update the rows of another table than that of connections, likewise."""
        table = self._sides[event]
        gone = [id_ for id_, line in rows.items() if line.get("closed") is True]
        left = {id_: line for id_, line in rows.items() if line.get("closed") is not True}
        table.set_ids(_ids_after(table, left, np.array(gone, np.uint64)))
        self._put(table, left)

    def _put(self, table: StreamTable, rows: Mapping[int, Line]) -> tuple[Indices, list[Line]]:
        """Write lines into their rows; return the places of the rows, and the lines in the same order."""
        ids = np.array(sorted(rows), np.uint64)
        at, lines = places(table.ids, ids), [rows[id_] for id_ in ids.tolist()]
        self._quiet[table.kind.name] = quiet = np.ones(len(table), bool)
        quiet[at] = False
        for problem in table.put_lines(at, lines) if lines else ():
            self._say(f"{problem} (up to {len(lines):,} lines before)")
        return at, lines

    def take_column(self, line: Line) -> None:
        """Write new values of one field into several rows."""
        if line.get("table") == "cells":
            self._cells.take(line, self._connections.ids)
            return
        ids, values = parts.by_ids(line)
        table, name = self._table(line), str(line.get("field"))
        if name in CLOCKS and ("plus" in line or "plus_closed" in line):
            plus, plus_closed = (
                parts.number(line, key) if key in line else 0 for key in ("plus", "plus_closed")
            )
            self._advance(table, name, plus, plus_closed)
        if len(ids):
            at = places(table.ids, ids)
            if at.min() < 0:
                raise BadLineError(f"{name[:64]}: a row that has no line")
            table.put(name, at, values)

    def _advance(self, table: StreamTable, name: str, plus: int, plus_closed: int) -> None:
        column, quiet = table.clock(name), self._quiet[table.kind.name]
        if max(plus, plus_closed) > np.iinfo(column.dtype).max:
            raise BadLineError(f"{name}: no such value")
        closed = table.columns["closed"][quiet] if table is self._connections else np.zeros(quiet.sum(), bool)
        column[quiet] = advanced(column[quiet], closed, plus, plus_closed)

    def take_state(self, line: Line) -> None:
        """Set all values of a field."""
        if line.get("table") == "cells":
            self._cells.take(line, self._connections.ids)
            return
        table, name, values = self._table(line), str(line.get("field")), parts.values(line)
        if name == table.kind.id_field:
            ids = ids_of(values)
            if len(ids) > 1 and not (ids[1:] > ids[:-1]).all():
                raise BadLineError("ids that are not ascending")
            before = table.set_ids(ids)
            if before is not None and table is self._connections:
                self._cells.move(before)
        elif len(values) != len(table):
            raise BadLineError(f"{name[:64]}: {len(values):,} values of {len(table):,} rows")
        elif name == "closed" and table is self._connections:
            table.writable("closed")[:] = [value is True for value in values]
        elif name == "cgroup":
            self._cgroups.clear()
            self._take_cgroups(np.arange(len(table)), values)
        else:
            table.put(name, np.arange(len(table)), values)

    def _table(self, line: Line) -> StreamTable:
        table = self._tables.get(str(line.get("table")))
        if table is None:
            raise BadLineError("a table that is not known to this version")
        return table


def _ids_after(table: StreamTable, rows: Mapping[int, Line], gone: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The ids of the rows that stay and of those that have lines."""
    left = table.ids[~among(table.ids, gone)] if len(gone) else table.ids
    return distinct(np.concatenate([left, np.array(sorted(rows), np.uint64)]))
