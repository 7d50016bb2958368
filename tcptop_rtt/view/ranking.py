"""In which order to show connections, of which only those that are looked at are sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import UNKNOWN_U32, Indices, Rows
from tcptop_rtt.view import known
from tcptop_rtt.view.known import Source

Column = NDArray[Any]

Fields = Callable[[str], Column]
"""Gives a field's values, only of the rows to be sorted: gathering whole rows would cost more."""


class Keys(NamedTuple):
    """What to sort rows by. A column alone has 32 bits at most."""

    columns: list[Column]  # most important first
    unknown: Column  # which rows come last, both ways
    aside: Column | None = None  # which come after the others, both ways


def _big_endian_words(column: Column) -> list[Column]:
    # 16 bytes compare like two big-endian numbers, which sort far faster than bytes objects.
    words = np.ascontiguousarray(column).view(">u8").reshape(-1, 2)
    return [words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)]


def _process(get: Fields) -> Keys:
    comm = get("comm")
    raw = np.ascontiguousarray(comm).view(np.uint8).reshape(-1, 16)
    upper = (raw >= ord("A")) & (raw <= ord("Z"))
    return Keys(_big_endian_words(np.where(upper, raw | 32, raw)), comm == b"")


def _endpoint(side: str) -> Callable[[Fields], Keys]:
    def keys(get: Fields) -> Keys:
        family = get("family")
        return Keys([family, *_big_endian_words(get(side + "addr")), get(side + "port")], family == 0)

    return keys


def _state(get: Fields) -> Keys:
    state, closed = get("state"), get("closed")
    rank = np.where(closed, 7, np.where(get("stalled"), 255, state))
    return Keys([rank.astype(np.uint8)], (state == 0) & ~closed)


def _rtt(get: Fields) -> Keys:
    # A stalled connection's last RTT says nothing: for the wait of its user it is slower than any number.
    stalled = get("stalled")
    source, us = known.rtts(get)
    return Keys(
        [np.where(stalled, np.uint32(UNKNOWN_U32), us)],
        (source == Source.NONE) & ~stalled,
        # What is not measured now is neither slow nor fast now.
        (source != Source.FRESH) & ~stalled,
    )


def _min_rtt(get: Fields) -> Keys:
    value = get("min_rtt_us")
    return Keys([value], (value == 0) | (value == UNKNOWN_U32))


def _number(name: str, needs: str | None = None) -> Callable[[Fields], Keys]:
    """A plain field; unknown where the field ``needs`` is 0."""

    def keys(get: Fields) -> Keys:
        value = get(name)
        return Keys([value], np.zeros(len(value), bool) if needs is None else get(needs) == 0)

    return keys


def _rate(name: str) -> Callable[[Fields], Keys]:
    def keys(get: Fields) -> Keys:
        value = get(name)
        # The bits of numbers that are not negative compare like the numbers.
        bits = np.maximum(np.nan_to_num(value), 0).astype(np.float32).view(np.uint32)
        return Keys([bits], np.isnan(value))

    return keys


def _age(get: Fields) -> Keys:
    age_ns = get("age_ns")
    tenths = age_ns >> np.uint64(27)  # about; they fit for 9 years
    return Keys([tenths], np.zeros(len(age_ns), bool))


_KEYS: dict[str, Callable[[Fields], Keys]] = {
    "process": _process,
    "pid": _number("pid", needs="pid"),
    "local": _endpoint("l"),
    "remote": _endpoint("r"),
    "state": _state,
    "rtt": _rtt,
    "jitter": _number("rttvar_us", needs="srtt_us"),
    "min_rtt": _min_rtt,
    "retrans": _number("retrans"),
    "in": _rate("in_bps"),
    "out": _rate("out_bps"),
    "age": _age,
}

SORT_KEYS = tuple(_KEYS)
"""What a :class:`Ranking` can go by."""

_UNKNOWN, _ASIDE, _LAST = np.uint64(0xFFFFFFFF), np.uint64(0x80000000), np.uint64(0x7FFFFFFE)
_SMALL = 1024
"""So few are sorted at once."""


class Ranking:
    """Some rows in the order of a key. Ties go by id, ascending; what is unknown comes last both ways.

    :param indices: of the rows to rank, ascending
    :param key: one of :data:`SORT_KEYS`
    """

    def __init__(self, rows: Rows, indices: Indices, key: str, descending: bool) -> None:
        whole = len(indices) == len(rows)

        def get(name: str) -> Column:
            return rows[name] if whole else rows[name][indices]

        keys = _KEYS[key](get)
        values = np.minimum(_numbers(keys.columns), _LAST)
        if descending:
            values = _LAST - values
        if keys.aside is not None:
            values[keys.aside] |= _ASIDE
        values[keys.unknown] = _UNKNOWN
        # Of the id only half finds room: it is the half that counts up.
        self._keys = values << np.uint64(32) | get("id") & _UNKNOWN
        self._indices = indices
        self._start = 0
        self._window: Indices = np.zeros(0, np.intp)

    def __len__(self) -> int:
        return len(self._indices)

    def window(self, start: int, stop: int) -> Indices:
        """The rows of these ranks, in order; those beyond the last are left out."""
        stop = min(stop, len(self))
        if not self._start <= start <= stop <= self._start + len(self._window):
            self._sort(start, stop)
        return self._window[start - self._start : stop - self._start]

    def _sort(self, start: int, stop: int) -> None:
        if len(self) <= _SMALL or 4 * (stop - start) > len(self):
            self._start, self._window = 0, self._indices[np.argsort(self._keys)]
        elif start < stop:
            inside = np.argpartition(self._keys, (start, stop - 1))[start:stop]
            inside = inside[np.argsort(self._keys[inside])]
            self._start, self._window = start, self._indices[inside]

    def rank(self, index: int) -> int | None:
        """Where a row stands; None if it is not among these."""
        position = int(np.searchsorted(self._indices, index))
        if position == len(self) or self._indices[position] != index:
            return None
        return int(np.count_nonzero(self._keys < self._keys[position]))


def _numbers(columns: list[Column]) -> NDArray[np.uint64]:
    """One number per row that compares as the columns do."""
    if len(columns) == 1:
        return columns[0].astype(np.uint64)
    ranking = np.lexsort(columns[::-1])
    differs = np.zeros(len(ranking), np.uint64)
    for column in columns:
        in_order = column[ranking]
        differs[1:] |= in_order[1:] != in_order[:-1]
    numbers = np.empty_like(differs)
    numbers[ranking] = np.cumsum(differs, dtype=np.uint64)
    return numbers
