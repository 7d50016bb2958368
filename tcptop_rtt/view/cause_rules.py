"""The rules by which causes are found: each returns which rows one cause is true of. Unknown values are 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import CONNECT_ERRORS, FIN_CAME, SYN_SENT, UNKNOWN_U32, Holder, Mask
from tcptop_rtt.view.cause_columns import Columns
from tcptop_rtt.view.shares import are_often_slow, needed
from tcptop_rtt.view.thresholds import thresholds

LIMITED_BUSY_US = 100_000
"""The kernel counts in jiffies: of less busy time, a few of them would be a large share."""
NO_ANSWER_US = 10_000_000
"""A later answer may be due to a long poll, a person at the other end, or the two ends' own pace."""


def not_connected(kind: str) -> Callable[[Columns], Mask]:
    """Returns the rule for one connect error."""
    number = CONNECT_ERRORS.index(kind)

    def holds(c: Columns) -> Mask:
        found: Mask = c["connect_error"] == number
        return found

    return holds


def silent(c: Columns) -> Mask:
    found: Mask = c["stalled"] | (c["retransmits"] > 0)
    return found


def no_syn_answer(c: Columns) -> Mask:
    found: Mask = silent(c) & (c["state"] == SYN_SENT)
    return found


def window_closed(c: Columns) -> Mask:
    # Probes are also sent where nothing waits (tcp_keepalive_timer()), and where data that found no route
    # waits with nothing in flight, however large the window is (tcp_check_probe_timer()).
    window, unsent, mss = c["snd_wnd_bytes"], c["notsent_bytes"], np.maximum(c["mss"], 1)
    too_small = (window < np.minimum(mss, unsent)) | ~c["scanned"]
    found: Mask = silent(c) & (c["probes"] > 0) & (c["retransmits"] == 0) & too_small
    return found


def peer_not_reading(c: Columns) -> Mask:
    found: Mask = (c["snd_wnd_bytes"] == 0) & (c["notsent_bytes"] > 0)
    return found


def limited(c: Columns, name: str) -> Mask:
    busy_us = c["busy_us_1m"]
    found: Mask = (
        (c["window_ms"] > 0)
        & (busy_us >= LIMITED_BUSY_US)
        & (c[name] >= thresholds().limited_share * busy_us)
    )
    return found


def not_accepted(c: Columns) -> Mask:
    found: Mask = (c["holder"] == Holder.LISTENER) & (c["age_ns"] >= thresholds().backlog_ns)
    return found


def not_read(c: Columns) -> Mask:
    waiting, last_ms = c["recv_q_bytes"], c["last_received_ms"]
    stands = (last_ms >= thresholds().unread_ms) & (last_ms != UNKNOWN_U32)
    has_data = waiting > among(c["state"], FIN_CAME)
    is_held = c["holder"] != Holder.NOBODY
    found: Mask = is_held & ((waiting >= thresholds().unread_bytes) | (has_data & stands))
    return found


def loses(c: Columns) -> Mask:
    count, sent = needed(c["retrans_1m"], c["dsack_dups_1m"]), c["data_segs_out_1m"]
    found: Mask = (
        (c["window_ms"] > 0)
        & (count >= thresholds().loss_segments)
        & (sent > 0)
        & (count >= thresholds().loss_share * sent)
    )
    return found


def _is_late(c: Columns, us: NDArray[np.float64], often: Mask) -> Mask:
    long = (us >= thresholds().slow_answer_us) & (us > c.waits.path_us + c.waits.queue_us)
    found: Mask = c.waits.known & (long | often) & (us < NO_ANSWER_US)
    return found


def peer_is_late(c: Columns) -> Mask:
    # The time of an answer has the path in it.
    path_us = c.waits.path_us + c.waits.queue_us
    often = are_often_slow(c["slow_answers_1m"], c["answers_1m"], path_us)
    return _is_late(c, c.waits.peer_us, often & (c["direction"] == Direction.OUT))


def we_are_late(c: Columns) -> Mask:
    often = are_often_slow(c["slow_replies_1m"], c["replies_1m"], np.zeros(1))
    return _is_late(c, c.waits.ours_us, often & (c["direction"] == Direction.IN))


def is_far(c: Columns) -> Mask:
    found: Mask = c.fresh & (c.lowest_us >= thresholds().red_us)
    return found
