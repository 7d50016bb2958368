"""RTT samples as a histogram. Count and sum are exact; the buckets are estimated where a connection had more
than three samples between two snapshots.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Get
from tcptop_rtt.model.rtt_parts import rtt_parts

_PER_DECADE = (1, 1.6, 2.5, 4, 6.3)  # equal steps of a logarithm, as round numbers
_DECADES_US = (100, 1_000, 10_000, 100_000, 1_000_000)

BOUNDS_US = np.array([40, 63, *(round(step * us) for us in _DECADES_US for step in _PER_DECADE)])
"""The upper bounds of all buckets but the last, which has none: from 40 us, as on loopback, to 6.3 s."""


def spread(get: Get, bounds_us: NDArray[Any]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64]]]:
    """Yield the samples of rows in parts. Each part has one bucket per row, and the number of samples in it.

    :param get: gives the values of a field of rows that have samples
    :param bounds_us: the upper bounds of all buckets but the last, which has none
    """
    for us, samples in rtt_parts(get):
        yield np.searchsorted(bounds_us, us), samples
