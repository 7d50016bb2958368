"""Samples by the cell of time that they belong to: what is read late is old all the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import distinct
from tcptop_rtt.model.rows import Mask


def by_cell(time_ns: NDArray[np.uint64], cell_ns: int, latest: int) -> Iterator[tuple[int, Mask | slice]]:
    """Yield each cell that has samples, and which samples they are.

    :param time_ns: of each sample
    :param latest: the cell under way; what is newer belongs to it, too
    """
    earlier = time_ns < np.uint64(latest * cell_ns)
    if not earlier.any():
        yield latest, slice(None)  # as a rule all are, and dividing and sorting take longer
        return
    yield latest, ~earlier
    cells = time_ns[earlier] // np.uint64(cell_ns)
    for cell in distinct(cells).tolist():
        which = earlier.copy()
        which[earlier] = cells == cell
        yield cell, which
