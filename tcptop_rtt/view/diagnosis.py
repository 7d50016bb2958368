"""Decides from the counters of one connection alone whether the network, the peer or our side holds it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.view import causes
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.shares import shares

Who = Literal["network", "peer", "us", "nobody", "unknown"]

IDLE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who holds the connection up, a summary in a few words, and the evidence."""

    who: Who
    summary: str
    reasons: tuple[str, ...]
    check: str = ""
    """A command that shows the problem; empty if there is none."""

    def __str__(self) -> str:
        """Returns one line, which begins with the culprit if there is one."""
        return self.summary if self.who in ("nobody", "unknown") else f"{self.who}: {self.summary}"


def diagnose(row: Connection) -> Verdict:
    """Returns the verdict on one connection. Nothing is concluded from fields that this kernel lacks."""
    found = [(cause, cause.words(row)) for cause in causes.one(row)]
    if found:
        (cause, first), *others = found
        also = (f"also {other.who}: {words.summary}" for other, words in others)
        return Verdict(cause.who, first.summary, (first.reason, *also), cause.check(row))
    srtt = row.srtt_us or 0
    if not srtt:
        return Verdict("unknown", "no RTT measured yet", ("no segment of ours has been acknowledged",))
    if not row.scanned:
        return Verdict("unknown", "not scanned yet", ("its queues and windows are known after a scan",))
    missing = row.lacking & causes.READ
    if missing and "rtt_samples" in row.lacking:
        why = "how long each end takes to answer, and what single segments meet, only BPF sees"
        return Verdict("unknown", "nothing found, as far as is seen without BPF", (why,))
    if missing:
        why = f"it lacks {', '.join(sorted(missing))}"
        return Verdict("unknown", "nothing found, as far as this kernel reports", (why,))
    return _without_sample(row) if row.rtt.basis != RttBasis.FRESH else _healthy(row, srtt)


def _resent(row: Connection) -> str:
    if not row.retrans:
        return "nothing was retransmitted"
    return f"{(row.retrans_1m or 0):,} retransmissions in {fmt.window(row)}, {row.retrans:,} in all"


def _without_sample(row: Connection) -> Verdict:
    """Returns the verdict on a connection without a fault that can be seen, and without a current RTT."""
    rtt = row.rtt
    reasons = ["only data of ours that the peer acknowledges brings a sample", _resent(row)]
    if rtt.basis == RttBasis.OLD:
        return Verdict("nobody", f"idle: the latest RTT is {fmt.span(rtt.age_ms or 0)} old", tuple(reasons))
    if rtt.basis == RttBasis.RECEIVER:
        reasons.append(f"the RTT is about {fmt.rtt(rtt.us)}, by the pace of what is received")
    what = "no RTT since the handshake" if not row.was_sampled else "it only receives now"
    return Verdict("nobody", f"nothing found; {what}", tuple(reasons))


def _healthy(row: Connection, srtt: int) -> Verdict:
    lowest = row.min_rtt_us or 0
    reasons = [f"RTT {fmt.rtt(srtt)}, {fmt.rtt(lowest)} at best" if lowest else f"RTT {fmt.rtt(srtt)}"]
    reasons.append(_resent(row))
    busy = shares(row).busy
    if busy is not None and busy < IDLE_SHARE:
        share = fmt.percent(busy, 1.0)
        reasons.append(f"data to send only {share} of {fmt.window(row)}: the applications set the pace")
        return Verdict("nobody", "healthy; mostly idle, waiting for the applications", tuple(reasons))
    return Verdict("nobody", "healthy", tuple(reasons))
