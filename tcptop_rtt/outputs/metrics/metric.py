"""The parts of an entry in the table of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tcptop_rtt.model.rows import Mask
from tcptop_rtt.outputs.metrics.labels import LabelSet


@dataclass(frozen=True, slots=True)
class Sample:
    """One line for each set of labels.

    :param column: the column of its numbers
    :param suffix: appended to the metric's name
    :param divisor: converts the numbers to the metric's unit
    """

    column: str
    suffix: str = ""
    divisor: int = 1


@dataclass(frozen=True, slots=True)
class Kinds:
    """Several lines for each set of labels, one per kind, which differ in one more label.

    :param column: the column of its numbers, by set and kind
    :param label: the name of the additional label
    :param values: the value of that label by kind; None: the kind has no line
    :param suffix: appended to the metric's name
    :param cumulative: each kind includes those before it; if not, kinds with the number 0 have no line
    :param ever: the column with the totals of each kind so far; empty if the numbers never decrease
    :param whole_for: directions of connections. Their sets have a line for each kind, also with the number 0:
        no rate has what a counter brings before its first scrape
    """

    column: str
    label: str
    values: tuple[str | None, ...]
    suffix: str = ""
    cumulative: bool = False
    ever: str = ""
    whole_for: tuple[str, ...] = ()

    def whole(self, labels: Sequence[LabelSet]) -> Mask:
        """Return whether each set of labels has a line for each kind."""
        return np.array([one.texts.get("direction") in self.whole_for for one in labels], bool)


@dataclass(frozen=True, slots=True)
class Otel:
    """The OpenTelemetry form of a metric.

    :param unit: a UCUM code
    :param fixed: the name and value of an attribute that distinguishes metrics of the same name
    :param attribute: the name of the attribute for the label of :class:`Kinds`
    :param values: the attribute's value by kind; empty if it is that of the label
    :param adds_up: for a gauge, whether the values of several sets may be added
    """

    name: str
    unit: str
    fixed: tuple[str, str] | None = None
    attribute: str = ""
    values: tuple[str | None, ...] = ()
    adds_up: bool = True


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series.

    :param reads: fields that a kernel may lack; the metric is then left out
    :param otel: None if the metric is not sent by OTLP, which has other means for it
    """

    name: str
    kind: Literal["counter", "gauge", "histogram", "summary"]
    meaning: str
    samples: tuple[Sample | Kinds, ...]
    otel: Otel | None
    reads: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The label that the metric has in addition to those of its table; empty if none."""
        return next((part.label for part in self.samples if isinstance(part, Kinds)), "")
