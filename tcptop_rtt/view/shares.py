"""Shares of a connection's time, of its segments that were sent again, and of its answers that were slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import Mask
from tcptop_rtt.model.waited import SLOW_WAIT_US
from tcptop_rtt.view.thresholds import thresholds

SLOW_COUNT = 3
"""Fewer slow answers are no pattern."""
SLOW_SHARE = 0.05
"""If so many answers are slow, their 95th percentile is."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Where the sender's time went, 0 to 1; None where it cannot be known."""

    busy: float | None  # of all the time
    rwnd_limited: float | None  # of the busy time
    sndbuf_limited: float | None  # of the busy time


def shares(row: Connection) -> Shares:
    """The kernel's chronograph of the last minute as shares."""
    return _shares(row, "_1m", (row.window_ms or 0) * 1000)


def life_shares(row: Connection) -> Shares:
    """The shares over the whole life; ``busy`` is None if the opening of the connection was not seen."""
    return _shares(row, "", row.age_ns // 1000 if row.open_seen else 0)


def _shares(row: Connection, suffix: str, time_us: int) -> Shares:
    busy, rwnd, sndbuf = (
        getattr(row, f"{name}{suffix}") or 0 for name in ("busy_us", "rwnd_limited_us", "sndbuf_limited_us")
    )
    return Shares(
        busy=min(1.0, busy / time_us) if time_us else None,
        rwnd_limited=min(1.0, rwnd / busy) if busy else None,
        sndbuf_limited=min(1.0, sndbuf / busy) if busy else None,
    )


def loss(row: Connection) -> float | None:
    """The share of the last minute's data segments that had to be sent again; None if none was sent.

    The kernel counts a segment that it sends again among the data segments, too: tcp_retransmit_skb() goes
    through __tcp_transmit_skb().
    """
    sent = row.data_segs_out_1m or 0
    return min(1.0, needed_1m(row) / sent) if sent else None


def needed(resent: Any, twice: Any) -> Any:
    """How many of the segments sent again the peer had not: of ``twice`` it says that it had them already.

    Of these the ACK was lost or late, or the timer too short: tcp_dsack_seen().
    """
    return resent - np.minimum(resent, twice)


def needed_1m(row: Connection) -> int:
    """The segments that had to be sent again in the last minute."""
    return int(needed(np.uint32(row.retrans_1m or 0), np.uint32(row.dsack_dups_1m or 0)))


def are_often_slow(slow: NDArray[Any], count: NDArray[Any], path_us: NDArray[Any]) -> Mask:
    """Whether so many of some answers are slow that it is a pattern, whatever their mean is.

    :param path_us: the part of each that is not a process's: half of a slow one at least has to be
    """
    if thresholds().slow_answer_us > SLOW_WAIT_US:
        return np.zeros(np.shape(slow), bool)  # what the kernel counts as slow is not slow here
    found: Mask = (slow >= SLOW_COUNT) & (slow >= SLOW_SHARE * count) & (2 * path_us <= SLOW_WAIT_US)
    return found
