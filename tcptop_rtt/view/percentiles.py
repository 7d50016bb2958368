"""Percentiles of groups of numbers, by nearest rank: each percentile is one of the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def by_rank(
    values: NDArray[Any], group: NDArray[np.integer], groups: int, shares: Sequence[float]
) -> list[NDArray[Any]]:
    """The percentiles at each share, an array of shape (groups,): 0 where a group has no value.

    :param values: each above 0
    :param group: the number of each value's group
    :param shares: each above 0 and at most 1
    """
    in_order = values[np.lexsort((values, group))]
    number = np.bincount(group, minlength=groups)
    some = np.flatnonzero(number)
    starts = np.cumsum(number)[some] - number[some]
    found = []
    for share in shares:
        ranked = np.zeros(groups, values.dtype)
        ranked[some] = in_order[starts + np.ceil(share * number[some]).astype(np.intp) - 1]
        found.append(ranked)
    return found
