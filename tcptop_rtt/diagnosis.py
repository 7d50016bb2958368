"""Is it the network, the peer or us? A verdict on one connection from its counters alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tcptop_rtt import format as fmt
from tcptop_rtt.snapshot import STATES, UNKNOWN_U32

Who = Literal["network", "peer", "us", "nobody", "unknown"]

LIMITED_SHARE = 0.2
"""Of the time with data to send: from here on a limit is worth naming."""
LOSS_SHARE = 0.01
LOSS_COUNT = 3
"""A single lost segment in a short connection is already more than 1 %."""
QUEUE_FACTOR = 3
QUEUE_US = 10_000
"""Below 10 ms above the minimum, scheduling and delayed ACKs explain as much as a queue does."""
DELAYED_ACK_US = (35_000, 50_000)
"""Linux holds an ACK back for 40 ms (TCP_DELACK_MIN, include/net/tcp.h), give or take a jiffy."""
BARE_SHARE = 0.2
"""Bare ACKs per data segment of ours, and per segment of the peer's: below it, ACKs come with data."""
BARE_COUNT = 10
"""Of our data segments: Linux acknowledges a connection's first ones at once (TCP_MAX_QUICKACKS)."""
STANDING_MS = 500
STANDING_BYTES = 65_536
IDLE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who holds the connection up, in a few words, and what speaks for it."""

    who: Who
    summary: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """One line; a culprit is named first."""
        return self.summary if self.who in ("nobody", "unknown") else f"{self.who}: {self.summary}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    who: Who
    summary: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shares:
    """Where the sender's time went, 0 to 1; None where it cannot be known."""

    busy: float | None  # of the connection's life
    rwnd_limited: float | None  # of the busy time
    sndbuf_limited: float | None  # of the busy time


def shares(row: np.void) -> Shares:
    """The kernel's chronograph as shares; the life of a connection that was there before us is not known."""
    busy = int(row["busy_us"])
    life_us = int(row["age_ns"]) // 1000
    return Shares(
        busy=min(1.0, busy / life_us) if row["born"] and life_us else None,
        rwnd_limited=min(1.0, int(row["rwnd_limited_us"]) / busy) if busy else None,
        sndbuf_limited=min(1.0, int(row["sndbuf_limited_us"]) / busy) if busy else None,
    )


def _no_answer(row: np.void) -> Finding | None:
    timeouts, probes = int(row["backoff"]), int(row["probes"])
    if not (row["stalled"] or timeouts):
        return None
    quiet = fmt.span(int(row["last_ack_ms"]))
    if STATES[min(int(row["state"]), len(STATES) - 1)] == "SYN-SENT":
        return Finding("peer", "no answer to our SYN", "nothing listens there, or the path drops everything")
    if probes and not timeouts:
        return Finding(
            "peer",
            f"its window is closed, {probes} probes unanswered",
            f"it takes no more data and its last ACK came {quiet} ago",
        )
    what = f"{timeouts} timeouts in a row" if timeouts > 1 else "retransmission timeout"
    return Finding(
        "peer",
        f"silent: {what}, no ACK for {quiet}",
        "gone, or the path drops everything; from here the two look alike",
    )


def _peer_not_reading(row: np.void) -> Finding | None:
    closed_window = row["snd_wnd"] == 0 and row["unsent"] > 0
    share = shares(row).rwnd_limited or 0.0
    if closed_window:
        return Finding(
            "peer",
            "not reading: its receive window is closed",
            f"{fmt.size(int(row['unsent']))} wait here for room over there",
        )
    if share >= LIMITED_SHARE:
        return Finding(
            "peer",
            f"reads too slowly: its window held us up {share:.0%} of the time",
            f"receive window limited {share:.0%} of the time with data to send",
        )
    return None


def _us_not_reading(row: np.void) -> Finding | None:
    unread = int(row["unread"])
    standing = unread >= STANDING_BYTES or (unread > 0 and row["last_received_ms"] >= STANDING_MS)
    if not standing:
        return None
    return Finding(
        "us",
        f"process is not reading: {fmt.size(unread)} stand in the receive queue",
        f"the last of it arrived {fmt.span(int(row['last_received_ms']))} ago",
    )


def _sndbuf(row: np.void) -> Finding | None:
    share = shares(row).sndbuf_limited or 0.0
    if share < LIMITED_SHARE:
        return None
    return Finding(
        "us",
        f"send buffer is too small: it held us up {share:.0%} of the time",
        f"send buffer limited {share:.0%} of the time with data to send",
    )


def _loss(row: np.void) -> Finding | None:
    retrans, mss = int(row["retrans"]), int(row["mss"])
    if retrans < LOSS_COUNT or not mss:
        return None
    # The kernel counts retransmitted segments, but acknowledged bytes: their quotient is an estimate.
    sent = int(row["bytes_acked"]) / mss + retrans
    share = retrans / sent
    if share < LOSS_SHARE:
        return None
    return Finding(
        "network",
        f"loses segments: about {share:.0%} were sent again",
        f"{retrans} retransmissions in about {sent:.0f} segments",
    )


def _known_min(row: np.void) -> int:
    lowest = int(row["min_rtt_us"])
    return 0 if lowest == UNKNOWN_U32 else lowest


