"""Recent RTT of every connection: the highest sample of each second, of older times of each 10 s."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Indices
from tcptop_rtt.model.snapshot import CELL_NS

CELLS = 60
OLD_CELLS = 59  # all fits into ten minutes
_CELLS_PER_OLD = 10


class History:
    """A minute of cells per row, and ten minutes of old ones; nan where no segment brought a sample.

    Time comes first, so that a new cell of all rows is one stretch of memory.
    """

    def __init__(self, now_ns: int) -> None:
        self._cells = np.zeros((CELLS, 0), np.float32)
        self._old = np.zeros((OLD_CELLS, 0), np.float32)
        self._now = now_ns // CELL_NS
        self._lent: dict[int, NDArray[np.float32]] = {}

    def grow(self, rows: int) -> None:
        """Make room for so many rows more."""
        self._cells, self._old = _wider(self._cells, rows), _wider(self._old, rows)

    def advance(self, now_ns: int) -> None:
        """Begin the cells that time has come for."""
        now = now_ns // CELL_NS
        if now - self._now > CELLS:
            # Nobody has kept time: what is there is of before.
            self._cells[:] = self._old[:] = np.nan
            self._now = now
        for begun in range(self._now + 1, now + 1):
            self._cells[begun % CELLS] = np.nan
            # The cell before the present one may get more.
            if begun % _CELLS_PER_OLD == 1:
                self._sum_up(begun // _CELLS_PER_OLD - 1, begun - 1)
        self._now = now

    def _sum_up(self, old: int, end: int) -> None:
        """Make the old cell that is complete, of those before ``end``."""
        first = (end - _CELLS_PER_OLD) % CELLS  # CELLS is a multiple, so that they do not wrap
        np.fmax.reduce(self._cells[first : first + _CELLS_PER_OLD], axis=0, out=self._old[old % OLD_CELLS])

    def blank(self, rows: slice) -> None:
        """Forget what is known of rows, as they are about to be other connections'."""
        self._lent.clear()
        self._cells[:, rows] = np.nan
        self._old[:, rows] = np.nan

    def move(self, indices: Indices, to: Indices) -> None:
        """Give the past of some rows to others."""
        self._lent.clear()
        self._cells[:, to] = self._cells[:, indices]
        self._old[:, to] = self._old[:, indices]

    def add(self, indices: Indices, rtt_us: NDArray[np.uint32], time_ns: NDArray[np.uint64]) -> None:
        """Count samples, in us and in order of time, into the present cell or, early ones, the one before."""
        values, early = rtt_us.astype(np.float32), int(np.count_nonzero(time_ns < self._now * CELL_NS))
        for cell, part in ((self._now - 1, slice(early)), (self._now, slice(early, None))):
            np.fmax.at(self._cells[cell % CELLS], indices[part], values[part])

    def latest(self, cells: int, count: int) -> tuple[NDArray[np.float32], ...]:
        """The last cells of the first rows, oldest first, each of shape (count,) and for good."""
        pictures = {cell: self._picture(cell, count) for cell in range(self._now - cells + 1, self._now + 1)}
        # The last two still change; the others do when rows begin, move or are others in number.
        self._lent = {cell: picture for cell, picture in pictures.items() if cell < self._now - 1}
        return tuple(pictures.values())

    def _picture(self, cell: int, count: int) -> NDArray[np.float32]:
        picture = self._lent.get(cell)
        if picture is None or len(picture) != count:
            picture = self._cells[cell % CELLS, :count].copy()
            picture.flags.writeable = False
        return picture

    def past(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """All that is known of one row, oldest first: when cells began, on the clock in ns, and their RTT."""
        minute = np.arange(self._now - CELLS + 1, self._now + 1)
        # Of the old cells those that begin before the minute: it has the others in detail.
        end = -(-minute[0] // _CELLS_PER_OLD)
        old = np.arange(max(0, self._now // _CELLS_PER_OLD - OLD_CELLS), end)
        begun = np.concatenate([old * _CELLS_PER_OLD, minute])
        rtt_us = np.concatenate([self._old[old % OLD_CELLS, index], self._cells[minute % CELLS, index]])
        known = ~np.isnan(rtt_us)
        return begun[known] * CELL_NS, rtt_us[known]


def _wider(cells: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    return np.concatenate([cells, np.full((len(cells), rows), np.nan, np.float32)], axis=1)
