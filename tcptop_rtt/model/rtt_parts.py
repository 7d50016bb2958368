"""RTT samples of which lowest, highest, sum and number are known, as values and how many count as each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Get

Part = tuple[NDArray[np.float64], NDArray[np.int64]]
"""A value per row in microseconds, and how many of its samples count as that."""


def rtt_parts(get: Get) -> tuple[Part, ...]:
    """The samples of rows since the previous snapshot.

    One is the lowest, one the highest, and the mean of the others is known: they count as if all of them were
    that. So up to three samples are exact.

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
    # A window of samples that was reported twice has the extremes of both parts.
    return (lowest, ends), (highest, ends), (np.clip(mean, lowest, highest), others)
