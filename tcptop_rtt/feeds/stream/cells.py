"""The cells of sparklines, decoded from lines of the stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.feeds.stream import parts
from tcptop_rtt.feeds.stream.tables import BadLineError, array_of
from tcptop_rtt.model.ids import places
from tcptop_rtt.model.rows import Indices
from tcptop_rtt.model.snapshot import CELL_NS, SPARK_CELLS


class Cells:
    """For each second, one cell per row; nan where no segment brought a sample."""

    def __init__(self) -> None:
        self._cells: dict[int, NDArray[np.float32]] = {}

    def copy(self) -> Cells:
        """An independent copy."""
        other = Cells()
        for cells in self._cells.values():
            cells.flags.writeable = False
        other._cells = dict(self._cells)
        return other

    def move(self, before: Indices) -> None:
        """Follow the rows to their new places.

        :param before: the old place of each row; -1: it is new
        """
        found = before >= 0
        for second, cells in self._cells.items():
            moved = _none(len(before))
            moved[found] = cells[before[found]]
            self._cells[second] = moved

    def take(self, line: Mapping[str, Any], rows: NDArray[np.uint64]) -> None:
        """Write the cells of one second from a line.

        :param rows: the ids of the rows
        :raises BadLineError: the line is malformed
        """
        second = parts.number(line, "second")
        ids, values = parts.by_ids(line)
        if second not in self._cells and len(self._cells) > 4 * SPARK_CELLS:
            raise BadLineError("too many cells")
        at = places(rows, ids)
        if len(at) and at.min() < 0:
            raise BadLineError("cells of a connection that has no line")
        try:
            numbers = np.rint(array_of(values, np.dtype(np.float32)))  # None is nan
        except (TypeError, ValueError, OverflowError):
            raise BadLineError("cells: no such value") from None
        cells = self._cells.get(second)
        if cells is None:
            cells = _none(len(rows))
        elif not cells.flags.writeable:
            cells = cells.copy()
        cells[at] = numbers
        self._cells[second] = cells

    def latest(self, clock_ns: int, rows: int) -> tuple[NDArray[np.float32], ...]:
        """The cells for a snapshot, oldest first, read-only. Older cells are dropped."""
        newest = clock_ns // CELL_NS
        seconds = range(newest - SPARK_CELLS + 1, newest + 1)
        self._cells = {second: cells for second, cells in self._cells.items() if second in seconds}
        none = _none(rows)
        found = tuple(self._cells.get(second, none) for second in seconds)
        for cells in found:
            cells.flags.writeable = False
        return found


def _none(rows: int) -> NDArray[np.float32]:
    return np.full(rows, np.nan, np.float32)
