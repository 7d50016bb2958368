"""The stream's lines of listeners and failed connects: when a row is new, has changed, or is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among
from tcptop_rtt.model.rows import CLOSED, LISTEN
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.outputs import columns
from tcptop_rtt.outputs.columns import NOTHING, Line, Part, part_of
from tcptop_rtt.view.filter import Filter, select_others
from tcptop_rtt.view.streamed import LISTENER_COLUMNS, TARGET_COLUMNS, Kind


class SideLines:
    """Makes the lines of one kind of rows, snapshot by snapshot.

    :param chosen: rows must match it; fields that such rows do not have are empty for it
    """

    kind: ClassVar[Kind]
    news: ClassVar[tuple[str, ...]]
    """A row gets a line if one of these fields has changed."""
    state: ClassVar[int]
    """The TCP state that the filter sees in such rows."""

    def __init__(self, chosen: Filter) -> None:
        self._filter = chosen
        self.part: Part = NOTHING[self.kind.name]
        """The rows of the latest snapshot that match, or have matched."""
        self._last = self.part
        self._told = np.zeros(0, np.uint64)

    def rows(self, snapshot: Snapshot) -> NDArray[np.void]:
        """Return all rows of this kind in a snapshot."""
        raise NotImplementedError

    def lines(self, snapshot: Snapshot) -> Iterator[Line]:
        """Yield a line for each row that is new, has changed in ``news``, or is gone."""
        rows, lacking = self.rows(snapshot), snapshot.health.lacking
        self._last = last = self.part
        followed = among(rows["id"], last.ids)  # rows stay, even if their process changes
        followed[select_others(rows, self.state, self._filter, lacking)] = True
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
        """Yield the other changes, for ``column`` lines; to be called after :meth:`lines`."""
        return columns.changes(self.kind, self._last, self.part, self._told, elapsed_ns, lacking)

    def _lines(self, snapshot: Snapshot, part: Part, rows: NDArray[np.intp], closed: bool) -> Iterator[Line]:
        if not len(rows):
            return
        fields = self.kind.fields
        values = [
            field.values(lambda name: part.rows[name][rows], snapshot.health.lacking) for field in fields
        ]
        for row in zip(*values, strict=True):
            line = {"event": self.kind.id_field, "time_ns": snapshot.time_ns, "closed": closed}
            yield line | {field.name: value for field, value in zip(fields, row, strict=True)}


class ListenerLines(SideLines):
    """Makes the lines of listeners."""

    kind, state = LISTENER_COLUMNS, LISTEN
    news = ("pid", "comm", "unit", "queue", "queue_limit", "drops")

    def rows(self, snapshot: Snapshot) -> NDArray[np.void]:
        return snapshot.listeners


class TargetLines(SideLines):
    """Makes the lines of failed connects."""

    kind, state = TARGET_COLUMNS, CLOSED
    news = ("pid", "count")

    def rows(self, snapshot: Snapshot) -> NDArray[np.void]:
        return snapshot.targets
