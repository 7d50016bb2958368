"""Describes what holds a connection up: briefly for a column, as a sentence, and with the evidence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import CONNECT_ERRORS
from tcptop_rtt.model.waited import SLOW_WAIT_US
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.shares import are_often_slow, loss, needed_1m, shares


class Words(NamedTuple):
    """A cause in words."""

    brief: str  # for a column
    summary: str
    reason: str


REST_MS = 10_000
"""After a rest of this length, firewalls and the like may have forgotten a connection."""

RTO_LEAST_US, RTO_MOST_US = 200_000, 120_000_000
"""Limits of the kernel's retransmission timeout: TCP_RTO_MIN, which is added to the RTT, and TCP_RTO_MAX."""

NOT_CONNECTED = (
    "nothing listens there, or a firewall rejects it",
    "no answer",
    "no route to it",
    "the process gave up before an answer came",
    "no local port was free: too many connections to there, or in TIME-WAIT",
    "another error",
)
"""The likely reason of each connect error, in the order of CONNECT_ERRORS."""


def way_to_fail(number: int) -> str:
    """Returns the text of a connect error, by its number in CONNECT_ERRORS."""
    return str(CONNECT_ERRORS[number]).replace("-", " ")


def not_connected(row: Connection) -> Words:
    """Describes a failed connect."""
    number = row.connect_error or 0
    kind = way_to_fail(number)
    return Words(kind, f"connecting has failed: {kind}", NOT_CONNECTED[number - 1])


def _waited(row: Connection) -> str:
    """Returns the connection's age; ``>`` marks a least age, where the opening was not seen."""
    return ("" if row.open_seen else ">") + fmt.age(row.age_ns)


def no_answer(row: Connection) -> Words:
    """Describes a SYN of ours without an answer."""
    age = _waited(row)
    return Words(
        f"no answer {age}", "no answer to our SYN", "nothing listens there, or the path drops everything"
    )


def _quiet(row: Connection) -> str:
    return "no ACK" if row.last_ack_ms is None else f"no ACK for {fmt.span(row.last_ack_ms)}"


def _unanswered(row: Connection, probe: str) -> str:
    return f"{row.probes} {fmt.noun(row.probes, probe)} unanswered"


def window_closed(row: Connection) -> Words:
    """Describes unanswered probes of a closed window."""
    return Words(
        "window closed",
        f"its window is closed, {_unanswered(row, 'probe')}",
        f"it takes no more data: {_quiet(row)}",
    )


def silent(row: Connection) -> Words:
    """Describes a peer that acknowledges nothing any more."""
    timeouts = row.retransmits
    if not timeouts and row.probes:
        heard = fmt.ago(row.last_ack_ms)
        reason = f"it was last heard {heard}: gone, or a firewall or NAT has forgotten the connection"
        kind = "probe" if row.notsent_bytes else "keepalive probe"
        return Words("silent", f"silent: {_unanswered(row, kind)}", reason)
    what = f"{timeouts} timeouts in a row" if timeouts > 1 else "retransmission timeout"
    waits_ms = _unanswered_ms(row)
    since = "" if waits_ms is None else f" {fmt.span(waits_ms)}"
    reason = "gone, or the path drops everything; from here the two look alike"
    if waits_ms is not None and row.last_ack_ms is not None and row.last_ack_ms - waits_ms >= REST_MS:
        rest = fmt.span(row.last_ack_ms - waits_ms)
        reason = f"it had rested for {rest}: a firewall or NAT may have forgotten it, or the peer is gone"
    return Words(f"silent{since}", f"silent: {what}, no ACK{since and ' for'}{since}", reason)


def _unanswered_ms(row: Connection) -> int | None:
    """Returns for how long sent data has been unanswered, without the rest before it; None if unknown.

    Each timeout is twice as long as the one before (tcp_retransmit_timer()).
    """
    if row.last_ack_ms is None or row.last_sent_ms is None or row.rto_us is None:
        return row.last_ack_ms
    first_us = row.rto_us / 2**row.retransmits
    if row.rto_us >= RTO_MOST_US:
        first_us = (row.srtt_us or 0) + max(RTO_LEAST_US, 4 * (row.rttvar_us or 0))
    timeouts_us = sum(min(first_us * 2**number, RTO_MOST_US) for number in range(row.retransmits))
    return min(row.last_ack_ms, row.last_sent_ms + int(timeouts_us / 1000))


def peer_not_reading(row: Connection) -> Words:
    """Describes a peer whose receive window is closed while data waits here."""
    return Words(
        "peer not reading",
        "not reading: its receive window is closed",
        f"{fmt.size(row.notsent_bytes or 0)} wait here for room over there",
    )


def peer_slow(row: Connection) -> Words:
    """Describes a peer whose receive window often has no room."""
    share = fmt.percent(shares(row).rwnd_limited or 0.0, 1.0)
    return Words(
        f"peer slow {share}",
        f"reads too slowly: its window held us up {share} of the time",
        f"receive window limited {share} of the time with data to send in {fmt.window(row)}",
    )


def backlog(row: Connection) -> Words:
    """Describes a connection that its process has not accepted."""
    where = "it waits in the listener's accept queue"
    return Words(
        f"{'queue full' if row.queue_full else 'backlog'} {_waited(row)}",
        f"process has not accepted it for {_waited(row)}",
        f"{where}, which is full: who connects now is dropped" if row.queue_full else where,
    )


