"""Where a connection's time went, and how many of its segments were sent again, as shares."""

from __future__ import annotations

from dataclasses import dataclass

from tcptop_rtt.model.connection import Connection


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
    """The share of the last minute's data segments that was sent again; None if none was sent.

    The kernel counts a segment that it sends again among the data segments, too: tcp_retransmit_skb() goes
    through __tcp_transmit_skb().
    """
    sent = row.data_segs_out_1m or 0
    return min(1.0, (row.retrans_1m or 0) / sent) if sent else None
