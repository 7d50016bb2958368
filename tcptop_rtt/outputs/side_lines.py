"""The stream's lines of listeners and failed connects: when one is first met, has changed, and is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import CLOSED, LISTEN
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.outputs import columns
from tcptop_rtt.outputs.columns import NOTHING, Line, Part, part_of
from tcptop_rtt.view.filter import Filter, as_rows, select
from tcptop_rtt.view.streamed import LISTENER_COLUMNS, TARGET_COLUMNS, Kind


class SideLines:
    """Makes the lines of one kind, of what matches, snapshot by snapshot.

    :param chosen: asks for what such a row has; what else it may ask for no such row has
    """

    kind: ClassVar[Kind]
    news: ClassVar[tuple[str, ...]]
    """One has changed when one of these has."""
    state: ClassVar[int]
    """In which a filter takes it to be."""

    def __init__(self, chosen: Filter) -> None:
        self._filter = chosen
        self.part: Part = NOTHING[self.kind.name]
        """Those of the latest snapshot."""
        self._last = self.part
        self._told = np.zeros(0, np.uint64)

    def rows(self, snapshot: Snapshot) -> NDArray[np.void]:
        """Of a snapshot."""
        raise NotImplementedError

    def lines(self, snapshot: Snapshot) -> Iterator[Line]:
        """What is new since the previous snapshot."""
        rows, lacking = self.rows(snapshot), snapshot.health.unknown
        self._last = last = self.part
        followed = np.isin(rows["id"], last.ids)  # its process may have changed
        followed[select(as_rows(rows, self.state), self._filter, lacking)] = True
        self.part = now = part_of(rows, np.flatnonzero(followed))
        places, met = last.find(now.ids)
        news = ~met
        for name in self.news:
            news[met] |= now.get(name)[met] != last.get(name)[places[met]]
        self._told = now.ids[news]
        _, there = now.find(last.ids)
        yield from self._lines(snapshot, now, now.indices[news], closed=False)
        yield from self._lines(snapshot, last, last.indices[~there], closed=True)

    def changes(self, elapsed_ns: tuple[int, int], lacking: frozenset[str]) -> Iterator[Line]:
        """What else has changed, as columns."""
        return columns.changes(self.kind, self._last, self.part, self._told, elapsed_ns, lacking)

    def _lines(self, snapshot: Snapshot, part: Part, rows: NDArray[np.intp], closed: bool) -> Iterator[Line]:
        fields = self.kind.fields
        values = [
            field.values(lambda name: part.rows[name][rows], snapshot.health.unknown) for field in fields
        ]
        for row in zip(*values, strict=True):
            line = {"event": self.kind.id_field, "time_ns": snapshot.time_ns, "closed": closed}
            yield line | {field.name: value for field, value in zip(fields, row, strict=True)}


class ListenerLines(SideLines):
    """Of listeners."""

    kind, state = LISTENER_COLUMNS, LISTEN
    news = ("pid", "comm", "unit", "queue", "queue_limit", "drops")

    def rows(self, snapshot: Snapshot) -> NDArray[np.void]:
        return snapshot.listeners


class TargetLines(SideLines):
    """Of failed connects."""

    kind, state = TARGET_COLUMNS, CLOSED
    news = ("pid", "count")

    def rows(self, snapshot: Snapshot) -> NDArray[np.void]:
        return snapshot.targets