def not_reading(row: Connection) -> Words:
    """Describes data that our process does not read."""
    size = fmt.size(row.recv_q_bytes or 0)
    return Words(
        f"not read {size}",
        f"process is not reading: {size} wait in the receive queue",
        f"the last of it arrived {fmt.span(row.last_received_ms or 0)} ago",
    )


def send_buffer(row: Connection) -> Words:
    """Describes a send buffer of ours that often has no room."""
    share = fmt.percent(shares(row).sndbuf_limited or 0.0, 1.0)
    return Words(
        f"send buffer {share}",
        f"send buffer is too small: it held us up {share} of the time",
        f"send buffer limited {share} of the time with data to send in {fmt.window(row)}",
    )


def losing(row: Connection) -> Words:
    """Describes retransmits."""
    share, sent, lost = fmt.percent1(loss(row) or 0.0), row.data_segs_out_1m or 0, needed_1m(row)
    needless = (row.retrans_1m or 0) - lost
    more = f", {needless:,} more needlessly" if needless else ""
    return Words(
        f"loss {share}",
        f"loses segments: {share} had to be sent again",
        f"{lost:,} of {sent:,} {fmt.noun(sent, 'data segment')} in {fmt.window(row)}{more}; "
        f"{row.retrans:,} of {row.data_segs_out or 0:,} in all",
    )


def late_acks(row: Connection) -> Words:
    """Describes delayed ACKs."""
    held_us = ((row.rtt_hi_us if row.rtt_samples else row.last_rtt_us) or 0) - (row.min_rtt_us or 0)
    held = fmt.rtt(held_us)
    return Words(
        f"ACKs late {held}",
        f"delays its ACKs: some come {held} late",
        "usual where it answers late or in parts; the path itself is as fast as the lowest RTT",
    )


MOST_ARE_SLOW = 0.5
"""If so many answers are slow, their mean says enough."""


def _partly_slow(
    row: Connection, slow: int, count: int, path_us: int, what: str, who: str, seen: str
) -> Words | None:
    """Describes that a part of the answers is slow, of which the mean says little; None: no or most are.

    :param path_us: the part of each that is the path's
    :param what: what they are, as the column has it
    :param who: begins the sentence
    :param seen: from when to when they were timed, and what the mean is
    """
    often = are_often_slow(np.array(slow), np.array(count), np.array(path_us))
    if not often or slow >= MOST_ARE_SLOW * count:
        return None
    share = fmt.percent(slow, count)
    return Words(
        f"slow {what} {share}",
        f"{who}takes {fmt.rtt(SLOW_WAIT_US)} or longer for {share} of its answers",
        f"{slow:,} of {count:,} in {fmt.window(row)}, {seen}",
    )


def answers(row: Connection) -> Words:
    """Describes a peer whose process answers late, always or often."""
    took, count, path = fmt.rtt(row.answer_us), row.answers_1m or 0, fmt.rtt(row.min_rtt_us)
    seen = f"from our last data to its first; the mean is {took}, the path takes {path}"
    slow, path_us = row.slow_answers_1m or 0, row.min_rtt_us or 0
    if partly := _partly_slow(row, slow, count, path_us, "answers", "", seen):
        return partly
    return Words(
        f"answers {took}",
        f"takes {took} to answer",
        f"from our last data to its first, mean of {count:,} in {fmt.window(row)}; "
        f"the path takes {path} of it",
    )


def we_answer(row: Connection) -> Words:
    """Describes a process of ours that answers late, always or often."""
    took, count = fmt.rtt(row.reply_us), row.replies_1m or 0
    seen = f"from the peer's last data to our next; the mean is {took}"
    if partly := _partly_slow(row, row.slow_replies_1m or 0, count, 0, "replies", "process ", seen):
        return partly
    return Words(
        f"we take {took}",
        f"process takes {took} to answer",
        f"from the peer's last data to our next, mean of {count:,} in {fmt.window(row)}",
    )


def acks_wait(row: Connection) -> Words:
    """Describes ACKs that the peer sends only with its answers."""
    srtt, segs_in = fmt.rtt(row.srtt_us), row.segs_in_1m or 0
    bare = segs_in - (row.data_segs_in_1m or 0)
    return Words(
        f"ACKs wait {srtt}",
        f"takes {srtt} to answer, and its ACKs wait for that",
        f"{bare:,} of {segs_in:,} {fmt.noun(segs_in, 'segment')} in {fmt.window(row)} came without data; "
        f"the path itself is as fast as {fmt.rtt(row.min_rtt_us)}",
    )


def lag(row: Connection) -> Words:
    """Describes a risen RTT between two sockets of this machine."""
    now, best, times = _risen(row)
    return Words(
        f"lag x{times}",
        f"this machine lags: RTT is {times} times its minimum",
        f"{now} now, {best} at best, and no network between: busy processors, most likely",
    )


def queue(row: Connection) -> Words:
    """Describes a risen RTT on a network path."""
    now, best, times = _risen(row)
    return Words(
        f"queue x{times}",
        f"queueing: RTT is {times} times its minimum",
        f"{now} now, {best} at best: a full buffer on the path, or a busy peer host",
    )


def _risen(row: Connection) -> tuple[str, str, str]:
    srtt, lowest = row.srtt_us or 0, row.min_rtt_us or 1
    return fmt.rtt(srtt), fmt.rtt(lowest), f"{srtt / lowest:.0f}"


def long_path(row: Connection) -> Words:
    """Describes a path whose minimum RTT is high."""
    lowest = fmt.rtt(row.min_rtt_us)
    return Words(
        "long path",
        f"long path: even the lowest RTT is {lowest}",
        "distance, or a queue that never empties",
    )
