"""RTT samples as weighted values, from their lowest, highest, sum and number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Get

Part = tuple[NDArray[np.float64], NDArray[np.int64]]
"""A value of each row in microseconds, and how many of its samples count as that value."""


def rtt_parts(get: Get) -> tuple[Part, ...]:
    """Return the samples of rows since the previous snapshot as three weighted values.

    One sample counts as the lowest, one as the highest, and all others as the mean of the others. So up to
    three samples are exact.

    :param get: gives the values of a field of the rows, which may have no samples
    """
    samples = get("rtt_samples").astype(np.int64)
    lowest, highest, total = (
        get(name).astype(np.float64) for name in ("rtt_lo_us", "rtt_hi_us", "rtt_sum_us")
    )
    single = samples == 1
    others = np.where(single, 1, np.maximum(samples - 2, 0))
    mean = np.where(single, total, total - lowest - highest) / np.maximum(others, 1)
    ends = (samples > 1).astype(np.int64)
    # If a window was reported in two parts, lowest and highest may belong to either.
    return (lowest, ends), (highest, ends), (np.clip(mean, lowest, highest), others)
