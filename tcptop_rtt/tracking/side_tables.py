"""Tables beside that of connections, as snapshots get them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import UNKNOWN_U32


def frozen(
    kept: NDArray[np.void], dtype: np.dtype[np.void], age: str, since: str, now_ns: int
) -> NDArray[np.void]:
    """The rows as they are now, read-only.

    :param kept: has the fields of ``dtype``, and others
    :param age: the field for how long ago something was, in ms
    :param since: the field of ``kept`` for when that was, in ns
    """
    rows = np.zeros(len(kept), dtype)
    for name in dtype.names or ():
        rows[name] = kept[name]
    ages_ms = np.maximum(now_ns // 1_000_000 - kept[since].astype(np.int64) // 1_000_000, 0)
    rows[age] = np.minimum(ages_ms, UNKNOWN_U32)
    rows.setflags(write=False)
    return rows
