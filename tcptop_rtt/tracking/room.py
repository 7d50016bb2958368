"""How much room there is for rows: more as soon as it is needed, less once most of it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1024


def grown(rows: int, room: int) -> int:
    """How much to make once rows need more room than there is: that rows come one by one costs little."""
    return max(LEAST, rows, room + room // 8)


def shrunk(rows: int, room: int) -> int:
    """How much is enough: twice the rows where they take less than a quarter, as after a burst of them."""
    return max(LEAST, 2 * rows) if room > LEAST and 4 * rows < room else room


def resized(values: NDArray[Any], length: int, empty: float = 0) -> NDArray[Any]:
    """The same with another length of the last axis, as far as it reaches; empty beyond."""
    if empty:
        result = np.full((*values.shape[:-1], length), empty, values.dtype)
    else:
        result = np.zeros((*values.shape[:-1], length), values.dtype)
    kept = min(length, values.shape[-1])
    result[..., :kept] = values[..., :kept]
    return result
