"""RTT samples as an exponential histogram: each upper bound is 2**(1/8) times the one before."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

COLUMN = "exponential"
SCALE = 3
"""Bounds are powers of 2**(2**-SCALE), so a value is known within 9 %."""
_FIRST, _LAST = -20 << SCALE, (12 << SCALE) + 2
"""Exponents of the bounds: from below 1 us to above the kernel's longest RTT, 2**32 us."""

ZERO_THRESHOLD_S = 2.0 ** (_FIRST >> SCALE)
"""Values up to this count as zero."""
BOUNDS_US = np.exp2(np.arange(_FIRST, _LAST + 1) / (1 << SCALE)) * 1e6
"""The upper bounds of the zero bucket and of each further one except the last, which stays empty."""


class Buckets(NamedTuple):
    """The buckets of one set of labels, from the first to the last that is not empty."""

    zero: int
    offset: int
    """The exponent of the first bucket's lower bound."""
    counts: list[int]


def buckets(counted: NDArray[np.int64]) -> list[Buckets]:
    """Return the buckets of each set of labels.

    :param counted: samples by set of labels and bucket, shape (N, len(BOUNDS_US) + 1)
    """
    positive = counted[:, 1:]
    some: NDArray[Any] = positive > 0
    first = some.argmax(axis=1)
    after = np.where(some.any(axis=1), positive.shape[1] - some[:, ::-1].argmax(axis=1), 0)
    return [
        Buckets(zero, _FIRST + begin, row[begin:end].tolist())
        for zero, begin, end, row in zip(
            counted[:, 0].tolist(), first.tolist(), after.tolist(), positive, strict=True
        )
    ]
