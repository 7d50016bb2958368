"""Says of one connection who holds it up, by the worst of its causes; or that it is healthy, slow or idle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.view import causes, checks
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.shares import needed_1m, shares
from tcptop_rtt.view.thresholds import thresholds

Who = Literal["network", "peer", "us", "somebody", "nobody", "unknown"]
"""``somebody``: it is held up, by whom is not known; ``unknown``: too little is known, or it is over."""

CULPRITS = ("network", "peer", "us")

IDLE_SHARE = 0.1
"""With data to send for a smaller share of the time, the connection is mostly idle ..."""
RECEIVED_PER_S = 10
"""... unless the peer sends so many data segments a second, and more than this side."""


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
        return f"{self.who}: {self.summary}" if self.who in CULPRITS else self.summary


def diagnose(row: Connection, own_netns: int = 0) -> Verdict:
    """Returns the verdict on one connection. Nothing is concluded from fields that this kernel lacks.

    Of a closed connection it says what was true until its end.

    :param own_netns: the network namespace of the program; 0: unknown
    """
    verdict = _diagnose(row, own_netns)
    if not row.closed or row.connect_error:
        return verdict
    # Nothing holds it up any more, and no command shows it.
    return replace(verdict, who="unknown", summary=f"closed; until then {verdict}", check="")


def _diagnose(row: Connection, own_netns: int) -> Verdict:
    found = [(cause, cause.words(row)) for cause in causes.one(row)]
    if found:
        (cause, first), *others = found
        also = (f"also {other.who}: {words.summary}" for other, words in others)
        return Verdict(cause.who, first.summary, (first.reason, *also), cause.check(row, own_netns))
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
    if row.rtt.basis != RttBasis.FRESH:
        return _without_sample(row)
    return _slow(row, srtt, own_netns) if srtt >= thresholds().red_us else _healthy(row, srtt)


def _resent(row: Connection) -> str:
    if not row.retrans:
        return "nothing was retransmitted"
    recently = row.retrans_1m or 0
    what = fmt.noun(recently, "retransmission")
    needless = recently - needed_1m(row)
    of_these = f" ({needless:,} needless, says the peer)" if needless else ""
    return f"{recently:,} {what} in {fmt.window(row)}{of_these}, {row.retrans:,} in all"


def _without_sample(row: Connection) -> Verdict:
    """Returns the verdict on a connection without a fault that can be seen, and without a current RTT."""
    rtt = row.rtt
    reasons = ["only data of ours that the peer acknowledges brings a sample", _resent(row)]
    if rtt.basis == RttBasis.OLD:
        reasons += _who_sent_last(row)
        return Verdict("nobody", f"idle: the latest RTT is {fmt.span(rtt.age_ms or 0)} old", tuple(reasons))
    if rtt.basis == RttBasis.RECEIVER:
        reasons.append(f"the RTT is about {fmt.rtt(rtt.us)}, by the pace of what is received")
    what = "no RTT since the handshake" if not row.was_sampled else "it only receives now"
    return Verdict("nobody", f"nothing found; {what}", tuple(reasons))


def _who_sent_last(row: Connection) -> list[str]:
    """Returns a sentence on whose data was the last, and who may owe an answer; none if that is not known."""
    sent_ms, received_ms = row.last_sent_ms, row.last_received_ms
    if sent_ms is None or received_ms is None or sent_ms == received_ms:
        return []
    whose, who = ("ours", "the peer") if sent_ms < received_ms else ("the peer's", "our process")
    ago = fmt.span(min(sent_ms, received_ms))
    return [f"the last data was {whose}, {ago} ago: if an answer is due, {who} owes it"]


def _slow(row: Connection, srtt: int, own_netns: int) -> Verdict:
    """Returns the verdict on a connection with a high RTT that no cause explains."""
    path = f", of which {fmt.rtt(row.min_rtt_us)} is the path" if row.min_rtt_us else ""
    why = "the rest may be a queue on the path, or a peer that takes its time to acknowledge"
    check = checks.by_tcpdump(row, own_netns)
    return Verdict("somebody", f"slow: RTT {fmt.rtt(srtt)}{path}", (why, _resent(row)), check)


def _healthy(row: Connection, srtt: int) -> Verdict:
    """Returns the verdict on a connection whose RTT is current and not high, and of which no cause holds."""
    lowest = row.min_rtt_us or 0
    reasons = [f"RTT {fmt.rtt(srtt)}, {fmt.rtt(lowest)} at best" if lowest else f"RTT {fmt.rtt(srtt)}"]
    reasons.append(_resent(row))
    busy = shares(row).busy
    if busy is not None and busy < IDLE_SHARE:
        share = fmt.percent(busy, 1.0)
        received, sent = row.data_segs_in_1m or 0, row.data_segs_out_1m or 0
        if received > sent and 1000 * received >= RECEIVED_PER_S * (row.window_ms or 0):
            what = fmt.noun(received, "data segment")
            reasons.append(f"it received {received:,} {what} in {fmt.window(row)}, and sent {sent:,}")
            return Verdict("nobody", "healthy; it mostly receives", tuple(reasons))
        reasons.append(f"data to send only {share} of {fmt.window(row)}: the applications set the pace")
        return Verdict("nobody", "healthy; mostly idle, waiting for the applications", tuple(reasons))
    return Verdict("nobody", "healthy", tuple(reasons))
