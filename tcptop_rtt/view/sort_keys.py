"""Sort keys: for each kind of field, numbers that compare as the values of the field do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.hosts import name_of
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.rows import CLOSED, UNKNOWN_U32, Get
from tcptop_rtt.view import causes, numbers

Column = NDArray[Any]


class Keys(NamedTuple):
    """What to sort rows by. If there is only one column, its values beyond 31 bits count as equal."""

    columns: list[Column]  # most important first
    unknown: Column  # which rows come last, in both directions
    aside: Column | None = None  # which rows come just before the unknown ones, in both directions


SortKeys = Callable[[Get, frozenset[str]], Keys]
"""Makes keys from the rows' fields and the fields that this kernel lacks."""


def by_number(name: str) -> SortKeys:
    """By a number that is never negative."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:
        return Keys([bits(get(name))], known.is_unknown(get, name, lacking))

    return keys


def bits(numbers: Column) -> Column:
    """Unsigned numbers that compare as the given ones do; large ones close to each other may become equal."""
    if numbers.dtype.kind == "u" and numbers.dtype.itemsize <= 4:
        return numbers
    # The bits of a float that is not negative compare like the float.
    return numbers.astype(np.float32).view(np.uint32)


def by_quotient(total: str, count: str) -> SortKeys:
    """By one number divided by another; known where the first number is known."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:
        quotients, unknown = numbers.quotient(total, count)(get, lacking)
        return Keys([quotients.astype(np.uint32)], unknown)

    return keys


def by_wait(get: Get, lacking: frozenset[str]) -> Keys:
    """By the whole wait of a request."""
    total_us, unknown = numbers.waits(get, lacking)
    return Keys([bits(total_us)], unknown)


def by_endpoint(side: str) -> SortKeys:
    """By address and port; ``side`` is ``l`` or ``r``."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        family = get("family")
        return Keys([family, *_big_endian_words(get(side + "addr")), get(side + "port")], family == 0)

    return keys


def by_name(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By the process's name, whether in upper or lower case."""
    comm = get("comm")
    raw = np.ascontiguousarray(comm).view(np.uint8).reshape(-1, 16)
    upper = (raw >= ord("A")) & (raw <= ord("Z"))
    return Keys(_big_endian_words(np.where(upper, raw | 32, raw)), comm == b"")


def by_text(name: str) -> SortKeys:
    """By the first 16 bytes of a text."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        values = get(name)
        return Keys(_big_endian_words(values.astype("S16")), values == b"")

    return keys


def by_host(name: str) -> SortKeys:
    """By the name of a host."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        numbers = get(name)
        different, which = np.unique(numbers, return_inverse=True)
        names = list(map(name_of, different.tolist()))
        ranks = np.empty(len(names), np.uint32)
        ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        return Keys([ranks[which]], numbers == 0)

    return keys


def by_state(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By state; a stalled connection is the highest."""
    state, closed = get("state"), get("closed")
    rank = np.where(closed, CLOSED, np.where(get("stalled"), 255, state))
    return Keys([rank.astype(np.uint8)], (state == 0) & ~closed)


def by_rtt(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By the current RTT; rows without a current RTT come after all rows with one."""
    # A stalled connection counts as slower than any RTT: its last RTT says nothing about how long users wait.
    stalled = get("stalled")
    basis, us = known.rtts(get)
    return Keys(
        [np.where(stalled, np.uint32(UNKNOWN_U32), us)],
        (basis == RttBasis.NONE) & ~stalled,
        # An RTT that is not current does not say whether the connection is slow now.
        (basis != RttBasis.FRESH) & ~stalled,
    )


def by_positive(name: str) -> SortKeys:
    """By a number of which 0 counts as unknown."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        return Keys([bits(get(name))], get(name) == 0)

    return keys


def by_service(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By the server's port, and then by the process."""
    return Keys([get("rport"), *_big_endian_words(get("comm"))], get("rport") == 0)


def by_verdict(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """By the verdict on a group; the most severe is the highest. Of equal ones, and of groups without a
    verdict, the largest group is. Groups of closed connections only are last.
    """
    keys, count = _worst_highest(get("verdict")), get("count")
    return Keys([*keys.columns, count], keys.unknown & (count == 0), aside=keys.unknown)


def by_why(get: Get, lacking: frozenset[str]) -> Keys:
    """By the verdict on a connection; the most severe is the highest, and rows without a verdict are last."""
    return _worst_highest(causes.verdicts(get, lacking))


def _worst_highest(verdicts: Column) -> Keys:
    return Keys([len(causes.NAMES) - verdicts], verdicts == 0)


def _big_endian_words(column: Column) -> list[Column]:
    # 16 bytes compare like two big-endian numbers, which sort far faster than bytes objects.
    words = np.ascontiguousarray(column).view(">u8").reshape(-1, 2)
    return [words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)]
