"""Computes how likely it is that connections have something in common by mere chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def log_chances(shared: Counts, members: Counts, bad: int, total: int) -> NDArray[Any]:
    """Returns the logarithm of the chance that ``shared`` or more of the bad connections are members.

    The chance is the tail of the hypergeometric distribution, as in Fisher's exact test (R. A. Fisher, The
    Design of Experiments, 1935). The quotient of successive terms falls. So a geometric series with the first
    quotient is an upper bound of the sum, and at most a few per cent above it where it matters.

    :param shared: shape (N,): how many bad connections are members
    :param members: shape (N,): how many of all connections are members
    :param bad: how many connections are bad
    :param total: how many connections there are
    """
    factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, total + 1)))))
    others = total - bad - members + shared  # neither bad nor members
    first = (
        factorial[bad] - factorial[shared] - factorial[bad - shared]
        + factorial[total - bad] - factorial[members - shared] - factorial[others]
        - factorial[total] + factorial[members] + factorial[total - members]
    )  # fmt: skip
    quotient = (bad - shared) * (members - shared) / ((shared + 1) * (others + 1))
    # A quotient of 1 or more means that no more bad connections are members than chance alone would give.
    bound = first - np.log1p(-np.minimum(quotient, 1 - 1e-9))
    found: NDArray[Any] = np.where(quotient < 1, np.minimum(bound, 0.0), 0.0)
    return found
