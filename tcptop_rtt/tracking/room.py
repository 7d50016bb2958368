"""How much room to have for rows: more as soon as it is needed, less once most of it is free."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1024


def grown(rows: int, room: int) -> int:
    """The new room, if rows need more than there is. It has spare rows, so that adding one costs little."""
    return max(LEAST, rows, room + room // 8)


def shrunk(rows: int, room: int) -> int:
    """The room that is enough: twice the rows, if they take less than a quarter, as after a burst."""
    return max(LEAST, 2 * rows) if room > LEAST and 4 * rows < room else room


def resized(values: NDArray[Any], length: int, empty: float = 0) -> NDArray[Any]:
    """A copy with another length of the last axis. New elements are ``empty``."""
    if empty:
        result = np.full((*values.shape[:-1], length), empty, values.dtype)
    else:
        result = np.zeros((*values.shape[:-1], length), values.dtype)
    kept = min(length, values.shape[-1])
    result[..., :kept] = values[..., :kept]
    return result
