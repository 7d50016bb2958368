"""Conditions on connections taken together: ``p99(rport:5432)>20ms for 30s``, in the filter's language."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Get, Indices, Mask, Rows, fields_of
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import numbers
from tcptop_rtt.view.field_units import PER_SECOND, Unit, unit_of
from tcptop_rtt.view.filter import Filter, listed
from tcptop_rtt.view.filter import parse as parse_filter
from tcptop_rtt.view.percentiles import by_rank
from tcptop_rtt.view.query import QueryError
from tcptop_rtt.view.questions import OPERATORS, Ask, ValueNotTakenError
from tcptop_rtt.view.times import duration_ns

Values = NDArray[np.float64]


class Aggregate(NamedTuple):
    """A number computed from several connections."""

    of_each: Callable[[Get, frozenset[str]], tuple[NDArray[np.generic], Mask]]
    """Returns the value of each connection, and which values are unknown."""
    of_all: Callable[[Values], float]
    """Computes the number from the known values, of which there is at least one."""
    unit: Unit
    text: Callable[[float], str]
    of_none: float | None = None
    """The number where there is no connection at all; None if it is unknown then."""


def _ranked(share: float) -> Callable[[Values], float]:
    return lambda values: float(by_rank(values, np.zeros(len(values), np.intp), 1, (share,))[0][0])


def _rtt(of_all: Callable[[Values], float]) -> Aggregate:
    return Aggregate(numbers.rtts, of_all, unit_of("srtt_us"), fmt.rtt)


def _ones(get: Get, _: frozenset[str]) -> tuple[NDArray[np.generic], Mask]:
    return np.ones(len(get("id"))), np.zeros(len(get("id")), bool)


def _bits(get: Get, _: frozenset[str]) -> tuple[NDArray[np.generic], Mask]:
    return get("in_bps") + get("out_bps"), np.zeros(len(get("id")), bool)


def _total(values: Values) -> float:
    return float(values.sum())


AGGREGATES = {
    "p50": _rtt(_ranked(0.5)),
    "p95": _rtt(_ranked(0.95)),
    "p99": _rtt(_ranked(0.99)),
    "max": _rtt(lambda values: float(values.max())),
    "mean": _rtt(lambda values: float(values.mean())),
    "count": Aggregate(_ones, _total, unit_of("count"), lambda count: f"{count:.0f}", 0.0),
    "retr": Aggregate(
        numbers.retransmit_rates, _total, PER_SECOND, lambda rate: f"{fmt.per_second(rate)}/s", 0.0
    ),
    "rate": Aggregate(_bits, _total, unit_of("in_bps"), lambda bps: f"{fmt.bits(bps)}b/s", 0.0),
}
"""The RTT of each connection is the kernel's smoothed one, as in the table; only current RTTs count."""


class Measured(NamedTuple):
    """The result of a condition in one snapshot."""

    value: float | None
    """None if unknown."""
    holds: bool
    indices: Indices
    """The connections that the condition selects, those with the highest values first."""
    known: int
    """How many of them have a known value; they come first."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as it was written."""

    text: str
    name: str
    ask: Ask | None
    sign: str
    limit: float
    lasting_ns: int
    """How long the condition has to hold."""

    @property
    def aggregate(self) -> Aggregate:
        """The aggregate that the condition compares."""
        return AGGREGATES[self.name]

    def measure(self, rows: Rows, chosen: Filter, lacking: frozenset[str]) -> Measured:
        """Evaluates the condition on the rows of one snapshot.

        :param chosen: a filter that the rows must match, too
        :param lacking: the fields that this kernel does not have
        """
        indices = listed(rows, chosen, lacking)
        indices = indices[~rows["closed"][indices]]
        if self.ask is not None and len(indices):
            indices = indices[self.ask(fields_of(rows, indices), lacking).yes]
        of_each, unknown = self.aggregate.of_each(fields_of(rows, indices), lacking)
        order = np.lexsort((-of_each.astype(np.float64), unknown))
        known = int(np.count_nonzero(~unknown))
        values = of_each[order[:known]].astype(np.float64)
        value = self.aggregate.of_all(values) if known else None if len(indices) else self.aggregate.of_none
        holds = value is not None and bool(OPERATORS[self.sign](value, self.limit))
        return Measured(value, holds, indices[order], known)


_HEAD = re.compile(r"\s*([A-Za-z_0-9]+)\s*\(")
_COMPARISON = re.compile(rf"\s*({'|'.join(sign for sign in OPERATORS if sign != ':')})\s*(\S+)")
_LASTING = re.compile(r"\s+for\s+(\S+)")
_QUOTED = re.compile(r'"[^"]*"|[()]')


def parse(text: str) -> Condition:
    """Parses the text of a condition.

    :raises QueryError: the text is no condition; says what is wrong, and where
    """
    head = _HEAD.match(text)
    if not head:
        raise QueryError("this is no condition such as p99(rport:5432)>20ms", 0)
    name = head[1].lower()
    if name not in AGGREGATES:
        raise QueryError(f"there is no {head[1]}: {', '.join(AGGREGATES)}", head.start(1))
    end = _closing(text, head.end())
    try:
        ask = parse_filter(text[head.end() : end])
    except QueryError as error:
        raise QueryError(str(error), head.end() + error.at) from None
    comparison = _COMPARISON.match(text, end + 1)
    if not comparison:
        raise QueryError("a comparison is missing, such as >20ms or >20ms for 30s", end + 1)
    try:
        limit = AGGREGATES[name].unit.parse(comparison[2])
    except ValueNotTakenError as error:
        raise QueryError(str(error), comparison.start(2)) from None
    lasting_ns, at = 0, comparison.end()
    lasting = _LASTING.match(text, at)
    if lasting:
        lasts_ns = duration_ns(lasting[1], least_ns=0)
        if lasts_ns is None:
            raise QueryError(f"{lasting[1]!r} is not a time such as 30s or 5m", lasting.start(1))
        lasting_ns, at = lasts_ns, lasting.end()
    if text[at:].strip():
        raise QueryError(
            "only a duration may follow, such as for 30s", at + len(text[at:]) - len(text[at:].lstrip())
        )
    return Condition(text.strip(), name, ask, comparison[1], limit, lasting_ns)


def _closing(text: str, start: int) -> int:
    """The place of the parenthesis that ends the filter."""
    depth = 1
    for found in _QUOTED.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if not depth:
            return found.start()
    raise QueryError("there is no ) for this (", start - 1)
