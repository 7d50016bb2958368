"""Where connecting fails: what is known of each target.

Nothing here knows where the numbers come from or how they are shown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import CONNECT_ERRORS, ROW

COUNTS = tuple(str(name).replace("-", "_") for name in CONNECT_ERRORS[1:])
"""By each kind of failure, in the order of CONNECT_ERRORS, the field that counts it."""

TARGET = np.dtype(
    [
        ("id", "u8"),  # made of what follows up to comm: the same in each snapshot
        *((name, ROW[name]) for name in ("netns", "family", "raddr", "rport", "comm")),
        ("pid", ROW["pid"]),  # of the latest one
        *((name, "u4") for name in COUNTS),
        ("count", "u4"),  # all of them
        ("per_s", "f8"),  # over about the last five seconds
        ("connect_error", ROW["connect_error"]),  # how the latest one has failed
        ("latest_ms", "u4"),  # how long ago
        ("host", ROW["host"]),
    ]
)
"""Connects without success, of one process's name to one address and port in one network namespace."""


def no_targets() -> NDArray[np.void]:
    """None at all."""
    return np.zeros(0, TARGET)
