"""RTT samples as an exponential histogram: each bucket ends at 2**(1/8) times where the one before does."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

COLUMN = "exponential"
SCALE = 3
"""Bounds are powers of 2**(2**-SCALE): a value is known within 9 %."""
_FIRST, _LAST = -20 << SCALE, (12 << SCALE) + 2
"""Powers: from less than a microsecond to more than the kernel's longest RTT, 2**32 of them."""

ZERO_THRESHOLD_S = 2.0 ** (_FIRST >> SCALE)
"""What is not above it counts as zero."""
BOUNDS_US = np.exp2(np.arange(_FIRST, _LAST + 1) / (1 << SCALE)) * 1e6
"""The upper end of the zero bucket, and of each after it but the last, which nothing reaches."""


class Buckets(NamedTuple):
    """Those of one set of labels, from the first one to the last one that is not empty."""

    zero: int
    offset: int
    """The power at which the first one begins."""
    counts: list[int]


def buckets(counted: NDArray[np.int64]) -> list[Buckets]:
    """Of each set of labels.

    :param counted: shape (N, len(BOUNDS_US) + 1)
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
