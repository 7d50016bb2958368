"""The highest RTT sample of the last ten minutes of every connection, and when it was taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import UNKNOWN_U32, Indices
from tcptop_rtt.tracking.cells import by_cell
from tcptop_rtt.tracking.room import resized
from tcptop_rtt.tracking.row_store import RowStore

CELL_NS = 60_000_000_000
CELLS = 10  # including the present one, so the peaks are of the last nine to ten minutes

_TIME_BITS = np.uint64(32)


class Peaks:
    """Sets ``peak_rtt_us``, ``peak_age_ms`` and ``peak_time_s`` of the rows.

    A cell has a minute's highest sample: its RTT in the upper 32 bits, and its time in milliseconds modulo
    2**32 in the lower 32 bits; 0 if there was none. So the greatest cell has the highest sample, and of equal
    samples the latest. A row takes 88 bytes. Time is the first axis, as in the history.
    """

    def __init__(self, store: RowStore, now_ns: int) -> None:
        self._store = store
        self._cells = np.zeros((CELLS, 0), np.uint64)
        self._highest = np.zeros(0, np.uint64)  # cell of each row
        self._now = _cell_of(now_ns)

    def resize(self, length: int) -> None:
        """Make room for this many rows in all."""
        self._cells, self._highest = resized(self._cells, length), resized(self._highest, length)

    def clear(self, rows: slice) -> None:
        """Forget the peaks of rows that new connections take."""
        self._cells[:, rows] = 0
        self._highest[rows] = 0

    def move(self, rows: Indices, to: Indices) -> None:
        """Copy the peaks of some rows over those of others."""
        self._cells[:, to] = self._cells[:, rows]
        self._highest[to] = self._highest[rows]

    def advance(self, now_ns: int) -> None:
        """Begin the cells that are due."""
        now = _cell_of(now_ns)
        if now <= self._now:
            return
        for begun in range(max(self._now, now - CELLS) + 1, now + 1):
            self._cells[begun % CELLS] = 0
        self._now = now
        # Once a minute is enough: add() updates it in between.
        np.maximum.reduce(self._cells, axis=0, out=self._highest)

    def add(self, rows: Indices, rtt_us: NDArray[np.uint32], time_ns: NDArray[np.uint64]) -> None:
        """Count samples in the cells of their times."""
        time_ms = time_ns // np.uint64(1_000_000)
        samples = rtt_us.astype(np.uint64) << _TIME_BITS | time_ms & np.uint64(UNKNOWN_U32)
        for cell, part in by_cell(time_ns, CELL_NS, self._now):
            if cell > self._now - CELLS:
                np.maximum.at(self._cells[cell % CELLS], rows[part], samples[part])
                np.maximum.at(self._highest, rows[part], samples[part])

    def update(self, now_ns: int, wall_ns: int) -> None:
        """Bring the peaks of all rows up to date."""
        rtt_us = (self._highest >> _TIME_BITS).astype(np.uint32)
        # The difference is right although the times wrap at 2**32.
        age_ms = np.uint32(now_ns // 1_000_000 & UNKNOWN_U32) - self._highest.astype(np.uint32)
        age_ms[age_ms > UNKNOWN_U32 // 2] = 0  # the sample is newer than now_ns
        self._store.set_all("peak_rtt_us", rtt_us)
        self._store.set_all("peak_age_ms", age_ms)
        self._store.set_all("peak_time_s", np.uint32(wall_ns // 1_000_000_000) - age_ms // np.uint32(1000))


def _cell_of(time_ns: int) -> int:
    return time_ns // CELL_NS
