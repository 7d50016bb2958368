"""Hashes several columns into one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ID_BITS = np.uint64(53)
"""Every JSON reader can represent integers of so many bits."""


def mixed(columns: Iterable[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each row's values: equal rows have equal hashes.

    Among a million different rows, two have the same hash with a chance of 1 in 10,000,000.
    """
    columns = list(columns)
    numbers = np.full(len(columns[0]), len(columns), np.uint64)
    for values in columns:
        for word in _words(values):
            numbers = (numbers ^ word) * _MULTIPLIER
            numbers ^= numbers >> np.uint64(32)
    return numbers


def mixed_ids(columns: Iterable[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return likewise a number that is short enough for an id in the stream.

    Among 100,000 different rows, two have the same id with a chance of 1 in 1,000,000.
    """
    found: NDArray[np.uint64] = mixed(columns) >> np.uint64(64 - _ID_BITS)
    return found


def _words(values: NDArray[Any]) -> list[NDArray[np.uint64]]:
    if values.dtype.itemsize <= 8:
        return [values.astype(np.uint64)]
    words = np.ascontiguousarray(values).view(np.uint64).reshape(len(values), values.dtype.itemsize // 8)
    return [words[:, at] for at in range(words.shape[1])]
