"""Totals of metrics, made of snapshots by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.prefixes import USUAL_PREFIXES, Prefixes
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import CLOSED
from tcptop_rtt.model.snapshot import Health, Origin, Snapshot
from tcptop_rtt.outputs.metrics.aggregate import Aggregate, Aggregator
from tcptop_rtt.outputs.metrics.choice import Choice
from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US
from tcptop_rtt.outputs.otlp import exponential
from tcptop_rtt.view.filter import Filter
from tests.unit.rows import listeners_of, row, rows_of

ORIGIN = Origin("host", '6.1 "a\\\n"', "fentry", 0)
STARTED_NS = 5_000_000_000


class Counted:
    """An aggregator, fed with snapshots by hand; the first is 1 second after the start."""

    def __init__(
        self, chosen: Filter | None = None, prefixes: Prefixes = USUAL_PREFIXES, most: int = 100
    ) -> None:
        histograms = {"buckets": BOUNDS_US, exponential.COLUMN: exponential.BOUNDS_US}
        choice = Choice(chosen or Filter(), prefixes, most, STARTED_NS, histograms)
        self._aggregator = Aggregator(ORIGIN, choice)
        self._clock_ns = 0

    def take(
        self,
        *connections: dict[str, Any],
        listeners: NDArray[np.void] | None = None,
        after_ns: int = 1_000_000_000,
        set_back_ns: int = 0,
        **others: Any,
    ) -> Aggregate:
        """The totals after one more snapshot.

        :param set_back_ns: how far behind the clock of the day is
        """
        self._clock_ns += after_ns
        health = others.pop("health", Health("fentry"))
        found = listeners_of() if listeners is None else listeners
        time_ns = STARTED_NS + self._clock_ns - set_back_ns
        snapshot = Snapshot(
            time_ns, self._clock_ns, rows_of(*connections), (), health, None, listeners=found, **others
        )
        return self._aggregator.take(snapshot)


def out(id_: int, **fields: Any) -> dict[str, Any]:
    """A connection that was opened from here while we watch."""
    return row(id_, **{"direction": Direction.OUT, "open_seen": True, "comm": b"curl", **fields})


def at_end(connection: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """It has ended."""
    return {**connection, "closed": True, "state": CLOSED, **fields}
