"""What lines of the stream hold besides rows, checked: numbers, texts, who has made it, how it was doing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from tcptop_rtt.feeds.stream.tables import BadLineError
from tcptop_rtt.model.listeners import LISTENER
from tcptop_rtt.model.outside import name_of
from tcptop_rtt.model.rows import ROW
from tcptop_rtt.model.snapshot import Health, Origin, Waiting
from tcptop_rtt.view import format as fmt

MOST_TIME_NS = 1 << 62
_FIELD_NAMES = frozenset((*(ROW.names or ()), *(LISTENER.names or ())))
_T = TypeVar("_T")


def number(line: Mapping[str, Any], name: str) -> int:
    """A number that a line has.

    :raises BadLineError: it has none
    """
    value = line.get(name)
    if not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise BadLineError(f"{name}: no number")
    return value


def time(line: Mapping[str, Any], name: str) -> int:
    """A time, likewise, in nanoseconds."""
    value = number(line, name)
    if value > MOST_TIME_NS:
        raise BadLineError(f"{name}: no such time")
    return value


def text(value: object) -> str | None:
    """Text of others, or None."""
    return name_of(value) if isinstance(value, str) else None


def origin(line: Mapping[str, Any]) -> Origin:
    """Who has made the stream."""
    found = _converted(line, Origin)
    return Origin(_clean(found.host), _clean(found.kernel), _clean(found.hook), found.boot_time_ns)


def waiting(line: Mapping[str, Any]) -> Waiting:
    """Sockets that wait."""
    return Waiting(number(line, "netns"), number(line, "time_wait"), number(line, "syn_recv"))


def health(value: object) -> Health:
    """How the program was doing."""
    found = _converted(value, Health)
    return dataclasses.replace(
        found,
        hook=_clean(found.hook),
        hook_note=_clean(found.hook_note),
        problem=_clean(found.problem),
        unknown=found.unknown & _FIELD_NAMES,
    )


def _converted(line: object, type_: type[_T]) -> _T:
    try:
        return msgspec.convert(line, type_)
    except msgspec.ValidationError as error:
        raise BadLineError(str(error)) from None


def _clean(words: str) -> str:
    return fmt.printable(name_of(words))
