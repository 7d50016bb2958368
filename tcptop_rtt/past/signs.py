"""Finds what is of note about connections between two snapshots: pure functions over columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from tcptop_rtt.model import known
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.ids import gained
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.rows import Indices, Mask
from tcptop_rtt.model.snapshot import CELL_NS, SPARK_CELLS, Snapshot
from tcptop_rtt.view import causes
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cause_columns import Columns
from tcptop_rtt.view.causes import Cause
from tcptop_rtt.view.thresholds import thresholds

BURST_PER_S = 10
"""Retransmits per second: only an overflowing queue or a broken path causes so many at once."""

STOPS, SLOWS, LOSS, RTT = "stops", "slows", "loss", "rtt"
"""The kinds of trouble. A sign is not reported while its connection is already in trouble of that kind."""
KINDS = (STOPS, SLOWS, LOSS, RTT)

_KIND_OF_CAUSE = {
    **dict.fromkeys(("peer-slow", "send-buffer", "answers", "we-answer"), SLOWS),
    "loss": LOSS,
    "queue": RTT,
}
"""The kinds of causes that stop nothing. Others are not reported: a far peer, say, is always far."""


class Sign(NamedTuple):
    """Something of note, and the connections that it is true of.

    :param holds: which rows it is true of now
    :param words: describes it, for the index of a row and the row
    """

    name: str
    kind: str
    holds: Mask
    words: Callable[[int, Connection], str]


def signs(before: Snapshot, now: Snapshot, at: Indices) -> list[Sign]:
    """Returns all signs, the most severe of each kind first.

    :param at: the rows' indices in the previous snapshot, from :func:`~tcptop_rtt.model.ids.matched`
    """
    return [*_of_causes(now), _burst(before, now, at), _spike(before, now, at)]


def _of_causes(now: Snapshot) -> list[Sign]:
    is_open = ~now.rows["closed"]
    found = []
    for cause, holds in zip(
        causes.CAUSES, causes.holding(now.rows.__getitem__, now.health.lacking), strict=True
    ):
        kind = STOPS if cause.stops else _KIND_OF_CAUSE.get(cause.name)
        if kind:
            found.append(Sign(cause.name, kind, holds & is_open, partial(_brief, cause)))
    return found


def _brief(cause: Cause, _: int, row: Connection) -> str:
    return cause.words(row).brief


def _burst(before: Snapshot, now: Snapshot, at: Indices) -> Sign:
    seconds = max(1.0, (now.clock_ns - before.clock_ns) / 1e9)
    count = gained(before.rows, now.rows, "retrans", at)

    def words(row: int, _: Connection) -> str:
        return f"{count[row]:,} segments sent again"

    return Sign("burst", LOSS, count >= BURST_PER_S * seconds, words)


def _spike(before: Snapshot, now: Snapshot, at: Indices) -> Sign:
    """Finds samples far above the previous RTT, unless the peer delays its ACKs or is this machine."""
    seconds = min(SPARK_CELLS, now.clock_ns // CELL_NS - before.clock_ns // CELL_NS + 1)
    highest_us = np.fmax.reduce(now.cells_us[-seconds:])
    found = np.zeros(len(at), bool)
    # The rise must be at least the yellow threshold: a lower RTT is fast.
    least_us, factor = thresholds().yellow_us, thresholds().queue_factor
    rows = np.flatnonzero((at >= 0) & (highest_us >= least_us))
    basis, usual_us = known.rtts(lambda name: before.rows[name][at[rows]])
    risen = (highest_us[rows] >= factor * usual_us) & (highest_us[rows] - usual_us >= least_us)
    c = Columns(lambda name: now.rows[name][rows])
    found[rows] = risen & (basis == RttBasis.FRESH) & ~c.delays_acks & ~c.answers_late & ~c.local
    usual = dict(zip(rows.tolist(), usual_us.tolist(), strict=True))

    def words(row: int, _: Connection) -> str:
        return f"RTT {fmt.rtt(float(highest_us[row]))}, was {fmt.rtt(usual[row])}"

    return Sign("spike", RTT, found, words)
