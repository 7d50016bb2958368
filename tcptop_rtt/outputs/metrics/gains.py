"""What happened to each connection between two snapshots: how far its counters rose, and whether it was
opened, was closed, or failed to connect.

Each event is counted once. A closed connection is in at least one snapshot, with its final counters.
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
"""The fields that only increase."""

_OURS = {"answers", "answer_sum_us", "replies", "reply_sum_us"}
"""Counters that the kernel side keeps: it starts them at 0, however old the connection is."""


@dataclass(frozen=True, slots=True)
class Gains:
    """The gains of each row of a snapshot, since the previous one."""

    counters: dict[str, NDArray[np.int64]]
    """The increase of each counter, by its name in COUNTERS."""
    opened: Mask
    """The connection was established."""
    closed: Mask
    """The connection was closed, and had been established."""
    connected: Mask
    """The duration of the connect() became known: ``connect_us``."""
    failed: Mask
    """The connect() failed: ``connect_error``."""


def gains(then: Rows, now: Rows) -> Gains:
    """Return the gains of the connections in ``now`` since the previous snapshot, ``then``."""
    place = matched(then["id"], now["id"])
    place[place >= 0] = np.where(is_whole(then.__getitem__)[place[place >= 0]], place[place >= 0], -1)
    met = place >= 0
    known = is_whole(now.__getitem__)

    def before(values: NDArray[Any]) -> NDArray[Any]:
        """Return the previous value of each row; 0 if it had no whole record."""
        found = np.zeros(len(now), values.dtype)
        found[met] = values[place[met]]
        return found

    was_scanned = before(then["scanned"])
    counters = {}
    for name in COUNTERS:
        is_known, was_known = (now["scanned"], was_scanned) if name in SCANNED else (known, met)
        value = now[name].astype(np.int64)
        # If the start of a connection was not seen, the first value of its counter is no gain.
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
    """Return which connections are established and not closed."""
    found: Mask = _is_up(rows) & ~rows["closed"]
    return found


def _is_up(rows: Rows) -> Mask:
    """Return which connections are established, or were."""
    state = rows["state"]
    found: Mask = is_whole(rows.__getitem__) & (state != SYN_SENT) & (state != SYN_RECV)
    found &= rows["connect_error"] == 0
    return found