def _delayed_ack(row: np.void) -> Finding | None:
    srtt, lowest = int(row["srtt_us"]), _known_min(row)
    if not lowest or srtt < QUEUE_FACTOR * lowest:
        return None
    held_us = int(row["rtt_hi_us" if row["rtt_samples"] else "last_rtt_us"]) - lowest
    if lowest > DELAYED_ACK_US[0] or not DELAYED_ACK_US[0] <= held_us <= DELAYED_ACK_US[1]:
        return None
    return Finding(
        "peer",
        f"delays its ACKs: some come {fmt.rtt(held_us)} late",
        "usual where it answers late or in halves; the path itself is as fast as the lowest RTT",
    )


def _has_risen(row: np.void) -> bool:
    srtt, lowest = int(row["srtt_us"]), _known_min(row)
    return bool(lowest) and srtt >= QUEUE_FACTOR * lowest and srtt - lowest >= QUEUE_US


def _late_answer(row: np.void) -> Finding | None:
    """A peer about to answer keeps its ACK for the answer (``inet_csk_enter_pingpong_mode``)."""
    srtt, lowest = int(row["srtt_us"]), _known_min(row)
    segs_in, ours = int(row["segs_in"]), int(row["data_segs_out"])
    bare = segs_in - int(row["data_segs_in"])
    with_data = ours >= BARE_COUNT and bare <= BARE_SHARE * min(ours, segs_in)
    if not with_data or srtt - lowest > DELAYED_ACK_US[1]:
        return None
    return Finding(
        "peer",
        f"takes {fmt.rtt(srtt)} to answer, and its ACKs wait for that",
        f"{bare} of {segs_in} segments came without data; the path itself is as fast as {fmt.rtt(lowest)}",
    )


def _is_local(row: np.void) -> bool:
    """Whether the peer is this machine, by the addresses."""
    laddr, raddr = row["laddr"].tobytes(), row["raddr"].tobytes()
    return laddr == raddr or ipaddress.ip_address(raddr[12:] if row["family"] == 4 else raddr).is_loopback


def _queue(row: np.void) -> Finding:
    srtt, lowest = int(row["srtt_us"]), _known_min(row)
    now, best, times = fmt.rtt(srtt), fmt.rtt(lowest), f"{srtt / lowest:.0f}"
    if _is_local(row):
        return Finding(
            "us",
            f"this machine lags: RTT is {times} times its minimum",
            f"{now} now, {best} at best, and no network between: busy processors, most likely",
        )
    return Finding(
        "network",
        f"queueing: RTT is {times} times its minimum",
        f"{now} now, {best} at best: a full buffer on the path, or a busy peer host",
    )


def _high_rtt(row: np.void) -> Finding | None:
    """One explanation, the most certain one."""
    delayed = _delayed_ack(row)
    if delayed or not _has_risen(row):
        return delayed
    return _late_answer(row) or _queue(row)


def _distance(row: np.void) -> Finding | None:
    lowest = _known_min(row)
    if fmt.level(lowest) != "bad":
        return None
    return Finding(
        "network",
        f"long path: even the lowest RTT is {fmt.rtt(lowest)}",
        "distance, or a queue that never empties",
    )


_CHECKS: tuple[tuple[Callable[[np.void], Finding | None], frozenset[str]], ...] = (
    # Most severe first: the first finding gives the summary.
    (_no_answer, frozenset()),
    (_peer_not_reading, frozenset({"snd_wnd", "unsent", "rwnd_limited_us"})),
    (_us_not_reading, frozenset({"unread", "last_received_ms"})),
    (_sndbuf, frozenset({"sndbuf_limited_us"})),
    (_loss, frozenset({"mss"})),
    (_high_rtt, frozenset({"min_rtt_us", "segs_in", "data_segs_in", "data_segs_out"})),
    (_distance, frozenset({"min_rtt_us"})),
)
"""Each with the fields that it reads of those that a kernel may not tell."""


def diagnose(row: np.void, unknown: frozenset[str] = frozenset()) -> Verdict:
    """The verdict on one element of a snapshot's rows.

    :param unknown: fields of the row that this kernel does not tell: nothing is concluded from them
    """
    possible = [check for check, reads in _CHECKS if not reads & unknown]
    findings = [finding for check in possible if (finding := check(row))]
    if findings:
        first, *others = findings
        return Verdict(
            first.who,
            first.summary,
            (first.reason, *(f"also {other.who}: {other.summary}" for other in others)),
        )
    srtt = int(row["srtt_us"])
    if not srtt:
        return Verdict("unknown", "no RTT measured yet", ("no segment of ours has been acknowledged",))
    if len(possible) < len(_CHECKS):
        missing = ", ".join(sorted(unknown & frozenset().union(*(reads for _, reads in _CHECKS))))
        return Verdict("unknown", "nothing found, as far as this kernel tells", (f"it lacks {missing}",))
    return _healthy(row, srtt)


def _healthy(row: np.void, srtt: int) -> Verdict:
    lowest = _known_min(row)
    reasons = [f"RTT {fmt.rtt(srtt)}, {fmt.rtt(lowest)} at best" if lowest else f"RTT {fmt.rtt(srtt)}"]
    reasons.append(f"{row['retrans']} retransmissions" if row["retrans"] else "nothing was retransmitted")
    busy = shares(row).busy
    if busy is not None and busy < IDLE_SHARE:
        share = fmt.percent(busy, 1.0)
        reasons.append(f"data to send only {share} of its life: the applications set the pace")
        return Verdict("nobody", "healthy; mostly idle, waiting for the applications", tuple(reasons))
    return Verdict("nobody", "healthy", tuple(reasons))
