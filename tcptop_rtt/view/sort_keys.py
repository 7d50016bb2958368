"""What rows are sorted by: of each kind of field the numbers that compare as its values do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.rows import CLOSED, UNKNOWN_U32, Get
from tcptop_rtt.view import causes, numbers

Column = NDArray[Any]


class Keys(NamedTuple):
    """What to sort rows by. A column alone has 31 bits at most."""

    columns: list[Column]  # most important first
    unknown: Column  # which rows come last, both ways
    aside: Column | None = None  # which come after the others, both ways


SortKeys = Callable[[Get, frozenset[str]], Keys]
"""Of the fields of rows, and of those that this kernel lacks."""


def by_number(name: str) -> SortKeys:
    """Any number that is not negative."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:
        return Keys([bits(get(name))], known.is_unknown(get, name, lacking))

    return keys


def bits(numbers: Column) -> Column:
    """31 bits that compare as the numbers do; large ones that are close to each other may be equal."""
    if numbers.dtype.kind == "u" and numbers.dtype.itemsize <= 4:
        return numbers
    # The bits of a float that is not negative compare like the float.
    return numbers.astype(np.float32).view(np.uint32)


def by_quotient(total: str, count: str) -> SortKeys:
    """One number divided by another, which is known where the first one is."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:
        quotients, unknown = numbers.quotient(total, count)(get, lacking)
        return Keys([quotients.astype(np.uint32)], unknown)

    return keys


def by_wait(get: Get, lacking: frozenset[str]) -> Keys:
    """By all of a request's wait."""
    total_us, unknown = numbers.waits(get, lacking)
    return Keys([bits(total_us)], unknown)


def by_endpoint(side: str) -> SortKeys:
    """By address and port; ``l`` or ``r``."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        family = get("family")
        return Keys([family, *_big_endian_words(get(side + "addr")), get(side + "port")], family == 0)

    return keys


def by_name(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By the process's name, small and capital letters alike."""
    comm = get("comm")
    raw = np.ascontiguousarray(comm).view(np.uint8).reshape(-1, 16)
    upper = (raw >= ord("A")) & (raw <= ord("Z"))
    return Keys(_big_endian_words(np.where(upper, raw | 32, raw)), comm == b"")


def by_text(name: str) -> SortKeys:
    """By bytes, the beginning of which tells them apart."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        values = get(name)
        return Keys(_big_endian_words(values.astype("S16")), values == b"")

    return keys


def by_state(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By state; what is stalled is the highest one."""
    state, closed = get("state"), get("closed")
    rank = np.where(closed, CLOSED, np.where(get("stalled"), 255, state))
    return Keys([rank.astype(np.uint8)], (state == 0) & ~closed)


def by_rtt(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By the RTT of now; those that have none of now come after all that have."""
    # A stalled connection's last RTT says nothing: for the wait of its user it is slower than any number.
    stalled = get("stalled")
    basis, us = known.rtts(get)
    return Keys(
        [np.where(stalled, np.uint32(UNKNOWN_U32), us)],
        (basis == RttBasis.NONE) & ~stalled,
        # What is not measured now is neither slow nor fast now.
        (basis != RttBasis.FRESH) & ~stalled,
    )


def by_positive(name: str) -> SortKeys:
    """A number of which 0 is nothing."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        return Keys([bits(get(name))], get(name) == 0)

    return keys


def by_service(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By the server's port, and then by the process."""
    return Keys([get("rport"), *_big_endian_words(get("comm"))], get("rport") == 0)


def by_verdict(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By the number of a verdict, the most severe is the highest."""
    return _worst_highest(get("verdict"))


def by_why(get: Get, lacking: frozenset[str]) -> Keys:
    """By the verdict, the most severe is the highest; what nothing holds up comes last."""
    return _worst_highest(causes.verdicts(get, lacking))


def _worst_highest(verdicts: Column) -> Keys:
    return Keys([len(causes.NAMES) - verdicts], verdicts == 0)


def _big_endian_words(column: Column) -> list[Column]:
    # 16 bytes compare like two big-endian numbers, which sort far faster than bytes objects.
    words = np.ascontiguousarray(column).view(">u8").reshape(-1, 2)
    return [words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)]
