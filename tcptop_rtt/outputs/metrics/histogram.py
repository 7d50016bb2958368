"""RTT samples as a histogram: how many there are is known, and so is their sum; which is in which bucket is
estimated where a connection had more than three between two snapshots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Get
from tcptop_rtt.model.rtt_parts import rtt_parts

_PER_DECADE = (1, 1.6, 2.5, 4, 6.3)  # equal steps of a logarithm, as round numbers
_DECADES_US = (100, 1_000, 10_000, 100_000, 1_000_000)

BOUNDS_US = np.array([40, 63, *(round(step * us) for us in _DECADES_US for step in _PER_DECADE)])
"""The upper end of each bucket but the last, which has none: from loopback to what nobody waits for."""
BUCKETS = len(BOUNDS_US) + 1


def spread(get: Get, slots: NDArray[np.intp], count: int) -> NDArray[np.int64]:
    """How many samples fall into each bucket, by slot: shape (count, BUCKETS).

    :param get: gives the values of a field of rows that have samples
    :param slots: of these rows
    """
    found = np.zeros(count * BUCKETS, np.int64)
    for us, samples in rtt_parts(get):
        at = slots * BUCKETS + np.searchsorted(BOUNDS_US, us)
        found += np.bincount(at, weights=samples, minlength=len(found)).astype(np.int64)
    return found.reshape(count, BUCKETS)
