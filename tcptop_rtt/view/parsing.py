"""Fields as they stand in the stream, read again: for each kind of values in ``values.py`` what undoes it.

What is read may be made by anybody: whoever calls this catches its errors, and sees to it that numbers find
room in their columns.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Sequence
from typing import Any

from tcptop_rtt.model import known
from tcptop_rtt.model.rows import MAPPED

Parse = Callable[[Sequence[Any]], list[Any]]
"""Of one value per row, None where it is not known, what the column holds."""

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
    """One of a few texts. What a newer version calls by another name is not known here."""
    places = {text: place for place, text in enumerate(texts)}
    none = places.get(None, 0xFF)
    return lambda values: [places.get(value, none) for value in values]


def texts(values: Sequence[Any]) -> list[Any]:
    """Text as the bytes that it was made of, as far as it tells them; nothing is no bytes."""
    return [_bytes(value) if value else b"" for value in values]


def _bytes(text: str) -> bytes:
    # A byte that was no UTF-8 takes one byte again, and not three: so it finds room.
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
    """The name of an interface; a number says that there is none."""
    return [b"" if value is None or value.isdigit() else _bytes(value) for value in values]
