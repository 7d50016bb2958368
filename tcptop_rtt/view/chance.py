"""How likely it is that some connections have something in common by mere chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def log_chances(shared: Counts, members: Counts, bad: int, total: int) -> NDArray[Any]:
    """The logarithm of the chance that so many of the bad ones are members, or more.

    It is the tail of the hypergeometric distribution, as in Fisher's exact test (R. A. Fisher, The Design of
    Experiments, 1935). From one number to the next its terms shrink ever faster: a geometric series with the
    first quotient is no less than their sum, and a few per cent more where it matters.

    :param shared: shape (N,): how many bad ones are members
    :param members: shape (N,): how many of all are
    :param bad: how many of all are bad
    :param total: how many there are
    """
    factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, total + 1)))))
    others = total - bad - members + shared  # neither bad nor members
    first = (
        factorial[bad] - factorial[shared] - factorial[bad - shared]
        + factorial[total - bad] - factorial[members - shared] - factorial[others]
        - factorial[total] + factorial[members] + factorial[total - members]
    )  # fmt: skip
    quotient = (bad - shared) * (members - shared) / ((shared + 1) * (others + 1))
    # From a quotient of 1 on there are fewer than to be expected, which nobody calls a coincidence.
    bound = first - np.log1p(-np.minimum(quotient, 1 - 1e-9))
    found: NDArray[Any] = np.where(quotient < 1, np.minimum(bound, 0.0), 0.0)
    return found
