"""What holds connections up: each cause as a rule over columns, and in words for one row.

Of counters the last minute counts: what was wrong an hour ago is not what holds a connection up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.rows import STATES, Get, Holder
from tcptop_rtt.view import cause_words as words
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cause_words import Words

Who = Literal["network", "peer", "us"]
Mask = NDArray[np.bool_]

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
WAITING_NS = 1_000_000_000
"""A process that accepts its connections does so at once."""

SYN_SENT = STATES.index("SYN-SENT")


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that can be wrong.

    :param name: what filters and the stream call it
    :param holds: of which rows it is true; what is not known counts as 0
    :param reads: the fields among these that a kernel may not tell, or only a scan brings: without them
        nothing is concluded
    :param words: of a row of which it is true
    :param stops: nothing goes on as long as it lasts
    """

    name: str
    who: Who
    holds: Callable[[Get], Mask]
    words: Callable[[Connection], Words]
    reads: frozenset[str] = frozenset()
    stops: bool = False


def _silent(get: Get) -> Mask:
    found: Mask = _flag(get, "stalled") | (get("retransmits") > 0)
    return found


def _no_syn_answer(get: Get) -> Mask:
    found: Mask = _silent(get) & (get("state") == SYN_SENT)
    return found


def _window_shut(get: Get) -> Mask:
    found: Mask = _silent(get) & (get("probes") > 0) & (get("retransmits") == 0)
    return found


def _window_closed(get: Get) -> Mask:
    found: Mask = (get("snd_wnd_bytes") == 0) & (get("notsent_bytes") > 0)
    return found


def _limited(get: Get, name: str) -> Mask:
    busy = get("busy_us_1m")
    return (get("window_ms") > 0) & (busy >= LIMITED_BUSY_US) & (get(name) >= LIMITED_SHARE * busy)


def _window_small(get: Get) -> Mask:
    return _limited(get, "rwnd_limited_us_1m")


def _not_accepted(get: Get) -> Mask:
    found: Mask = (get("holder") == Holder.LISTENER) & (get("age_ns") >= WAITING_NS)
    return found


def _not_read(get: Get) -> Mask:
    waiting = get("recv_q_bytes")
    last_ms = np.where(_unknown(get, "last_received_ms"), 0, get("last_received_ms"))
    return (waiting >= STANDING_BYTES) | ((waiting > 0) & (last_ms >= STANDING_MS))


def _buffer_small(get: Get) -> Mask:
    return _limited(get, "sndbuf_limited_us_1m")


def _loses(get: Get) -> Mask:
    count, sent = get("retrans_1m"), get("data_segs_out_1m")
    return (get("window_ms") > 0) & (count >= LOSS_COUNT) & (sent > 0) & (count >= LOSS_SHARE * sent)


def _is_fresh(get: Get) -> Mask:
    fresh: Mask = known.rtts(get)[0] == RttBasis.FRESH
    return fresh


def _held_us(get: Get) -> NDArray[np.int64]:
    highest = np.where(get("rtt_samples") > 0, get("rtt_hi_us"), get("last_rtt_us"))
    return highest.astype(np.int64) - _lowest(get)


def _lowest(get: Get) -> NDArray[np.int64]:
    return get("min_rtt_us").astype(np.int64)


def _delays_acks(get: Get) -> Mask:
    lowest, held_us = _lowest(get), _held_us(get)
    late = (held_us >= DELAYED_ACK_US[0]) & (held_us <= DELAYED_ACK_US[1])
    near = (lowest > 0) & (lowest <= DELAYED_ACK_US[0])
    return _is_fresh(get) & near & late & (get("srtt_us") >= QUEUE_FACTOR * lowest)


def _has_risen(get: Get) -> Mask:
    """There is one explanation for it, the most certain one."""
    srtt, lowest = get("srtt_us"), _lowest(get)
    risen = (lowest > 0) & (srtt >= QUEUE_FACTOR * lowest) & (srtt - lowest >= QUEUE_US)
    return risen & _is_fresh(get) & ~_delays_acks(get)


def _answers_late(get: Get) -> Mask:
    """A peer about to answer keeps its ACK for the answer (``inet_csk_enter_pingpong_mode``)."""
    segs_in, ours = get("segs_in_1m").astype(np.int64), get("data_segs_out_1m")
    bare = segs_in - get("data_segs_in_1m")
    with_data = (ours >= BARE_COUNT) & (segs_in > 0) & (bare <= BARE_SHARE * np.minimum(ours, segs_in))
    short = get("srtt_us") - _lowest(get) <= DELAYED_ACK_US[1]
    return _has_risen(get) & with_data & short & (get("window_ms") > 0)


