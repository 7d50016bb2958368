"""What rows are sorted by: of each kind of field the numbers that compare as its values do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.known import Source
from tcptop_rtt.model.rows import UNKNOWN_U32

Column = NDArray[Any]

Get = Callable[[str], Column]
"""Gives a field's values, only of the rows to be sorted: gathering whole rows would cost more."""


class Keys(NamedTuple):
    """What to sort rows by. A column alone has 32 bits at most."""

    columns: list[Column]  # most important first
    unknown: Column  # which rows come last, both ways
    aside: Column | None = None  # which come after the others, both ways


SortKeys = Callable[[Get], Keys]


def by_number(name: str) -> SortKeys:
    """A number of at most 32 bits."""
    return lambda get: Keys([get(name)], known.is_unknown(get, name))


def by_rate(name: str) -> SortKeys:
    """A number that is not whole, and may not be one."""

    def keys(get: Get) -> Keys:
        value = get(name)
        # The bits of numbers that are not negative compare like the numbers.
        bits = np.maximum(np.nan_to_num(value), 0).astype(np.float32).view(np.uint32)
        return Keys([bits], np.isnan(value))

    return keys


def by_quotient(total: str, count: str) -> SortKeys:
    """One number divided by another; unknown where there is nothing to divide by."""

    def keys(get: Get) -> Keys:
        of = get(count)
        return Keys([(get(total) // np.maximum(of, 1)).astype(np.uint32)], of == 0)

    return keys


def by_endpoint(side: str) -> SortKeys:
    """By address and port; ``l`` or ``r``."""

    def keys(get: Get) -> Keys:
        family = get("family")
        return Keys([family, *_big_endian_words(get(side + "addr")), get(side + "port")], family == 0)

    return keys


def by_name(get: Get) -> Keys:
    """By the process's name, small and capital letters alike."""
    comm = get("comm")
    raw = np.ascontiguousarray(comm).view(np.uint8).reshape(-1, 16)
    upper = (raw >= ord("A")) & (raw <= ord("Z"))
    return Keys(_big_endian_words(np.where(upper, raw | 32, raw)), comm == b"")


def by_state(get: Get) -> Keys:
    """By state; what is stalled is the highest one."""
    state, closed = get("state"), get("closed")
    rank = np.where(closed, 7, np.where(get("stalled"), 255, state))
    return Keys([rank.astype(np.uint8)], (state == 0) & ~closed)


def by_rtt(get: Get) -> Keys:
    """By the RTT of now; those that have none of now come after all that have."""
    # A stalled connection's last RTT says nothing: for the wait of its user it is slower than any number.
    stalled = get("stalled")
    source, us = known.rtts(get)
    return Keys(
        [np.where(stalled, np.uint32(UNKNOWN_U32), us)],
        (source == Source.NONE) & ~stalled,
        # What is not measured now is neither slow nor fast now.
        (source != Source.FRESH) & ~stalled,
    )


def by_age(get: Get) -> Keys:
    """By age, to about a tenth of a second; that fits for 9 years."""
    age_ns = get("age_ns")
    return Keys([age_ns >> np.uint64(27)], np.zeros(len(age_ns), bool))


def _big_endian_words(column: Column) -> list[Column]:
    # 16 bytes compare like two big-endian numbers, which sort far faster than bytes objects.
    words = np.ascontiguousarray(column).view(">u8").reshape(-1, 2)
    return [words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)]
