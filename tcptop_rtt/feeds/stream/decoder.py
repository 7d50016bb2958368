"""Lines of the stream in, snapshots out: of a recording, of a file, or of another host.

What is read may be made by anybody, and by other versions: a line that cannot be read is left out, and told.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.feeds.stream import parts
from tcptop_rtt.feeds.stream.cells import Cells
from tcptop_rtt.feeds.stream.tables import BadLineError, StreamTable, ids_of
from tcptop_rtt.model.ids import places
from tcptop_rtt.model.rows import Rows
from tcptop_rtt.model.snapshot import CELL_NS, Origin, ProcessKey, Snapshot, Waiting
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.streamed import (
    CLOCKS,
    CONNECTION_COLUMNS,
    FORMAT_VERSION,
    LISTENER_COLUMNS,
    OF_A_LINE,
    TARGET_COLUMNS,
    advanced,
)

Line = dict[str, Any]

MOST_LINE_BYTES = 1 << 26
MOST_LINES = 1 << 23
"""Of one snapshot."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class StreamDecoder:
    """Not thread-safe.

    :param complain: told what cannot be read, and where
    """

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self.line = 0
        """The number of the latest line, for what is told of it."""
        self.origin: Origin | None = None
        """Where the snapshots are from; None: no header has told it yet."""
        self.dropped_records = 0
        """As the last line tells."""
        self.reset()

    def reset(self) -> None:
        """Forget all but the origin: what comes next begins anew."""
        self._connections = StreamTable(CONNECTION_COLUMNS)
        self._sides = {
            "listener": StreamTable(LISTENER_COLUMNS),
            "target": StreamTable(TARGET_COLUMNS),
        }
        self._cells = Cells()
        self._cgroups: dict[int, str | None] = {}
        self._waiting: dict[int, Waiting] = {}
        self._refreshes = False
        self._time_ns = 0  # of the lines that wait for a refresh, where there is none
        self._begin()

    def _begin(self) -> None:
        """Collect the lines of the next snapshot."""
        self._count = 0
        self._rows: dict[int, Line] = {}
        self._side_rows: dict[str, dict[int, Line]] = {"listener": {}, "target": {}}
        self._columns: list[tuple[int, Line]] = []
        self._states: list[tuple[int, Line]] = []

    def copy(self, complain: Callable[[str], None]) -> StreamDecoder:
        """One that goes on from here by itself."""
        other = copy.copy(self)
        other._complain = complain
        other._connections = self._connections.copy()
        other._sides = {event: table.copy() for event, table in self._sides.items()}
        other._cells = self._cells.copy()
        other._cgroups, other._waiting = dict(self._cgroups), dict(self._waiting)
        other._begin()
        return other

    def cgroup(self, process: ProcessKey) -> str | None:
        """The control group of a process, as far as lines have told."""
        mine = (self._connections.columns["pid"] == process.pid) & (
            self._connections.columns["started_ns"] == process.started_ns
        )
        found = self._connections.ids[mine]
        return self._cgroups.get(int(found[0])) if len(found) else None

    def take(self, text: bytes) -> Snapshot | None:
        """Take a line; a snapshot, if it completes one."""
        self.line += 1
        try:
            return self._take(text)
        except BadLineError as error:
            self.say(str(error))
        except (msgspec.MsgspecError, RecursionError):
            self.say("no line of JSON with an object")
        except UnicodeDecodeError:
            self.say("no UTF-8")
        return None

    def say(self, problem: str, line: int | None = None) -> None:
        """Tell what is wrong with a line, the latest one by default."""
        self._complain(f"line {self.line if line is None else line:,}: {fmt.printable(problem)}")

    def _take(self, text: bytes) -> Snapshot | None:
        if len(text) > MOST_LINE_BYTES:
            raise BadLineError(f"it is longer than {MOST_LINE_BYTES:,} bytes")
        line = _decode(text)
        event = line.get("event")
        self._count += 1
        if self._count > MOST_LINES:
            self._begin()
            raise BadLineError(f"{MOST_LINES:,} lines without a refresh")
        older = self._older(line) if not self._refreshes else None
        match event:
            case "open" | "sample" | "close":
                self._rows[parts.number(line, "id")] = line
            case "column":
                self._columns.append((self.line, line))
            case "listener" | "target":
                self._side_rows[str(event)][parts.number(line, str(event))] = line
            case "refresh":
                self._refreshes = True
                return self._refresh(line)
            case "state":
                self._states.append((self.line, line))
            case "waiting":
                waiting = parts.waiting(line)
                self._waiting[waiting.netns] = waiting
            case "header":
                self._take_header(line)
            case "end":
                self.dropped_records = parts.number(line, "lost")
            case "moment":
                pass
            case _:
                raise BadLineError(f"event {str(event)[:64]!a} is not known to this version")
        return older

    # --- streams of before there were refreshes: what has the same time belongs together --------------

    def _older(self, line: Line) -> Snapshot | None:
        if line.get("event") not in ("open", "sample", "close", "listener", "waiting"):
            return None
        time_ns = parts.time(line, "time_ns")
        complete = self.finish() if time_ns != self._time_ns else None
        self._time_ns = time_ns
        return complete

    def finish(self) -> Snapshot | None:
        """What no refresh has ended, where there is none at all."""
        if self._refreshes or not self._rows:
            return None
        closed = self._connections.ids[self._connections.columns["closed"]].tolist()
        second = self._time_ns // CELL_NS
        rows = [line for _, line in sorted(self._rows.items()) if line.get("rtt_hi_us") is not None]
        cells = {"ids": [line["id"] for line in rows], "values": [line["rtt_hi_us"] for line in rows]}
        self._columns.append((self.line, {"table": "cells", "second": second, **cells}))
        times = {"time_ns": self._time_ns, "clock_ns": self._time_ns}
        return self._refresh({**times, "gone": closed, "health": {}})

    def _take_header(self, line: Line) -> None:
        origin, version = parts.origin(line), line.get("version")
        if version != FORMAT_VERSION and self.origin is None:
            self.say(f"version {version} of the stream: what is new in it is not shown")
        self.origin = origin

    # --- a snapshot is complete -----------------------------------------------------------------------

    def _refresh(self, line: Line) -> Snapshot | None:
        time_ns, clock_ns = parts.time(line, "time_ns"), parts.time(line, "clock_ns")
        health = parts.health(line.get("health"))
        try:
            if self._states:
                self._take_states()
            self._take_rows(ids_of(line.get("gone", [])))
            for event, table in self._sides.items():
                self._take_side(table, self._side_rows[event])
            for number, column in self._columns:
                self._guarded(number, self._take_column, column)
        finally:
            self._begin()
        connections = self._connections.freeze()
        return Snapshot(
            time_ns,
            clock_ns,
            Rows(connections),
            self._cells.latest(clock_ns, len(self._connections)),
            health,
            None,
            tuple(self._waiting.values()),
            self._sides["target"].records(),
            self._sides["listener"].records(),
        )

    def _guarded(self, number: int, take: Callable[[Line], None], line: Line) -> None:
        try:
            take(line)
        except BadLineError as error:
            self.say(str(error), number)

    def _take_rows(self, gone: NDArray[np.uint64]) -> None:
        """Bring the rows up to date: those that have gone, those that have lines, and the others."""
        table, rows = self._connections, self._rows
        for connection in gone.tolist():
            rows.pop(connection, None)
            self._cgroups.pop(connection, None)
        told = np.array(sorted(rows), np.uint64)
        left = table.ids[~np.isin(table.ids, gone)] if len(gone) else table.ids
        before = table.set_ids(np.union1d(left, told))
        if before is not None:
            self._cells.move(before)
        for name in () if self._states else OF_A_LINE:
            if table.columns[name].any():
                table.writable(name)[:] = 0
        self._quiet = np.ones(len(table), bool)
        if len(told):
            at = places(table.ids, told)
            self._quiet[at] = False
            lines = [rows[connection] for connection in told.tolist()]
            self._put_lines(table, at, lines)
            table.writable("closed")[at] = [line["event"] == "close" for line in lines]
            self._cgroups.update((int(line["id"]), parts.text(line.get("cgroup"))) for line in lines)

    def _put_lines(self, table: StreamTable, at: NDArray[np.intp], lines: list[Line]) -> None:
        try:
            table.put_lines(at, lines)
        except BadLineError:
            for one, line in zip(at, lines, strict=True):  # which of them it is
                try:
                    table.put_lines(np.array([one]), [line])
                except BadLineError as error:
                    self.say(f"{error} (up to {len(lines):,} lines before)")

    def _take_side(self, table: StreamTable, rows: Mapping[int, Line]) -> None:
        gone = [id_ for id_, line in rows.items() if line.get("closed") is True]
        told = np.array(sorted(rows.keys() - set(gone)), np.uint64)
        left = table.ids[~np.isin(table.ids, np.array(gone, np.uint64))] if gone else table.ids
        table.set_ids(np.union1d(left, told))
        if len(told):
            self._put_lines(table, places(table.ids, told), [rows[id_] for id_ in told.tolist()])

    def _take_column(self, line: Line) -> None:
        if line.get("table") == "cells":
            self._cells.take(line, self._connections.ids)
            return
        ids, values = ids_of(line.get("ids", [])), parts.values(line)
        if len(values) != len(ids):
            raise BadLineError("not as many values as ids")
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

    def _table(self, line: Line) -> StreamTable:
        tables = {"connections": self._connections}
        tables |= {f"{event}s": table for event, table in self._sides.items()}
        table = tables.get(str(line.get("table")))
        if table is None:
            raise BadLineError("a table that is not known to this version")
        return table

    def _advance(self, table: StreamTable, name: str, plus: int, plus_closed: int) -> None:
        column = table.clock(name)
        if max(plus, plus_closed) > np.iinfo(column.dtype).max:
            raise BadLineError(f"{name}: no such value")
        if table is self._connections:
            quiet = self._quiet
            column[quiet] = advanced(column[quiet], table.columns["closed"][quiet], plus, plus_closed)
        else:
            told = self._side_rows["listener" if table is self._sides["listener"] else "target"]
            quiet = ~np.isin(table.ids, np.array(sorted(told), np.uint64))
            column[quiet] = advanced(column[quiet], np.zeros(int(quiet.sum()), bool), plus, 0)

    def _take_states(self) -> None:
        """Begin with all that is known."""
        states = self._states
        self._forget_rows()
        for number, line in states:
            self._guarded(number, self._take_state, line)

    def _forget_rows(self) -> None:
        """Leave nothing of what has been known, but what waits to be taken."""
        collected = self._rows, self._side_rows, self._columns, self._states, self._count
        waiting, refreshes = self._waiting, self._refreshes
        self.reset()
        self._rows, self._side_rows, self._columns, self._states, self._count = collected
        self._waiting, self._refreshes = waiting, refreshes

    def _take_state(self, line: Line) -> None:
        if line.get("table") == "cells":
            self._cells.take(line, self._connections.ids)
            return
        table, name, values = self._table(line), str(line.get("field")), parts.values(line)
        if name in ("id", "listener", "target"):
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
            self._cgroups = dict(zip(table.ids.tolist(), map(parts.text, values), strict=True))
        else:
            table.put(name, np.arange(len(table)), values)