def is_local(get: Get) -> Mask:
    """Whether the peer is this machine, by the addresses."""
    laddr, raddr = (
        np.ascontiguousarray(get(name)).view(np.uint8).reshape(-1, 16) for name in ("laddr", "raddr")
    )
    loopback4 = (get("family") == 4) & (raddr[:, 12] == 127)
    loopback6 = (get("family") == 6) & (raddr[:, :15] == 0).all(axis=1) & (raddr[:, 15] == 1)
    found: Mask = (laddr == raddr).all(axis=1) | loopback4 | loopback6
    return found


def _lags(get: Get) -> Mask:
    return _has_risen(get) & ~_answers_late(get) & is_local(get)


def _queues(get: Get) -> Mask:
    return _has_risen(get) & ~_answers_late(get) & ~is_local(get)


def _is_far(get: Get) -> Mask:
    return _is_fresh(get) & (_lowest(get) >= fmt.SLOW_US)


def _flag(get: Get, name: str) -> Mask:
    values: Mask = get(name)
    return values


def _unknown(get: Get, name: str) -> Mask:
    return known.is_unknown(get, name)


_RTT = frozenset({"min_rtt_us", "segs_in", "data_segs_in", "data_segs_out"})

CAUSES = (
    Cause("no-answer", "peer", _no_syn_answer, words.no_answer, stops=True),
    Cause("window-closed", "peer", _window_shut, words.window_closed, stops=True),
    Cause("silent", "peer", _silent, words.silent, stops=True),
    Cause(
        "peer-not-reading",
        "peer",
        _window_closed,
        words.peer_not_reading,
        frozenset({"snd_wnd_bytes", "notsent_bytes", "rwnd_limited_us"}),
        stops=True,
    ),
    Cause(
        "peer-slow",
        "peer",
        _window_small,
        words.peer_slow,
        frozenset({"snd_wnd_bytes", "notsent_bytes", "rwnd_limited_us"}),
    ),
    Cause("backlog", "us", _not_accepted, words.backlog, stops=True),
    Cause(
        "not-reading",
        "us",
        _not_read,
        words.not_reading,
        frozenset({"recv_q_bytes", "last_received_ms"}),
        stops=True,
    ),
    Cause("send-buffer", "us", _buffer_small, words.send_buffer, frozenset({"sndbuf_limited_us"})),
    Cause("loss", "network", _loses, words.losing, frozenset({"data_segs_out"})),
    Cause("late-acks", "peer", _delays_acks, words.late_acks, _RTT),
    Cause("answers", "peer", _answers_late, words.answers, _RTT),
    Cause("lag", "us", _lags, words.lag, _RTT),
    Cause("queue", "network", _queues, words.queue, _RTT),
    Cause("long-path", "network", _is_far, words.long_path, frozenset({"min_rtt_us"})),
)
"""Most severe first: the first that holds is the verdict."""

READ = frozenset[str]().union(*(cause.reads for cause in CAUSES))
"""The fields without which a cause cannot be told."""

NAMES = (None, *(cause.name for cause in CAUSES))
"""By the number of the verdict: 0 is none."""

_GROUPS = (("no-answer", "window-closed", "silent"), ("peer-not-reading", "peer-slow"))
"""Of these only the first is told."""


def holding(get: Get, lacking: frozenset[str] = frozenset()) -> list[Mask]:
    """For each cause, in their order, of which rows it is true.

    :param get: gives the values of a field
    :param lacking: the fields that this kernel does not have
    """
    scanned, found = get("scanned"), dict[str, Mask]()
    for cause in CAUSES:
        if cause.reads & lacking:
            found[cause.name] = np.zeros(len(scanned), bool)
            continue
        holds = cause.holds(get)
        found[cause.name] = holds & scanned if cause.reads & known.SCANNED else holds
    for first, *others in _GROUPS:
        told = found[first]
        for other in others:
            found[other], told = found[other] & ~told, found[other] | told
    return list(found.values())


def verdicts(get: Get, lacking: frozenset[str] = frozenset()) -> NDArray[np.uint8]:
    """The number of each row's verdict, as in :data:`NAMES`: the lower, the worse, but for 0."""
    numbers = np.zeros(len(get("id")), np.uint8)
    for number, holds in reversed(list(enumerate(holding(get, lacking), 1))):
        numbers[holds] = number
    numbers[get("closed")] = 0  # nothing holds it up any more
    return numbers


def one(row: Connection) -> list[Cause]:
    """The causes that are true of one row, the most severe first."""
    rows = np.array([row.row])

    def get(name: str) -> NDArray[Any]:
        return rows[name]

    return [cause for cause, holds in zip(CAUSES, holding(get, row.lacking), strict=True) if holds[0]]
