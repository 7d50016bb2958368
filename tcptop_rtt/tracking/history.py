"""Recent RTT of every connection: its highest sample per second, and per ten seconds before that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Indices
from tcptop_rtt.model.snapshot import CELL_NS
from tcptop_rtt.tracking.cells import by_cell
from tcptop_rtt.tracking.room import resized

CELLS = 60
OLD_CELLS = 59  # with the ten seconds under way, ten minutes
_CELLS_PER_OLD = 10


class History:
    """Keeps a minute of one-second cells, and ten minutes of ten-second cells; nan if there was no sample.

    Time is the first axis, so that one cell of all rows is contiguous in memory.
    """

    def __init__(self, now_ns: int) -> None:
        self._cells = np.zeros((CELLS, 0), np.float32)
        self._old = np.zeros((OLD_CELLS, 0), np.float32)
        self._now = now_ns // CELL_NS
        self._frozen: dict[int, NDArray[np.float32]] = {}

    def resize(self, length: int) -> None:
        """Make room for this many rows in all."""
        self._cells, self._old = (resized(cells, length, np.nan) for cells in (self._cells, self._old))

    def advance(self, now_ns: int) -> None:
        """Begin the cells that are due."""
        now = now_ns // CELL_NS
        if now - self._now > (OLD_CELLS + 1) * _CELLS_PER_OLD:
            # No call has come for that long: all cells are too old.
            self._cells[:] = self._old[:] = np.nan
            self._now = now
        for begun in range(self._now + 1, now + 1):
            self._cells[begun % CELLS] = np.nan
            # One cell late, as the cell before the present one may still get samples.
            if begun % _CELLS_PER_OLD == 1:
                self._sum_up(begun // _CELLS_PER_OLD - 1, begun - 1)
        self._now = now

    def _sum_up(self, old: int, end: int) -> None:
        """Fill an old cell from the cells before ``end``."""
        first = (end - _CELLS_PER_OLD) % CELLS  # CELLS is a multiple of it, so the slice does not wrap
        np.fmax.reduce(self._cells[first : first + _CELLS_PER_OLD], axis=0, out=self._old[old % OLD_CELLS])

    def clear(self, rows: slice) -> None:
        """Empty the cells of rows that new connections take."""
        self._frozen.clear()
        self._cells[:, rows] = np.nan
        self._old[:, rows] = np.nan

    def move(self, rows: Indices, to: Indices) -> None:
        """Copy the cells of some rows over those of others."""
        self._frozen.clear()
        self._cells[:, to] = self._cells[:, rows]
        self._old[:, to] = self._old[:, rows]

    def add(self, rows: Indices, rtt_us: NDArray[np.uint32], time_ns: NDArray[np.uint64]) -> None:
        """Count samples in the cells of their times."""
        values = rtt_us.astype(np.float32)
        for cell, part in by_cell(time_ns, CELL_NS, self._now):
            if cell > self._now - CELLS:
                np.fmax.at(self._cells[cell % CELLS], rows[part], values[part])
            if cell < self._now - 1:
                self._frozen.pop(cell, None)
                self._add_late(cell // _CELLS_PER_OLD, rows[part], values[part])

    def _add_late(self, old: int, rows: Indices, values: NDArray[np.float32]) -> None:
        """Count samples in an old cell that is filled already and not yet dropped."""
        is_filled = self._now > (old + 1) * _CELLS_PER_OLD
        if is_filled and old >= self._now // _CELLS_PER_OLD - OLD_CELLS:
            np.fmax.at(self._old[old % OLD_CELLS], rows, values)

    def latest(self, cells: int, count: int) -> tuple[NDArray[np.float32], ...]:
        """The last cells of the first rows, oldest first, each a read-only array of shape (count,)."""
        latest = {cell: self._freeze(cell, count) for cell in range(self._now - cells + 1, self._now + 1)}
        # The last two cells still change. The others change only if rows are opened, moved or dropped.
        self._frozen = {cell: frozen for cell, frozen in latest.items() if cell < self._now - 1}
        return tuple(latest.values())

    def _freeze(self, cell: int, count: int) -> NDArray[np.float32]:
        frozen = self._frozen.get(cell)
        if frozen is None or len(frozen) != count:
            frozen = self._cells[cell % CELLS, :count].copy()
            frozen.flags.writeable = False
        return frozen

    def past(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The sampled cells of one row, oldest first: when each began, in ns of the clock, and its RTT."""
        minute = np.arange(self._now - CELLS + 1, self._now + 1)
        # Only the old cells that begin before the minute, which has one-second cells of its own.
        end = -(-minute[0] // _CELLS_PER_OLD)
        old = np.arange(max(0, self._now // _CELLS_PER_OLD - OLD_CELLS), end)
        begun = np.concatenate([old * _CELLS_PER_OLD, minute])
        rtt_us = np.concatenate([self._old[old % OLD_CELLS, row], self._cells[minute % CELLS, row]])
        sampled = ~np.isnan(rtt_us)
        return begun[sampled] * CELL_NS, rtt_us[sampled]
