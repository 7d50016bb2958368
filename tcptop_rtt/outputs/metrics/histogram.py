"""RTT samples as a histogram: how many there are is known, and so is their sum; which is in which bucket is
estimated where a connection had more than three between two snapshots.
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
"""The upper end of each bucket but the last, which has none: from loopback to what nobody waits for."""


def spread(get: Get, bounds_us: NDArray[Any]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64]]]:
    """In which buckets the samples of rows are: parts, each with a bucket per row and how many samples.

    :param get: gives the values of a field of rows that have samples
    :param bounds_us: the upper end of each bucket but the last, which has none
    """
    for us, samples in rtt_parts(get):
        yield np.searchsorted(bounds_us, us), samples
