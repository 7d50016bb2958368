"""Questions to rows: how a filter asks for a field, and what it gets for an answer."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tcptop_rtt.model.rows import Get, Mask


class Answer(NamedTuple):
    """Rows for which a question is true, and rows for which it is false. Unknown rows are in neither."""

    yes: Mask
    no: Mask


Ask = Callable[[Get, frozenset[str]], Answer]
"""Answers a question from the rows' fields and the fields that this kernel lacks."""


class ValueNotTakenError(ValueError):
    """A value that the field cannot have; the text says what it can be."""


@dataclass(frozen=True, slots=True)
class Match:
    """How a filter asks for a field.

    :param ask: makes a question from an operator of :data:`OPERATORS` and a value
    :param example: a value that may follow the operator
    :param compares: whether ``<`` and ``>`` can be asked
    """

    ask: Callable[[str, str], Ask]
    example: str
    compares: bool = False


OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    ":": operator.eq,
}
"""Longer operators first, as they are tried in this order."""
