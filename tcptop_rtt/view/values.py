"""Fields as the stream has them: for each kind of value, how columns of rows become JSON values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.hosts import name_of
from tcptop_rtt.model.ids import among
from tcptop_rtt.model.rows import NOT_HELD, Get, Holder, Mask
from tcptop_rtt.view import causes, numbers
from tcptop_rtt.view.addresses import address

Values = Callable[[Get, frozenset[str]], Sequence[Any]]
"""One value per row, None where unknown, from the rows' fields and the fields that this kernel lacks."""

_MOST_CHOICES = 256
"""The field of a choice is one byte."""
_MOST_WHOLE = 2.0**62
"""No rate is near it; more would not fit into a signed integer."""


def integers(name: str) -> Values:
    """A number."""

    def values(get: Get, lacking: frozenset[str]) -> list[Any]:
        numbers = get(name)
        unknown = known.is_unknown(get, name, lacking)
        if numbers.dtype.kind == "f":
            numbers = np.where(unknown, 0, numbers).clip(max=_MOST_WHOLE).astype(np.int64)
        return _with_nulls(numbers.tolist(), unknown)

    return values


def reals(name: str) -> Values:
    """A number with a fraction; None where it is nan."""

    def values(get: Get, lacking: frozenset[str]) -> list[Any]:
        numbers = get(name)
        return _with_nulls(numbers.tolist(), known.is_unknown(get, name, lacking))

    return values


def flags(name: str) -> Values:
    """Yes or no."""
    return lambda get, _: get(name).tolist()


def choices(name: str, texts: tuple[str | None, ...]) -> Values:
    """One of a few texts; the field holds the index of the text."""

    of_each = (*texts, *[None] * (_MOST_CHOICES - len(texts)))

    def values(get: Get, lacking: frozenset[str]) -> list[Any]:
        found = list(map(of_each.__getitem__, get(name).tolist()))
        return _with_nulls(found, known.is_unknown(get, name, lacking))

    return values


def texts(name: str) -> Values:
    """Bytes as text; None where there are no bytes."""

    def values(get: Get, lacking: frozenset[str]) -> list[Any]:
        return _with_nulls(_decoded(get(name)), known.is_unknown(get, name, lacking))

    return values


def hosts(name: str) -> Values:
    """The name of a host; None where there is only one."""

    def values(get: Get, _: frozenset[str]) -> list[Any]:
        numbers = get(name).tolist()
        of_each = {number: _text(name_of(number)) for number in set(numbers)}
        return list(map(of_each.__getitem__, numbers))

    return values


def addresses(name: str) -> Values:
    """An address as ``ss`` writes it."""
    return lambda get, _: list(map(address, get("family").tolist(), get(name).tolist()))


def of_left(inner: Values) -> Values:
    """The values of connections that no process is known to hold any more; None elsewhere."""

    def values(get: Get, lacking: frozenset[str]) -> list[Any]:
        return _with_nulls(list(inner(get, lacking)), ~among(get("holder"), NOT_HELD))

    return values


def is_waiting(get: Get) -> Mask:
    """Whether no process has accepted a connection yet."""
    found: Mask = get("holder") == Holder.LISTENER
    return found


def of_waiting(inner: Values) -> Values:
    """The values of connections that no process has accepted yet; None elsewhere."""

    def values(get: Get, lacking: frozenset[str]) -> list[Any]:
        return _with_nulls(list(inner(get, lacking)), ~is_waiting(get))

    return values


def interfaces(get: Get, _: frozenset[str]) -> list[Any]:
    """The name of the interface, or its number."""
    pairs = zip(_decoded(get("interface")), get("ifindex").tolist(), strict=True)
    return [name or (str(number) if number else None) for name, number in pairs]


def whys(get: Get, lacking: frozenset[str]) -> list[Any]:
    """The name of the cause that holds a connection up."""
    return [causes.NAMES[number] for number in causes.verdicts(get, lacking).tolist()]


def waits(get: Get, lacking: frozenset[str]) -> list[Any]:
    """The whole wait of a request."""
    total_us, unknown = numbers.waits(get, lacking)
    return _with_nulls(total_us.astype(np.int64).tolist(), unknown)


def _with_nulls(values: list[Any], unknown: NDArray[np.bool_]) -> list[Any]:
    if unknown.all():
        return [None] * len(values)
    for at in np.flatnonzero(unknown).tolist():
        values[at] = None
    return values


def _decoded(raw: NDArray[np.bytes_]) -> list[str | None]:
    """Bytes as text. Each distinct value is decoded once: there are usually few."""
    texts = raw.tolist()
    of_each = {text: _text(text) for text in set(texts)}
    return list(map(of_each.__getitem__, texts))


def _text(raw: bytes) -> str | None:
    return raw.decode("utf-8", "replace") or None
