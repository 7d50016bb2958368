"""RTT samples as a histogram: how many there are is known, and so is their sum; which is in which bucket is
estimated where a connection had more than three between two snapshots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Get

_PER_DECADE = (1, 1.6, 2.5, 4, 6.3)  # equal steps of a logarithm, as round numbers
_DECADES_US = (100, 1_000, 10_000, 100_000, 1_000_000)

BOUNDS_US = np.array([40, 63, *(round(step * us) for us in _DECADES_US for step in _PER_DECADE)])
"""The upper end of each bucket but the last, which has none: from loopback to what nobody waits for."""
BUCKETS = len(BOUNDS_US) + 1


def spread(get: Get, slots: NDArray[np.intp], count: int) -> NDArray[np.int64]:
    """How many samples fall into each bucket, by slot: shape (count, BUCKETS).

    Of a connection's samples since the previous snapshot one is the lowest, one the highest, and the mean of
    the others is known: they count as if all of them were that. So up to three samples are where they belong.

    :param get: gives the values of a field of rows that have samples
    :param slots: of these rows
    """
    samples = get("rtt_samples").astype(np.int64)
    lowest, highest = get("rtt_lo_us").astype(np.int64), get("rtt_hi_us").astype(np.int64)
    total = get("rtt_sum_us").astype(np.int64)
    single = samples == 1
    others = np.where(single, 1, samples - 2)
    between = np.where(single, total, total - lowest - highest) / np.maximum(others, 1)
    found = np.zeros(count * BUCKETS, np.int64)
    for us, weight in (
        (lowest, np.where(single, 0, 1)),
        (highest, np.where(single, 0, 1)),
        # A window of samples that was reported twice has the extremes of both parts.
        (np.clip(between, lowest, highest), others),
    ):
        at = slots * BUCKETS + np.searchsorted(BOUNDS_US, us)
        found += np.bincount(at, weights=weight, minlength=len(found)).astype(np.int64)
    return found.reshape(count, BUCKETS)
