"""Targets: the addresses and ports to which connects fail.

Nothing here knows where the numbers come from or how they are shown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import CONNECT_ERRORS, ROW

COUNTS = tuple(str(name).replace("-", "_") for name in CONNECT_ERRORS[1:])
"""The fields that count each kind of failure, in the order of CONNECT_ERRORS."""

TARGET = np.dtype(
    [
        ("id", "u8"),  # made of the fields up to comm, so it is the same in each snapshot
        *((name, ROW[name]) for name in ("netns", "family", "raddr", "rport", "comm")),
        ("pid", ROW["pid"]),  # of the latest failed connect
        *((name, "u4") for name in COUNTS),
        ("count", "u4"),  # of all kinds
        ("per_s", "f8"),  # over about the last five seconds
        ("connect_error", ROW["connect_error"]),  # how the latest connect failed
        ("latest_ms", "u4"),  # age of the latest failure
        ("host", ROW["host"]),
    ]
)
"""Failed connects of one process name to one address and port in one network namespace."""


def no_targets() -> NDArray[np.void]:
    """Return an empty table."""
    return np.zeros(0, TARGET)
