"""Values that causes derive from rows: whether the RTT has risen, why, and what a request waits for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import Get, Mask
from tcptop_rtt.model.waited import WAITED
from tcptop_rtt.view.thresholds import thresholds
from tcptop_rtt.view.waits import Waits

DELAYED_ACK_US = (35_000, 50_000)
"""Linux holds an ACK back for 40 ms (TCP_DELACK_MIN, include/net/tcp.h), give or take a jiffy."""
BARE_SHARE = 0.2
"""Bare ACKs per data segment of ours, and per segment of the peer: up to this share, ACKs come with data."""
CROSSING_SHARE = 0.1
"""Crossings (see the field ``crossings``) per answer or crossing: above this share, several requests are on
their way at once."""
BARE_COUNT = 10
"""Least number of our data segments: Linux acknowledges the first ones at once (TCP_MAX_QUICKACKS)."""


class Columns:
    """The fields of some rows, and the values derived from them.

    :param lacking: the fields that this kernel does not have
    """

    def __init__(self, get: Get, lacking: frozenset[str] = frozenset()) -> None:
        self._get = get
        self._lacks_waits = bool(WAITED & lacking)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._get(name)

    @cached_property
    def fresh(self) -> Mask:
        """Which rows have a current RTT."""
        found: Mask = known.rtts(self._get)[0] == RttBasis.FRESH
        return found

    @cached_property
    def lowest_us(self) -> NDArray[np.int64]:
        """The minimum RTT; 0: not known."""
        return self["min_rtt_us"].astype(np.int64)

    @cached_property
    def _highest_us(self) -> NDArray[np.int64]:
        """The highest of the latest RTT samples; 0: there is none."""
        highest_us = np.where(self["rtt_samples"] > 0, self["rtt_hi_us"], self["last_rtt_us"])
        found: NDArray[np.int64] = highest_us.astype(np.int64)
        return found

    @cached_property
    def rtt_us(self) -> NDArray[np.int64]:
        """The smoothed RTT, but at most the highest of the latest samples.

        Where one ACK covers segments that were sent apart, the smoothed RTT is that of the first one, with
        the pause between them; a sample is that of the last one.
        """
        srtt_us = self["srtt_us"].astype(np.int64)
        found: NDArray[np.int64] = np.where(
            self._highest_us > 0, np.minimum(srtt_us, self._highest_us), srtt_us
        )
        return found

    @cached_property
    def delays_acks(self) -> Mask:
        """Which rows have a peer that delays ACKs in order to send them with an answer.

        It does not delay all of them: where the lowest sample has risen, too, there is a queue.
        """
        held_us = self._highest_us - self.lowest_us
        late = (held_us >= DELAYED_ACK_US[0]) & (held_us <= DELAYED_ACK_US[1])
        some = (self["rtt_samples"] <= 1) | (
            self["rtt_lo_us"].astype(np.int64) - self.lowest_us < DELAYED_ACK_US[0] / 2
        )
        near = (self.lowest_us > 0) & (self.lowest_us <= DELAYED_ACK_US[0])
        risen = self["srtt_us"] >= thresholds().queue_factor * self.lowest_us
        found: Mask = self.fresh & near & late & some & risen
        return found

    @cached_property
    def risen(self) -> Mask:
        """Which rows have a risen RTT that delayed ACKs do not explain: one explanation is enough."""
        risen = (self.rtt_us >= thresholds().queue_factor * self.lowest_us) & (
            self.rtt_us - self.lowest_us >= thresholds().queue_us
        )
        found: Mask = risen & (self.lowest_us > 0) & self.fresh & ~self.delays_acks
        return found

    @cached_property
    def acks_ride(self) -> Mask:
        """Which rows have a peer that sends its ACKs with its answers (``inet_csk_enter_pingpong_mode``).

        The RTT above its minimum is then the peer's time to answer, up to the time an ACK may be delayed.
        """
        segs_in, ours = self["segs_in_1m"].astype(np.int64), self["data_segs_out_1m"]
        bare = segs_in - self["data_segs_in_1m"]
        with_data = (ours >= BARE_COUNT) & (segs_in > 0) & (bare <= BARE_SHARE * np.minimum(ours, segs_in))
        short = self.rtt_us - self.lowest_us <= DELAYED_ACK_US[1]
        found: Mask = with_data & short & (self["window_ms"] > 0)
        return found

    @cached_property
    def answers_late(self) -> Mask:
        """Which rows have a risen RTT because the peer sends its ACKs with its answers."""
        found: Mask = self.risen & self.acks_ride
        return found

    @cached_property
    def waits(self) -> Waits:
        """What a request waits for, as means over the last minute."""
        path_us = self.lowest_us.astype(np.float64)
        # Where an ACK waits for the answer, the RTT includes the time to answer.
        honest = self.fresh & ~self.acks_ride & ~self.delays_acks
        queue_us = np.where(honest, np.maximum(self.rtt_us - path_us, 0), 0)
        asks, serves = self["direction"] == Direction.OUT, self["direction"] == Direction.IN
        answers, replies = self["answers_1m"].astype(np.int64), self["replies_1m"].astype(np.int64)
        answer_us = self["answer_sum_us_1m"] / np.maximum(answers, 1)
        reply_us = self["reply_sum_us_1m"] / np.maximum(replies, 1)
        requests = np.where(asks, answers, np.where(serves, replies, 0))
        to_send_us = self._held_up_us / np.maximum(np.where(requests > 0, requests, self._round_trips), 1)
        several = self["crossings_1m"] > CROSSING_SHARE * (answers + self["crossings_1m"])
        # The RTT is timed from the first of several segments, the answer from the last one.
        several |= asks & honest & (answers > 0) & (answer_us < self.rtt_us / 2)
        is_known = self["scanned"] & (self["window_ms"] > 0) & (path_us > 0) & (self.fresh | (requests > 0))
        if self._lacks_waits:
            is_known, several = (np.zeros(len(path_us), bool) for _ in range(2))
        return Waits(
            path_us,
            queue_us,
            np.where(asks & (answers > 0), np.maximum(answer_us - path_us - queue_us, 0), 0),
            np.where(serves & (replies > 0), reply_us, 0),
            to_send_us,
            is_known & ~several,
            several,
        )

    @property
    def _held_up_us(self) -> NDArray[np.float64]:
        """Microseconds in the last minute without room to send."""
        held_up: NDArray[np.float64] = self["rwnd_limited_us_1m"] + self["sndbuf_limited_us_1m"].astype(float)
        return held_up

    @property
    def _round_trips(self) -> NDArray[np.float64]:
        """How many round trips the last minute had time for."""
        number: NDArray[np.float64] = 1000.0 * self["window_ms"] / np.maximum(self["srtt_us"], 1)
        return number

    @cached_property
    def local(self) -> Mask:
        """Whether the peer is this machine."""
        return is_local(self._get)


def is_local(get: Get) -> Mask:
    """Whether the peer is this machine, by the addresses."""
    laddr, raddr = (np.ascontiguousarray(get(name)).view(">u8").reshape(-1, 2) for name in ("laddr", "raddr"))
    # IPv4 addresses are v4-mapped: the address is the lower half of the second word.
    loopback4 = (get("family") == 4) & (raddr[:, 1] >> np.uint64(24) & np.uint64(0xFF) == 127)
    loopback6 = (get("family") == 6) & (raddr[:, 0] == 0) & (raddr[:, 1] == 1)
    same = (laddr[:, 0] == raddr[:, 0]) & (laddr[:, 1] == raddr[:, 1])
    found: Mask = same | loopback4 | loopback6
    return found
