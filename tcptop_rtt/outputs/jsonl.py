"""The stream format: JSON Lines, integers with the unit in the name, null for what is not known."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import CLOSED, Indices, Rows, no_rows
from tcptop_rtt.model.snapshot import Origin, ProcessKey, Snapshot, Waiting
from tcptop_rtt.outputs.listener_lines import ListenerLines
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import causes
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, select

FORMAT_VERSION = 1

_NEWS = (
    "pid",
    "comm",
    "holder",
    "state",
    "srtt_us",
    "retrans",
    "lost",
    "bytes_acked",
    "bytes_received",
    "retransmits",
)
"""A connection has news when one of these has changed, or what holds it up, or it has new RTT samples."""


class _Part(NamedTuple):
    """Some rows of a snapshot, in the order of their ids."""

    rows: Rows
    indices: Indices
    verdicts: NDArray[np.uint8]
    """What holds each of them up."""

    def get(self, name: str) -> NDArray[Any]:
        return self.rows[name][self.indices]

    def find(self, ids: NDArray[np.uint64]) -> tuple[Indices, NDArray[np.bool_]]:
        """At which place each id stands, and which ids there are."""
        own = self.get("id")
        if not len(own):
            return np.zeros(len(ids), np.intp), np.zeros(len(ids), bool)
        places = np.minimum(np.searchsorted(own, ids), len(own) - 1)
        return places, own[places] == ids


def _events(last: _Part, now: _Part) -> tuple[Indices, NDArray[np.str_]]:
    """Which connections of ``now`` get a line, in order, and of what event."""
    places, met = last.find(now.get("id"))
    places = places[met]
    ended, news = np.zeros((2, len(met)), bool)
    ended[met] = last.get("closed")[places]
    news[met] = now.verdicts[met] != last.verdicts[places]
    for name in _NEWS:
        news[met] |= now.get(name)[met] != last.get(name)[places]
    closed = now.get("closed")
    later = np.flatnonzero((closed | news | (now.get("rtt_samples") > 0)) & ~ended)
    opened = np.flatnonzero(~met)
    events = np.concatenate([np.full(len(opened), "open"), np.where(closed[later], "close", "sample")])
    lines = np.concatenate([opened, later])
    order = np.argsort(lines, kind="stable")
    return now.indices[lines[order]], events[order]


class JsonLines:
    """Writes snapshots as a stream: a header, ``open``, ``sample`` and ``close`` lines, an end.

    :param cgroup: the cgroup path of a process, or None
    """

    def __init__(self, out: Writer, chosen: Filter, cgroup: Callable[[ProcessKey], str | None]) -> None:
        self._out = out
        self._filter = chosen
        self._cgroup_of = cgroup
        self._cgroups: dict[int, tuple[ProcessKey, str | None]] = {}
        self._last = _Part(no_rows(), np.zeros(0, np.intp), np.zeros(0, np.uint8))
        self._waiting: dict[int, Waiting] = {}
        self._listeners = ListenerLines(chosen)

    def begin(self, origin: Origin) -> None:
        """The header: where and when the stream was made."""
        self._write({"event": "header", "version": FORMAT_VERSION, **dataclasses.asdict(origin)})
        self._out.flush()

    def show(self, snapshot: Snapshot) -> None:
        """What has changed since the previous snapshot."""
        last, self._last = self._last, self._followed(snapshot.rows, snapshot.health.unknown)
        indices, events = _events(last, self._last)
        # A line of the same moment follows an "open": samples are written once.
        samples = np.where(events == "open", 0, snapshot.rows["rtt_samples"][indices])
        self._write_lines(snapshot, events, snapshot.rows.take(indices, rtt_samples=samples))
        self._count_waiting(snapshot)
        for line in self._listeners.lines(snapshot):
            self._write(line)
        self._close(snapshot, last)
        self._out.flush()

    def _close(self, snapshot: Snapshot, last: _Part) -> None:
        """End those that have vanished."""
        _, there = self._last.find(last.get("id"))
        for connection in last.get("id")[~there].tolist():
            self._cgroups.pop(connection, None)
        indices = last.indices[~there & ~last.get("closed")]
        closed, none = np.full(len(indices), CLOSED), np.zeros(len(indices), int)
        rows = last.rows.take(indices, state=closed, rtt_samples=none)
        self._write_lines(snapshot, np.full(len(indices), "close"), rows)

    def _count_waiting(self, snapshot: Snapshot) -> None:
        """Write how many sockets wait; not where only some connections are wanted."""
        if self._filter != Filter():
            return
        for waiting in snapshot.waiting:
            if waiting != self._waiting.get(waiting.netns, waiting._replace(time_wait=0, syn_recv=0)):
                self._write({"event": "waiting", "time_ns": snapshot.time_ns, **waiting._asdict()})
        self._waiting = {waiting.netns: waiting for waiting in snapshot.waiting}

    def end(self, dropped_records: int) -> None:
        """The last line. The stream has always called dropped records lost."""
        self._write({"event": "end", "lost": dropped_records})
        self._out.flush()

    def _followed(self, rows: Rows, lacking: frozenset[str]) -> _Part:
        """What passes the filter, and has passed it: the process or the port of a connection may change."""
        followed = np.isin(rows["id"], self._last.get("id"))
        followed[select(rows, self._filter, lacking)] = True
        indices = np.flatnonzero(followed)
        indices = indices[np.argsort(rows["id"][indices])]
        return _Part(rows, indices, causes.verdicts(lambda name: rows[name][indices], lacking))

    def _write_lines(self, snapshot: Snapshot, events: NDArray[np.str_], rows: Rows) -> None:
        """A line for each row."""
        columns = [field.values(rows.__getitem__, snapshot.health.unknown) for field in CONNECTIONS.fields]
        cgroups = self._cgroup_paths(rows)
        for event, cgroup, *values in zip(events.tolist(), cgroups, *columns, strict=True):
            line = {"event": event, "time_ns": snapshot.time_ns, "cgroup": cgroup}
            line.update(zip(CONNECTIONS.names, values, strict=True))
            self._write(line)

    def _cgroup_paths(self, rows: Rows) -> Iterator[str | None]:
        """Asked once per connection and owner, while the process is likely to be there."""
        columns = (rows[name].tolist() for name in ("id", "pid", "started_ns"))
        for connection, pid, started_ns in zip(*columns, strict=True):
            key = ProcessKey(pid, started_ns)
            known = self._cgroups.get(connection)
            if known is None or known[0] != key:
                known = self._cgroups[connection] = (key, self._cgroup_of(key) if pid else None)
            yield known[1]

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line, separators=(",", ":")) + "\n")
