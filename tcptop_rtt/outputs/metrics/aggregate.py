"""Turns snapshots into the numbers of all metrics at one moment."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt import __version__
from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.metrics.choice import Choice
from tcptop_rtt.outputs.metrics.connection_totals import ConnectionTotals
from tcptop_rtt.outputs.metrics.labels import LabelSet
from tcptop_rtt.outputs.metrics.listener_totals import ListenerTotals
from tcptop_rtt.outputs.metrics.metric import Metric
from tcptop_rtt.outputs.metrics.table import (
    BUILD_INFO,
    CONNECTION_METRICS,
    LISTENER_METRICS,
    PROGRAM_METRICS,
)
from tcptop_rtt.outputs.metrics.totals import Table
from tcptop_rtt.view.filter import Filter


@dataclass(frozen=True, slots=True)
class Aggregate:
    """All numbers of one moment. It never changes, so any thread may read it."""

    connections: Table
    listeners: Table
    program: Table  # its one set of labels is empty; unknown numbers have no column
    build: Table
    time_ns: int  # Unix time
    origin: Origin
    lacking: frozenset[str]  # fields that this kernel does not provide

    def families(self) -> Iterator[tuple[Table, list[Metric]]]:
        """Yield each table with its metrics, except those whose fields this kernel does not provide."""
        for table, metrics in (
            (self.connections, CONNECTION_METRICS),
            (self.listeners, LISTENER_METRICS),
            (self.program, PROGRAM_METRICS),
            (self.build, (BUILD_INFO,)),
        ):
            yield table, [metric for metric in metrics if not metric.reads & self.lacking]


class Aggregator:
    """Adds snapshots up, and makes an aggregate after each. Only one thread may use it."""

    def __init__(self, origin: Origin, choice: Choice) -> None:
        self._connections = ConnectionTotals(choice)
        self._listeners = ListenerTotals(choice)
        self._choice = choice
        self._origin = origin
        self._of_program = (LabelSet({}, choice.started_ns),)
        build = {"version": __version__, "kernel": origin.kernel, "hook": origin.hook}
        self._build = Table((LabelSet(build, choice.started_ns),), _one_row({"one": 1}))

    def take(self, snapshot: Snapshot) -> Aggregate:
        """Count the next snapshot, and return all numbers so far."""
        return Aggregate(
            self._connections.take(snapshot),
            self._listeners.take(snapshot),
            Table(self._of_program, _one_row(self._program(snapshot))),
            self._build,
            snapshot.time_ns,
            self._origin,
            snapshot.health.lacking,
        )

    def _program(self, snapshot: Snapshot) -> dict[str, int]:
        health = snapshot.health
        found = {
            "dropped_records": health.dropped_records,
            "untracked": health.untracked,
            "problem": int(bool(health.problem)),
            "label_sets": self._connections.label_sets,
            "label_sets_limit": self._choice.most,
            "time_us": snapshot.time_ns // 1000,
            "cpu_us": time.process_time_ns() // 1000,
            "started_us": self._choice.started_ns // 1000,
        }
        if health.rss_bytes:
            found["rss_bytes"] = health.rss_bytes
        if self._choice.filter == Filter() and snapshot.waiting:
            found["time_wait"] = sum(waiting.time_wait for waiting in snapshot.waiting)
            found["syn_recv"] = sum(waiting.syn_recv for waiting in snapshot.waiting)
        return found


def _one_row(values: Mapping[str, int]) -> dict[str, NDArray[np.int64]]:
    return {name: np.array([value], np.int64) for name, value in values.items()}
