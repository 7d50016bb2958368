"""The stream: JSON Lines, with the unit of a number in its field's name, and null for unknown values.

Every snapshot can be restored from it. Changes without a line for their connection are in ``column`` lines,
and a ``refresh`` line says that a snapshot is complete.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import starmap

import msgspec
import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among, distinct
from tcptop_rtt.model.rows import CLOSED, Indices, Rows
from tcptop_rtt.model.snapshot import Origin, ProcessKey, Snapshot, Waiting, of_processes_here, processes_of
from tcptop_rtt.outputs import columns
from tcptop_rtt.outputs.columns import NOTHING, Part, part_of
from tcptop_rtt.outputs.json_line import Line, encoded, pieces
from tcptop_rtt.outputs.side_lines import ListenerLines, TargetLines
from tcptop_rtt.view import causes
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.streamed import CONNECTION_COLUMNS, FORMAT_VERSION

_NEWS = (
    "pid",
    "started_ns",
    "comm",
    "holder",
    "unit",  # its process has been moved to another control group
    "state",
    "srtt_us",
    "retrans",
    "lost",
    "bytes_acked",
    "bytes_received",
    "retransmits",
)
"""A connection gets a line if one of these fields or its verdict has changed, or it has new RTT samples."""

_ConnectionLine = msgspec.defstruct(
    "_ConnectionLine", ("event", "time_ns", "cgroup", *CONNECTIONS.names), gc=False
)

_AT_ONCE = 2048
"""The number of rows that are made into lines at a time, as each takes 3 KiB of memory."""


class StreamLines:
    """Makes the lines of snapshots, one after the other, in pieces of whole lines.

    :param cgroup: returns the cgroup path of a process, or None
    """

    def __init__(self, chosen: Filter, cgroup: Callable[[ProcessKey], str | None]) -> None:
        self._filter = chosen
        self._cgroup_of = cgroup
        self._origin: Origin | None = None
        self._forget()

    def _forget(self) -> None:
        """Follow nothing yet."""
        self._cgroups: dict[ProcessKey, str | None] = {}
        self._snapshot: Snapshot | None = None
        self._part = NOTHING[CONNECTION_COLUMNS.name]
        self._verdicts = np.zeros(0, np.uint8)  # the verdict of each row of the part
        self._waiting: dict[int, Waiting] = {}
        self._sides = (ListenerLines(self._filter), TargetLines(self._filter))

    def begin(self, origin: Origin) -> list[bytes]:
        """Return the header, which says where the stream was made."""
        self._origin = origin
        return [encoded(_header(origin))]

    def of(self, snapshot: Snapshot) -> list[bytes]:
        """Return the lines of the changes since the previous snapshot."""
        return list(pieces(self._of(snapshot)))

    def state(self) -> list[bytes]:
        """Return a header and the whole latest snapshot as lines; reading may begin here."""
        return list(pieces(self._state()))

    def end(self, dropped_records: int) -> list[bytes]:
        """Return the last line. The stream's name for dropped records is ``lost``."""
        return [encoded({"event": "end", "lost": dropped_records})]

    def _of(self, snapshot: Snapshot) -> Iterator[Line]:
        if self._origin is not None and self._is_of_another_run(snapshot):
            self._forget()
            yield _header(self._origin)
        last, before, verdicts = self._part, self._snapshot, self._verdicts
        time_ns, lacking = snapshot.time_ns, snapshot.health.lacking
        self._snapshot, now = snapshot, self._followed(snapshot.rows, lacking)
        self._part, self._verdicts = now, causes.verdicts(now.get, lacking)
        indices, events = _events(last, now, verdicts, self._verdicts)
        # A new connection with samples gets a second line, which has them: its "open" line has none.
        samples = np.where(events == "open", 0, snapshot.rows["rtt_samples"][indices])
        yield from self._lines(snapshot, events, snapshot.rows, indices, rtt_samples=samples)
        yield from self._changed_waiting(snapshot)
        for side in self._sides:
            yield from side.lines(snapshot)
        elapsed_ns = before.clock_ns if before else snapshot.clock_ns, snapshot.clock_ns
        with_line = distinct(snapshot.rows["id"][indices])
        for line in (
            *columns.changes(CONNECTION_COLUMNS, last, now, with_line, elapsed_ns, lacking),
            *(line for side in self._sides for line in side.changes(elapsed_ns, lacking)),
            *columns.cell_changes(before, last, snapshot, now),
        ):
            yield {"event": "column", "time_ns": time_ns, **line}
        _, there = now.find(last.ids)
        yield from self._vanished(snapshot, last, there)
        self._cgroups = of_processes_here(self._cgroups, now.get)
        yield _refresh(snapshot, last.ids[~there].tolist())

    def _is_of_another_run(self, snapshot: Snapshot) -> bool:
        """Return whether a closed connection is open again: ids of several runs are in one recording."""
        closed = self._part.ids[self._part.get("closed")]
        if not len(closed):
            return False
        return bool(among(snapshot.rows["id"][~snapshot.rows["closed"]], closed).any())

    def _vanished(self, snapshot: Snapshot, last: Part, there: NDArray[np.bool_]) -> Iterator[Line]:
        """Yield a "close" line for each connection that has vanished without being closed."""
        indices = last.indices[~there & ~last.get("closed")]
        if len(indices) and isinstance(last.rows, Rows):
            closed, none = np.full(len(indices), CLOSED), np.zeros(len(indices), int)
            events = np.full(len(indices), "close")
            yield from self._lines(snapshot, events, last.rows, indices, state=closed, rtt_samples=none)

    def _changed_waiting(self, snapshot: Snapshot) -> Iterator[Line]:
        """Yield the changed numbers of sockets in TIME-WAIT and SYN-RECV, if there is no filter."""
        if self._filter != Filter():
            return
        before = self._waiting
        self._waiting = {one.netns: one for one in snapshot.waiting if one.time_wait or one.syn_recv}
        for netns in dict.fromkeys((*self._waiting, *before)):  # a namespace that is gone has no sockets
            waiting = self._waiting.get(netns, Waiting(netns, 0, 0))
            if waiting != before.get(netns):
                yield {"event": "waiting", "time_ns": snapshot.time_ns, **waiting._asdict()}

    def _followed(self, rows: Rows, lacking: frozenset[str]) -> Part:
        """Return the rows that match the filter, or have matched it, as a connection's process may change."""
        if self._filter == Filter():
            return part_of(rows)
        followed = among(rows["id"], self._part.ids)
        followed[select(rows, self._filter, lacking)] = True
        return part_of(rows, np.flatnonzero(followed))

    def _lines(
        self,
        snapshot: Snapshot,
        events: NDArray[np.str_],
        rows: Rows,
        indices: Indices,
        **other: NDArray[np.int64],
    ) -> Iterator[Line]:
        """Yield a line for each of the rows at the indices.

        :param other: by field, values for these rows that are written instead
        """
        for start in range(0, len(indices), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            part = rows.take(indices[some], **{name: values[some] for name, values in other.items()})
            fields = [field.values(part.__getitem__, snapshot.health.lacking) for field in CONNECTIONS.fields]
            names, times = events[some].tolist(), [snapshot.time_ns] * len(part)
            values = zip(names, times, self._cgroup_paths(part), *fields, strict=True)
            yield from starmap(_ConnectionLine, values)

    def _cgroup_paths(self, rows: Rows) -> list[str | None]:
        """Return the cgroup path of each row. Each process is looked up once, as a process may be moved."""
        processes = processes_of(rows.__getitem__)
        for process in set(processes):
            if process.pid:
                self._cgroups[process] = self._cgroup_of(process) or self._cgroups.get(process)
        return list(map(self._cgroups.get, processes))

    def _state(self) -> Iterator[Line]:
        snapshot = self._snapshot
        if self._origin is None or snapshot is None:
            return
        yield _header(self._origin)
        lacking = snapshot.health.lacking
        cgroups = list(map(self._cgroups.get, processes_of(self._part.get)))
        for line in (
            *columns.state(CONNECTION_COLUMNS, self._part, lacking),
            {"table": CONNECTION_COLUMNS.name, "field": "cgroup", "values": cgroups},
            *(line for side in self._sides for line in columns.state(side.kind, side.part, lacking)),
            *columns.cell_state(snapshot, self._part),
        ):
            yield {"event": "state", "time_ns": snapshot.time_ns, **line}
        for waiting in self._waiting.values():
            yield {"event": "waiting", "time_ns": snapshot.time_ns, **waiting._asdict()}
        yield _refresh(snapshot, [])


def _header(origin: Origin) -> Line:
    return {"event": "header", "version": FORMAT_VERSION, **dataclasses.asdict(origin)}


def _refresh(snapshot: Snapshot, gone: list[int]) -> Line:
    health = dataclasses.asdict(snapshot.health)
    health |= {name: sorted(value) for name, value in health.items() if isinstance(value, frozenset)}
    line = {"event": "refresh", "time_ns": snapshot.time_ns, "clock_ns": snapshot.clock_ns}
    return {**line, "gone": gone, "health": health}


def _events(
    last: Part, now: Part, before: NDArray[np.uint8], verdicts: NDArray[np.uint8]
) -> tuple[Indices, NDArray[np.str_]]:
    """Return the indices of the rows of ``now`` that get a line, and the event of each."""
    places, met = last.find(now.ids)
    places = places[met]
    ended, news = np.zeros((2, len(met)), bool)
    ended[met] = last.get("closed")[places]
    news[met] = verdicts[met] != before[places]
    for name in _NEWS:
        news[met] |= now.get(name)[met] != last.get(name)[places]
    closed = now.get("closed")
    later = np.flatnonzero((closed | news | (now.get("rtt_samples") > 0)) & ~ended)
    opened = np.flatnonzero(~met)
    events = np.concatenate([np.full(len(opened), "open"), np.where(closed[later], "close", "sample")])
    lines = np.concatenate([opened, later])
    order = np.argsort(lines, kind="stable")
    return now.indices[lines[order]], events[order]
