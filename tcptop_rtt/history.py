"""Recent RTT of every connection: the highest sample of each half second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELLS = 120
CELL_NS = 500_000_000

Indices = NDArray[np.intp]


class History:
    """A minute of cells per row; nan where no segment brought a sample.

    Time comes first, so that a new cell of all rows is one stretch of memory.
    """

    def __init__(self, now_ns: int) -> None:
        self._cells = np.zeros((CELLS, 0), np.float32)
        self._now = now_ns // CELL_NS

    def grow(self, rows: int) -> None:
        """Make room for so many rows more."""
        blank = np.full((CELLS, rows), np.nan, np.float32)
        self._cells = np.concatenate([self._cells, blank], axis=1)

    def advance(self, now_ns: int) -> None:
        """Begin the cells that time has come for."""
        now = now_ns // CELL_NS
        for begun in range(max(self._now + 1, now - CELLS + 1), now + 1):
            self._cells[begun % CELLS] = np.nan
        self._now = now

    def blank(self, rows: slice) -> None:
        """Forget what is known of rows, as they are about to be other connections'."""
        self._cells[:, rows] = np.nan

    def add(self, indices: Indices, rtt_us: NDArray[np.uint32]) -> None:
        """Count samples, in microseconds, into the present cell."""
        np.fmax.at(self._cells[self._now % CELLS], indices, rtt_us.astype(np.float32))

    def move(self, index: int, to: int) -> None:
        """Give a row's past to another row."""
        self._cells[:, to] = self._cells[:, index]

    def latest(self, cells: int, rows: slice) -> NDArray[np.float32]:
        """A copy of the last cells of these rows, oldest first: shape (cells, number of rows)."""
        wanted = np.arange(self._now - cells + 1, self._now + 1) % CELLS
        return self._cells[:, rows][wanted]
