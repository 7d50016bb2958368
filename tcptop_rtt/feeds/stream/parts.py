"""Parses and checks the parts of lines other than rows: numbers, texts, origin and health."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.feeds.stream.tables import BadLineError, ids_of
from tcptop_rtt.model.listeners import LISTENER
from tcptop_rtt.model.outside import MOST_ID, MOST_NUMBER, is_natural, name_of
from tcptop_rtt.model.rows import ROW
from tcptop_rtt.model.snapshot import SPACED, Health, Origin, Waiting
from tcptop_rtt.model.targets import TARGET
from tcptop_rtt.view import format as fmt

_FIELD_NAMES = frozenset(name for rows in (ROW, LISTENER, TARGET) for name in rows.names or ())
_Facts = TypeVar("_Facts", Health, Origin)


def number(line: Mapping[str, Any], name: str) -> int:
    """A number in a line.

    :raises BadLineError: the field is no number
    """
    value = line.get(name)
    if not is_natural(value, MOST_ID):
        raise BadLineError(f"{name}: no number")
    return value


def time(line: Mapping[str, Any], name: str) -> int:
    """A time in a line, in nanoseconds; raises likewise."""
    value = number(line, name)
    if value > MOST_NUMBER:
        raise BadLineError(f"{name}: no such time")
    return value


def values(line: Mapping[str, Any]) -> list[Any]:
    """The list of values in a line.

    :raises BadLineError: they are no list
    """
    found = line.get("values", [])
    if not isinstance(found, list):
        raise BadLineError("not a list of values")
    return found


def by_ids(line: Mapping[str, Any]) -> tuple[NDArray[np.uint64], list[Any]]:
    """The ids in a line, and a value for each.

    :raises BadLineError: the lists are malformed, or not of the same length
    """
    ids, found = ids_of(line.get("ids", [])), values(line)
    if len(found) != len(ids):
        raise BadLineError("not as many values as ids")
    return ids, found


def text(value: object) -> str | None:
    """A text, cut if it is too long; None if the value is no text."""
    return name_of(value) if isinstance(value, str) else None


def origin(line: Mapping[str, Any]) -> Origin:
    """The origin in a header."""
    return _checked(_converted(line, Origin))


def waiting(line: Mapping[str, Any]) -> Waiting:
    """The numbers of waiting sockets in a line."""
    return Waiting(number(line, "netns"), number(line, "time_wait"), number(line, "syn_recv"))


def health(value: object) -> Health:
    """The health in a line."""
    if isinstance(value, dict) and "unknown" in value:  # the name in older recordings
        value = {"lacking": value["unknown"]} | value
    found = _checked(_converted(value, Health))
    return dataclasses.replace(found, lacking=found.lacking & _FIELD_NAMES, spaced=found.spaced & {*SPACED})


def _converted(line: object, type_: type[_Facts]) -> _Facts:
    try:
        return msgspec.convert(line, type_)
    except msgspec.ValidationError as error:
        raise BadLineError(str(error)) from None


def _checked(found: _Facts) -> _Facts:
    """Remove terminal control characters from all texts, and check all numbers; future fields, too.

    :raises BadLineError: a number is impossible
    """
    texts: dict[str, Any] = {}
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if isinstance(value, str):
            texts[field.name] = fmt.printable(name_of(value))
        elif isinstance(value, int | float) and not 0 <= value <= MOST_NUMBER:
            raise BadLineError(f"{field.name}: no such number")
    return dataclasses.replace(found, **texts)
