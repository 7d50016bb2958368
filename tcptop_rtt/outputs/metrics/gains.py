"""What has happened to each connection from one snapshot to the next: what its counters have gained, and
whether it was opened, closed, or never came about.

Each is told once. A closed connection is in one snapshot at least, with its final counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import matched
from tcptop_rtt.model.known import SCANNED, is_whole
from tcptop_rtt.model.rows import SYN_RECV, SYN_SENT, Mask, Rows

COUNTERS = (
    "bytes_acked",
    "bytes_received",
    "retrans",
    "answers",
    "answer_sum_us",
    "replies",
    "reply_sum_us",
)
"""The fields that only grow."""

_OURS = {"answers", "answer_sum_us", "replies", "reply_sum_us"}
"""Those that the kernel side counts itself: they are 0 where it begins to, however old the connection is."""


@dataclass(frozen=True, slots=True)
class Gains:
    """Of each row of a snapshot."""

    counters: dict[str, NDArray[np.int64]]
    """By name, as in COUNTERS."""
    opened: Mask
    """It has been established since the previous snapshot."""
    closed: Mask
    """It has ended since then, and was established once."""
    connected: Mask
    """How long its connect() took is known since then: ``connect_us``."""
    failed: Mask
    """It has failed to be established: ``connect_error``."""


def gains(then: Rows, now: Rows) -> Gains:
    """What the connections of a snapshot have gained since the one before it."""
    place = matched(then["id"], now["id"])
    place[place >= 0] = np.where(is_whole(then.__getitem__)[place[place >= 0]], place[place >= 0], -1)
    met = place >= 0
    known = is_whole(now.__getitem__)

    def before(values: NDArray[Any]) -> NDArray[Any]:
        """The value that each row had; 0 for those that were not there."""
        found = np.zeros(len(now), values.dtype)
        found[met] = values[place[met]]
        return found

    was_scanned = before(then["scanned"])
    counters = {}
    for name in COUNTERS:
        is_known, was_known = (now["scanned"], was_scanned) if name in SCANNED else (known, met)
        value = now[name].astype(np.int64)
        # What an older connection brought before it was first seen is no gain.
        start = np.where(
            was_known, before(then[name]), 0 if name in _OURS else np.where(now["open_seen"], 0, value)
        )
        counters[name] = np.where(is_known & known, np.maximum(value - start, 0), 0)
    up, was_up = _is_up(now), before(_is_up(then))
    return Gains(
        counters,
        opened=up & ~was_up & now["open_seen"],
        closed=up & now["closed"] & ~before(then["closed"]),
        connected=(now["connect_us"] > 0) & (before(then["connect_us"]) == 0),
        failed=(now["connect_error"] > 0) & (before(then["connect_error"]) == 0),
    )


def is_open(rows: Rows) -> Mask:
    """Which connections are established, and not closed."""
    found: Mask = _is_up(rows) & ~rows["closed"]
    return found


def _is_up(rows: Rows) -> Mask:
    """Whether it is established, or was."""
    state = rows["state"]
    found: Mask = is_whole(rows.__getitem__) & (state != SYN_SENT) & (state != SYN_RECV)
    found &= rows["connect_error"] == 0
    return found
