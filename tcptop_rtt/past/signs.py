"""What is of note about connections from one snapshot to the next: pure functions over columns."""

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
from tcptop_rtt.view.thresholds import limits

BURST_PER_S = 10
"""Segments sent again within a second: so many come at once only where a queue overflows or a path breaks."""

STOPS, SLOWS, LOSS, RTT = "stops", "slows", "loss", "rtt"
"""What can be wrong at a time. What comes while the same is wrong already is no news."""
KINDS = (STOPS, SLOWS, LOSS, RTT)

_KIND_OF_CAUSE = {
    **dict.fromkeys(("peer-slow", "send-buffer", "answers", "we-answer"), SLOWS),
    "loss": LOSS,
    "queue": RTT,
}
"""Of the causes that stop nothing. The others are no news: a far peer is always far."""


class Sign(NamedTuple):
    """One thing that has been looked for.

    :param holds: of which rows it is true now
    :param words: for a row's number, and the row
    """

    name: str
    kind: str
    holds: Mask
    words: Callable[[int, Connection], str]


def signs(before: Snapshot, now: Snapshot, at: Indices) -> list[Sign]:
    """All that is of note, the most severe of each kind first.

    :param at: where the connections have been before, as :func:`~tcptop_rtt.model.ids.matched` finds them
    """
    return [*_of_causes(now), _burst(before, now, at), _spike(before, now, at)]


def _of_causes(now: Snapshot) -> list[Sign]:
    is_open = ~now.rows["closed"]
    found = []
    for cause, holds in zip(
        causes.CAUSES, causes.holding(now.rows.__getitem__, now.health.unknown), strict=True
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
    """Samples far above what the RTT has been; a peer that holds its ACKs back explains its own."""
    seconds = min(SPARK_CELLS, now.clock_ns // CELL_NS - before.clock_ns // CELL_NS + 1)
    highest_us = np.fmax.reduce(now.cells_us[-seconds:])
    found = np.zeros(len(at), bool)
    # As much above the usual one as makes a fast connection none.
    least_us, factor = limits().yellow_us, limits().queue_factor
    rows = np.flatnonzero((at >= 0) & (highest_us >= least_us))
    basis, usual_us = known.rtts(lambda name: before.rows[name][at[rows]])
    risen = (highest_us[rows] >= factor * usual_us) & (highest_us[rows] - usual_us >= least_us)
    c = Columns(lambda name: now.rows[name][rows])
    found[rows] = risen & (basis == RttBasis.FRESH) & ~c.delays_acks & ~c.answers_late & ~c.local
    usual = dict(zip(rows.tolist(), usual_us.tolist(), strict=True))

    def words(row: int, _: Connection) -> str:
        return f"RTT {fmt.rtt(float(highest_us[row]))}, was {fmt.rtt(usual[row])}"

    return Sign("spike", RTT, found, words)
