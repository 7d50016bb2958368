"""Makes rows and sparklines from the samples of an answer. Unexpected parts are left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.feeds.fleet.queries import MOST_ROWS
from tcptop_rtt.model.fleet import FLEET_ROW
from tcptop_rtt.model.question import LABELS, Question
from tcptop_rtt.model.snapshot import SPARK_CELLS
from tcptop_rtt.view import causes
from tcptop_rtt.view import format as fmt

Labels = tuple[str, ...]

_RANKS = {name: number for number, name in enumerate(causes.NAMES) if name}
_UNHEARD_OF = len(causes.NAMES)
"""The rank of an unknown cause, as of a newer exporter."""
_QUEUE_FULL = "queue-full"
_RANKS[_QUEUE_FULL] = _RANKS["backlog"]
_MOST = 2.0**53
"""Larger than any real value, in microseconds or bits; a float has all whole numbers up to here."""
_LAST_S = 2**63 / 10**9
"""The limit of times, as nanoseconds since the epoch have 63 bits."""
_NUMBERS = {
    name for name in FLEET_ROW.names or () if FLEET_ROW[name].kind == "f" and name != "why_count"
}  # fmt: skip


class Rows:
    """The rows of one answer."""

    def __init__(self, question: Question, samples: Iterable[Any]) -> None:
        self._by = LABELS[question.table]
        self._at: dict[Labels, int] = {}
        self._values: dict[str, dict[int, float]] = {name: {} for name in _NUMBERS}
        self._worst: dict[int, tuple[int, float, str, bool]] = {}
        self.hosts: int | None = None
        self.time_s = 0.0
        """The time of the answer, by the server's clock; 0 if it has no row."""
        counts: dict[str, int] = {}
        for metric, time_s, value in samples_of(samples):
            name = metric.get("field")
            self.time_s = max(self.time_s, time_s)
            counts[str(name)] = counts.get(str(name), 0) + 1
            self._take(str(name), metric, value)
        self.is_cut = max(counts.values(), default=0) >= MOST_ROWS
        self.labels = tuple(self._at)
        self.groups = self._rows()

    def _take(self, name: str, metric: dict[str, Any], value: float) -> None:
        if name == "hosts":
            self.hosts = int(value) if _is_number(value) else None
            return
        if name not in _NUMBERS and name != "held_up":
            return
        row = self._at.setdefault(tuple(str(metric.get(label, "")) for label in self._by), len(self._at))
        if not _is_number(value):
            return
        if name in _NUMBERS:
            values = self._values[name]
            # There is one value for each field, except failures, which have one for each reason.
            values[row] = min(values.get(row, 0.0) + value, _MOST)
        if name == "held_up":
            self._hold_up(row, str(metric.get("why", "")), value)
        elif name == "failed_per_s":
            self._hold_up(row, str(metric.get("reason", "")), value, is_rate=True)
        elif name == "full_queues" and value:
            self._hold_up(row, _QUEUE_FULL, value)

    def _hold_up(self, row: int, why: str, count: float, is_rate: bool = False) -> None:
        held = _RANKS.get(why, _UNHEARD_OF), -count, why, is_rate
        self._worst[row] = min(self._worst.get(row, held), held)

    def _rows(self) -> NDArray[np.void]:
        rows = np.zeros(len(self._at), FLEET_ROW)
        rows["why_count"] = np.nan
        for name, values in self._values.items():
            rows[name] = np.nan
            rows[name][list(values)] = list(values.values())
        # The server sends no value for 0: it is 0 where there is a count of connections.
        counted = ~np.isnan(rows["connections"])
        for name in ("stalled", "failed_per_s"):
            rows[name][counted & np.isnan(rows[name])] = 0
        for labels, at in self._at.items():
            row = rows[at]
            row["id"] = _id(labels)
            row["name"] = fmt.printable(_name(self._by, labels)[:128]).encode()[:128]
        if self._by == LABELS["networks"]:
            rows["family"] = [6 if ":" in labels[0] else 4 for labels in self._at]
        for at, (rank, count, why, is_rate) in self._worst.items():
            rows[at]["why"] = fmt.printable(why[:32]).encode()[:32]
            rows[at]["why_rank"], rows[at]["why_count"], rows[at]["why_is_rate"] = rank, -count, is_rate
        return rows


def _id(labels: Labels) -> int:
    """An id made of the labels. The hash is cryptographic, as an attacker may choose labels to collide."""
    text = "\0".join(labels).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _name(by: Labels, labels: Labels) -> str:
    """The name of a row."""
    if by != LABELS["services"]:
        return labels[0]
    process, service, direction = labels
    return f"{process} {'to ' if direction == 'out' else ''}:{service}"


def sparklines(
    question: Question, labels: Iterable[Labels], series: Iterable[Any], end_s: float, step_s: float
) -> NDArray[np.float32]:
    """The history of each row: shape (SPARK_CELLS, rows), oldest first; nan where unknown."""
    by = LABELS[question.table]
    rows = {each: at for at, each in enumerate(labels)}
    found = np.full((SPARK_CELLS, len(rows)), np.nan, np.float32)
    for one in series:
        metric, values = _of(one, "values")
        row = rows.get(tuple(str(metric.get(label, "")) for label in by))
        if row is None:
            continue
        for time_s, value in _points(values[: 2 * SPARK_CELLS]):
            cell = SPARK_CELLS - 1 - round((end_s - time_s) / step_s)
            if 0 <= cell < SPARK_CELLS and value and _is_number(value):
                found[cell, row] = value
    found.setflags(write=False)
    return found


def samples_of(samples: Iterable[Any]) -> Iterator[tuple[dict[str, Any], float, float]]:
    """Yield the labels, time and value of each sample."""
    for one in samples:
        metric, point = _of(one, "value")
        for time_s, value in _points([point]):
            yield metric, time_s, value


def _of(one: Any, name: str) -> tuple[dict[str, Any], list[Any]]:
    """The labels and the points of one series; empty if malformed."""
    metric, points = (one.get("metric"), one.get(name)) if isinstance(one, dict) else (None, None)
    if not isinstance(metric, dict) or not isinstance(points, list):
        return {}, []
    return metric, points


def _points(points: list[Any]) -> Iterator[tuple[float, float]]:
    for point in points:
        try:
            time_s, value = point
            pair = float(time_s), float(value)
        except (TypeError, ValueError, OverflowError):
            continue
        if 0 <= pair[0] < _LAST_S:
            yield pair


def _is_number(value: float) -> bool:
    return 0 <= value < _MOST  # False for nan
