"""Freezes the tables that snapshots have beside the connections: listeners and targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import UNKNOWN_U32


def frozen(
    kept: NDArray[np.void], dtype: np.dtype[np.void], age: str, since: str, now_ns: int
) -> NDArray[np.void]:
    """A read-only copy of the rows, with an age added.

    :param kept: the rows, with the fields of ``dtype`` and others
    :param age: the field of the result that gets the age, in ms
    :param since: the field of ``kept`` with the time that the age counts from, in ns
    """
    rows = np.zeros(len(kept), dtype)
    for name in dtype.names or ():
        rows[name] = kept[name]
    ages_ms = np.maximum(now_ns // 1_000_000 - kept[since].astype(np.int64) // 1_000_000, 0)
    rows[age] = np.minimum(ages_ms, UNKNOWN_U32)
    rows.setflags(write=False)
    return rows
