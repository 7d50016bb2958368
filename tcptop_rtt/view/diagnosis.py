"""Is it the network, the peer or us? A verdict on one connection from its counters alone.

Of counters the last minute counts: what was wrong an hour ago is not what holds a connection up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.rows import STATES
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.shares import loss, shares

Who = Literal["network", "peer", "us", "nobody", "unknown"]

LIMITED_SHARE = 0.2
"""Of the time with data to send: from here on a limit is worth naming."""
LIMITED_BUSY_US = 100_000
"""The kernel counts in jiffies: in less time a few of them would be a share."""
LOSS_SHARE = 0.005
"""A path that loses one percent is reported, though by chance a little less was lost."""
LOSS_COUNT = 3
"""A single lost segment in a short connection is already a large share."""
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


def _limited(row: Connection, name: Literal["rwnd_limited", "sndbuf_limited"]) -> float:
    share: float | None = getattr(shares(row), name)
    return share or 0.0 if (row.busy_us_1m or 0) >= LIMITED_BUSY_US else 0.0


def _no_answer(row: Connection) -> Finding | None:
    timeouts, probes = row.retransmits, row.probes
    if not (row.stalled or timeouts):
        return None
    ack_ms = row.last_ack_ms
    quiet = "no ACK" if ack_ms is None else f"no ACK for {fmt.span(ack_ms)}"
    if STATES[min(row.state, len(STATES) - 1)] == "SYN-SENT":
        return Finding("peer", "no answer to our SYN", "nothing listens there, or the path drops everything")
    if probes and not timeouts:
        return Finding(
            "peer",
            f"its window is closed, {probes} probes unanswered",
            f"it takes no more data: {quiet}",
        )
    what = f"{timeouts} timeouts in a row" if timeouts > 1 else "retransmission timeout"
    return Finding(
        "peer",
        f"silent: {what}, {quiet}",
        "gone, or the path drops everything; from here the two look alike",
    )


def _peer_not_reading(row: Connection) -> Finding | None:
    closed_window = row.snd_wnd_bytes == 0 and (row.notsent_bytes or 0) > 0
    share = _limited(row, "rwnd_limited")
    if closed_window:
        return Finding(
            "peer",
            "not reading: its receive window is closed",
            f"{fmt.size(row.notsent_bytes or 0)} wait here for room over there",
        )
    if share >= LIMITED_SHARE:
        return Finding(
            "peer",
            f"reads too slowly: its window held us up {share:.0%} of the time",
            f"receive window limited {share:.0%} of the time with data to send in {fmt.window(row)}",
        )
    return None


def _us_not_reading(row: Connection) -> Finding | None:
    recv_q = row.recv_q_bytes or 0
    standing = recv_q >= STANDING_BYTES or (recv_q > 0 and (row.last_received_ms or 0) >= STANDING_MS)
    if not standing:
        return None
    return Finding(
        "us",
        f"process is not reading: {fmt.size(recv_q)} stand in the receive queue",
        f"the last of it arrived {fmt.span(row.last_received_ms or 0)} ago",
    )


def _sndbuf(row: Connection) -> Finding | None:
    share = _limited(row, "sndbuf_limited")
    if share < LIMITED_SHARE:
        return None
    return Finding(
        "us",
        f"send buffer is too small: it held us up {share:.0%} of the time",
        f"send buffer limited {share:.0%} of the time with data to send in {fmt.window(row)}",
    )


def _loss(row: Connection) -> Finding | None:
    count, share = (row.retrans_1m or 0), loss(row)
    if count < LOSS_COUNT or share is None or share < LOSS_SHARE:
        return None
    return Finding(
        "network",
        f"loses segments: {fmt.percent1(share)} were sent again",
        f"{count:,} of {(row.data_segs_out_1m or 0):,} data segments in {fmt.window(row)}; "
        f"{row.retrans:,} of {(row.data_segs_out or 0):,} in all",
    )


def _known_min(row: Connection) -> int:
    return row.min_rtt_us or 0


def _delayed_ack(row: Connection) -> Finding | None:
    srtt, lowest = (row.srtt_us or 0), _known_min(row)
    if not lowest or srtt < QUEUE_FACTOR * lowest:
        return None
    held_us = ((row.rtt_hi_us if row.rtt_samples else row.last_rtt_us) or 0) - lowest
    if lowest > DELAYED_ACK_US[0] or not DELAYED_ACK_US[0] <= held_us <= DELAYED_ACK_US[1]:
        return None
    return Finding(
        "peer",
        f"delays its ACKs: some come {fmt.rtt(held_us)} late",
        "usual where it answers late or in halves; the path itself is as fast as the lowest RTT",
    )


def _has_risen(row: Connection) -> bool:
    srtt, lowest = (row.srtt_us or 0), _known_min(row)
    return bool(lowest) and srtt >= QUEUE_FACTOR * lowest and srtt - lowest >= QUEUE_US


def _late_answer(row: Connection) -> Finding | None:
    """A peer about to answer keeps its ACK for the answer (``inet_csk_enter_pingpong_mode``)."""
    srtt, lowest = (row.srtt_us or 0), _known_min(row)
    segs_in, ours = (row.segs_in_1m or 0), (row.data_segs_out_1m or 0)
    bare = segs_in - (row.data_segs_in_1m or 0)
    with_data = ours >= BARE_COUNT and segs_in > 0 and bare <= BARE_SHARE * min(ours, segs_in)
    if not with_data or srtt - lowest > DELAYED_ACK_US[1]:
        return None
    return Finding(
        "peer",
        f"takes {fmt.rtt(srtt)} to answer, and its ACKs wait for that",
        f"{bare:,} of {segs_in:,} segments in {fmt.window(row)} came without data; "
        f"the path itself is as fast as {fmt.rtt(lowest)}",
    )


def _is_local(row: Connection) -> bool:
    """Whether the peer is this machine, by the addresses."""
    laddr, raddr = row.laddr, row.raddr
    return laddr == raddr or ipaddress.ip_address(raddr[12:] if row.family == 4 else raddr).is_loopback


def _queue(row: Connection) -> Finding:
    srtt, lowest = (row.srtt_us or 0), _known_min(row)
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


def _high_rtt(row: Connection) -> Finding | None:
    """One explanation, the most certain one."""
    if row.rtt.basis != RttBasis.FRESH:
        return None
    delayed = _delayed_ack(row)
    if delayed or not _has_risen(row):
        return delayed
    return _late_answer(row) or _queue(row)


def _distance(row: Connection) -> Finding | None:
    lowest = _known_min(row)
    if fmt.level(lowest) != "bad" or row.rtt.basis != RttBasis.FRESH:
        return None
    return Finding(
        "network",
        f"long path: even the lowest RTT is {fmt.rtt(lowest)}",
        "distance, or a queue that never empties",
    )


_CHECKS: tuple[tuple[Callable[[Connection], Finding | None], frozenset[str]], ...] = (
    # Most severe first: the first finding gives the summary.
    (_no_answer, frozenset()),
    (_peer_not_reading, frozenset({"snd_wnd_bytes", "notsent_bytes", "rwnd_limited_us"})),
    (_us_not_reading, frozenset({"recv_q_bytes", "last_received_ms"})),
    (_sndbuf, frozenset({"sndbuf_limited_us"})),
    (_loss, frozenset({"data_segs_out"})),
    (_high_rtt, frozenset({"min_rtt_us", "segs_in", "data_segs_in", "data_segs_out"})),
    (_distance, frozenset({"min_rtt_us"})),
)
"""Each with the fields that it reads of those that a kernel may not tell."""


def diagnose(row: Connection) -> Verdict:
    """The verdict on one connection. Nothing is concluded from what this kernel does not tell."""
    not_known = row.unknown
    possible = [check for check, reads in _CHECKS if not reads & not_known]
    findings = [finding for check in possible if (finding := check(row))]
    if findings:
        first, *others = findings
        return Verdict(
            first.who,
            first.summary,
            (first.reason, *(f"also {other.who}: {other.summary}" for other in others)),
        )
    srtt = row.srtt_us or 0
    if not srtt:
        return Verdict("unknown", "no RTT measured yet", ("no segment of ours has been acknowledged",))
    if not row.scanned:
        return Verdict("unknown", "not looked at yet", ("only a scan tells of its queues and windows",))
    if len(possible) < len(_CHECKS):
        missing = ", ".join(sorted(row.lacking & frozenset().union(*(reads for _, reads in _CHECKS))))
        return Verdict("unknown", "nothing found, as far as this kernel tells", (f"it lacks {missing}",))
    return _without_sample(row) if row.rtt.basis != RttBasis.FRESH else _healthy(row, srtt)


def _resent(row: Connection) -> str:
    if not row.retrans:
        return "nothing was retransmitted"
    return f"{(row.retrans_1m or 0):,} retransmissions in {fmt.window(row)}, {row.retrans:,} in all"


def _without_sample(row: Connection) -> Verdict:
    """Nothing is wrong as far as can be seen, but of the path nothing is known now."""
    rtt = row.rtt
    reasons = ["only data of ours that the peer acknowledges brings a sample", _resent(row)]
    if rtt.basis == RttBasis.OLD:
        return Verdict("nobody", f"idle: the latest RTT is {fmt.span(rtt.age_ms or 0)} old", tuple(reasons))
    if rtt.basis == RttBasis.RECEIVER:
        reasons.append(f"the RTT is about {fmt.rtt(rtt.us)}, by the pace of what is received")
    what = "no RTT since the handshake" if not row.was_sampled else "it only receives now"
    return Verdict("nobody", f"nothing found; {what}", tuple(reasons))


def _healthy(row: Connection, srtt: int) -> Verdict:
    lowest = _known_min(row)
    reasons = [f"RTT {fmt.rtt(srtt)}, {fmt.rtt(lowest)} at best" if lowest else f"RTT {fmt.rtt(srtt)}"]
    reasons.append(_resent(row))
    busy = shares(row).busy
    if busy is not None and busy < IDLE_SHARE:
        share = fmt.percent(busy, 1.0)
        reasons.append(f"data to send only {share} of {fmt.window(row)}: the applications set the pace")
        return Verdict("nobody", "healthy; mostly idle, waiting for the applications", tuple(reasons))
    return Verdict("nobody", "healthy", tuple(reasons))
