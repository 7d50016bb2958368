"""What an entry of the table of metrics is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sample:
    """One line for each set of labels.

    :param column: where its numbers are
    :param suffix: of the metric's name
    :param divisor: leads from these numbers to the metric's unit
    """

    column: str
    suffix: str = ""
    divisor: int = 1


@dataclass(frozen=True, slots=True)
class Kinds:
    """Lines for each set of labels, told apart by one label more.

    :param column: where its numbers are, by kind
    :param label: the name of that label
    :param values: its value by kind; None: there is no line for it
    :param suffix: of the metric's name
    :param cumulative: each kind contains those before it; else kinds of which there is none have no line
    :param ever: the column of how often there were some of each kind; empty: they never become fewer
    """

    column: str
    label: str
    values: tuple[str | None, ...]
    suffix: str = ""
    cumulative: bool = False
    ever: str = ""


@dataclass(frozen=True, slots=True)
class Otel:
    """A metric as OpenTelemetry has it.

    :param unit: by UCUM
    :param fixed: an attribute, and its value, by which it differs from another metric of the same name
    :param attribute: what the one label is called that it has beside those of its table
    :param values: its value by kind, where it is another than that of the label
    :param adds_up: a gauge, whose values of several sets may be added
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

    :param reads: fields that a kernel may not tell: without them there are no such series
    :param otel: None: OpenTelemetry has other means for it
    """

    name: str
    kind: Literal["counter", "gauge", "histogram", "summary"]
    meaning: str
    samples: tuple[Sample | Kinds, ...]
    otel: Otel | None
    reads: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The one label that it has beside those of its table; empty: none."""
        return next((part.label for part in self.samples if isinstance(part, Kinds)), "")
