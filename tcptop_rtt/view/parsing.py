"""Reads fields back from the stream: for each kind of values in ``values.py`` the inverse function.

Anybody may have made the stream: the caller catches errors and checks that numbers fit into their columns.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Sequence
from typing import Any

from tcptop_rtt.model import known
from tcptop_rtt.model.hosts import number_of
from tcptop_rtt.model.rows import MAPPED

Parse = Callable[[Sequence[Any]], list[Any]]
"""Turns one value per row, None where unknown, into the values of the column."""

_REPLACED, _NO_UTF8 = "\ufffd", b"\xff"


def integers(name: str) -> Parse:
    """A number."""
    nothing = known.nothing(name)
    return lambda values: [nothing if value is None else value for value in values]


def reals(values: Sequence[Any]) -> list[Any]:
    """A number with a fraction."""
    return [math.nan if value is None else float(value) for value in values]


def flags(values: Sequence[Any]) -> list[Any]:
    """Yes or no."""
    return [value is True for value in values]


def choices(texts: tuple[str | None, ...]) -> Parse:
    """One of a few texts. A text that only a newer version has counts as unknown."""
    places = {text: place for place, text in enumerate(texts)}
    none = places.get(None, 0xFF)
    return lambda values: [places.get(value, none) for value in values]


def texts(values: Sequence[Any]) -> list[Any]:
    """Text as the bytes that it was decoded from, as far as they can be recovered; None as no bytes."""
    return [_bytes(value) if value else b"" for value in values]


def hosts(values: Sequence[Any]) -> list[Any]:
    """The name of a host; None where there is only one."""
    return [number_of(_bytes(value)) if value else 0 for value in values]


def _bytes(text: str) -> bytes:
    # U+FFFD stands for a byte that is not UTF-8: encoded as one byte, not three, it fits into the column.
    return text.encode().replace(_REPLACED.encode(), _NO_UTF8)


def addresses(values: Sequence[Any]) -> list[Any]:
    """An address."""
    return list(map(_address, values))


def _address(text: str) -> bytes:
    try:
        if ":" in text:
            return socket.inet_pton(socket.AF_INET6, text)
        return MAPPED + socket.inet_pton(socket.AF_INET, text)
    except OSError:
        raise ValueError(f"{text[:64]!a} is no address") from None


def interfaces(values: Sequence[Any]) -> list[Any]:
    """The name of an interface; a number in its place means that the name is not known."""
    return [b"" if value is None or value.isdigit() else _bytes(value) for value in values]
