"""The answer of a Prometheus server about many hosts, as a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.question import Question
from tcptop_rtt.model.rows import Indices, no_rows
from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, Snapshot

FLEET_ROW = np.dtype(
    [
        ("id", "u8"),  # made of the labels, so it is the same in each answer
        ("name", "S128"),  # the labels as one text, or the beginning of it
        ("family", "u1"),  # of a remote network; 0: the row is no network
        # nan: not known
        *(
            (name, "f8")
            for name in (
                "connections",
                "stalled",
                "p50_us",
                "p99_us",
                "mean_us",
                "answer_us",
                "opened_per_s",
                "failed_per_s",
                "retrans_per_s",
                "in_bps",
                "out_bps",
                "full_queues",
            )
        ),
        ("why", "S32"),  # the worst cause; empty: none is known
        ("why_rank", "u1"),  # the lower, the worse; 0: no cause
        ("why_count", "f8"),  # connections, listeners or connects per second
        ("why_is_rate", "?"),  # why_count is per second
    ]
)
"""A row of a fleet's table. Rates and RTTs are of the time range of the question."""


def no_groups() -> NDArray[np.void]:
    """Return an empty table."""
    return np.zeros(0, FLEET_ROW)


@dataclass(frozen=True, slots=True)
class FleetSnapshot(Snapshot):
    """One answer, without connections. ``time_ns`` is the server's time of it; 0: there is no answer yet.

    ``history_us`` is the mean RTT of each row over the range: shape (SPARK_CELLS, rows), oldest first.
    """

    question: Question = field(default_factory=Question)
    groups: NDArray[np.void] = field(default_factory=no_groups)  # of dtype FLEET_ROW
    labels: tuple[tuple[str, ...], ...] = ()  # of each row, not shortened
    history_us: NDArray[np.float32] = field(default_factory=lambda: np.zeros((SPARK_CELLS, 0), np.float32))
    history_ns: int = 0  # the server's time of the last cell; 0: there is none yet
    hosts: int | None = None  # the number of hosts in the answer; None if unknown
    is_cut: bool = False  # the server has more rows than were asked for
    took_s: float = 0.0  # from the question to the answer
    answered_ns: int = 0  # CLOCK_MONOTONIC of this machine, when it was answered

    def group_sparks_us(self, indices: Indices) -> NDArray[np.float32]:
        """Return the sparklines of some rows, of shape (SPARK_CELLS, rows)."""
        found: NDArray[np.float32] = self.history_us[:, indices]
        return found


def nothing_yet(question: Question) -> FleetSnapshot:
    """Return the snapshot before the first answer."""
    no_cells = (np.zeros(0, np.float32),) * SPARK_CELLS
    return FleetSnapshot(0, 0, no_rows(), no_cells, Health(), None, question=question)
