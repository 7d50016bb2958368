"""Packed changes from one set of columns to the next, which can be applied, taken back and added up.

A change holds differences of words modulo the word size, even for texts and floats. So it works both ways,
and two successive changes add up to one. Counters have small differences, which pack well.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import distinct
from tcptop_rtt.model.rows import Indices, as_words, is_same, word_of

Columns = Mapping[str, NDArray[Any]]
"""Read-only arrays by name, all of one length: a row has the same index in each."""

Words = NDArray[Any]
"""A column as unsigned numbers, of shape (rows, words per value)."""

_FASTEST = 1


@dataclass(frozen=True, slots=True)
class Change:
    """The change from some columns to others of the same names."""

    before: int  # number of rows, as is ``after``
    after: int
    count: int  # number of rows with packed values of the columns in ``some``
    some: tuple[str, ...]
    all: tuple[str, ...]  # columns with a value for every row, as most rows differ
    packed: bytes

    @property
    def nbytes(self) -> int:
        """The approximate memory that the change takes."""
        return len(self.packed) + 400


def between(before: Columns, after: Columns) -> Change:
    """Returns the change from some columns to others."""
    rows_before, rows_after = len(before["id"]), len(after["id"])
    size = max(rows_before, rows_after)
    differ = np.zeros(size, bool)
    some, all_ = dict[str, Words](), dict[str, Words]()
    for name, column in after.items():
        if is_same(before[name], column):
            continue
        difference = _words(column, size) - _words(before[name], size)
        changed = difference.any(axis=1)
        count = np.count_nonzero(changed)
        if 2 * count > size:
            all_[name] = difference
        elif count:
            some[name] = difference
            differ |= changed
    rows = np.flatnonzero(differ)
    some = {name: difference[rows] for name, difference in some.items()}
    return _pack(rows_before, rows_after, rows, some, all_)


def added(first: Change, second: Change, columns: Columns) -> Change:
    """Returns two successive changes as one.

    :param columns: any columns with the same names and types
    """
    size = max(first.before, second.after)  # rows that have come and gone in between are dropped
    parts = [_unpack(change, columns) for change in (first, second)]
    rows = distinct(np.concatenate([parts[0].rows, parts[1].rows]))
    some, all_ = dict[str, Words](), dict[str, Words]()
    for part in parts:
        at = np.searchsorted(rows, part.rows)
        for name, difference in part.some.items():
            if name in first.all or name in second.all:
                _sum_in(all_, name, max(size, first.after), difference)[part.rows] += difference
            else:
                _sum_in(some, name, len(rows), difference)[at] += difference
        for name, difference in part.all.items():
            _sum_in(all_, name, max(size, first.after), difference)[: len(difference)] += difference
    kept = rows < size
    some = {name: difference[kept] for name, difference in some.items()}
    all_ = {name: difference[:size] for name, difference in all_.items()}
    return _pack(first.before, second.after, rows[kept], some, all_)


def applied(columns: Columns, changes: Iterable[Change]) -> dict[str, NDArray[Any]]:
    """Returns the columns after successive changes."""
    return _walk(columns, [(change, False) for change in changes])


def taken_back(columns: Columns, changes: Iterable[Change]) -> dict[str, NDArray[Any]]:
    """Returns the columns from before some changes, which are given latest first."""
    return _walk(columns, [(change, True) for change in changes])


def _walk(columns: Columns, steps: list[tuple[Change, bool]]) -> dict[str, NDArray[Any]]:
    length = len(columns["id"])
    size = max((max(change.before, change.after) for change, _ in steps), default=length)
    own = dict[str, Words]()
    for change, back in steps:
        length = change.before if back else change.after
        part = _unpack(change, columns)
        for name, difference in (*part.some.items(), *part.all.items()):
            if name not in own:
                own[name] = _words(columns[name], size, copied=True)
            rows = part.rows if name in part.some else slice(len(difference))
            if back:
                own[name][rows] -= difference
            else:
                own[name][rows] += difference
    return {
        name: _frozen(own[name] if name in own else _words(column, length), column.dtype, length)
        for name, column in columns.items()
    }


def _frozen(words: Words, dtype: np.dtype[Any], length: int) -> NDArray[Any]:
    column = np.ascontiguousarray(words[:length]).view(dtype).reshape(length)
    column.flags.writeable = False
    return column


def _words(column: NDArray[Any], size: int, copied: bool = False) -> Words:
    """Returns the first ``size`` rows of a column as words, with zeros for rows that it does not have."""
    length = min(len(column), size)
    words = as_words(column[:length])
    if length == size and not copied:
        return words
    longer = np.zeros((size, words.shape[1]), words.dtype)
    longer[:length] = words
    return longer


def _sum_in(sums: dict[str, Words], name: str, size: int, like: Words) -> Words:
    if name not in sums:
        sums[name] = np.zeros((size, like.shape[1]), like.dtype)
    return sums[name]


# --- packed: the first bytes of all values, then the second bytes, and so on: most of them are equal -------


@dataclass(frozen=True, slots=True)
class _Part:
    rows: Indices
    some: dict[str, Words]  # values for these rows
    all: dict[str, Words]  # values for the first rows


def _pack(before: int, after: int, rows: Indices, some: dict[str, Words], all_: dict[str, Words]) -> Change:
    steps = np.diff(rows, prepend=0).astype(np.uint32).reshape(-1, 1)
    planes = b"".join(_planes(words) for words in (steps, *some.values(), *all_.values()))
    return Change(before, after, len(rows), tuple(some), tuple(all_), zlib.compress(planes, _FASTEST))


def _planes(words: Words) -> bytes:
    count, per_value = words.shape
    single: NDArray[np.uint8] = np.ascontiguousarray(words).view(np.uint8)
    return single.reshape(count, per_value * words.itemsize).T.tobytes()


def _unpack(change: Change, columns: Columns) -> _Part:
    planes, at = np.frombuffer(zlib.decompress(change.packed), np.uint8), 0

    def take(count: int, dtype: np.dtype[Any]) -> Words:
        nonlocal at
        word, per_value = word_of(dtype)
        part = planes[at : at + count * dtype.itemsize].reshape(dtype.itemsize, count)
        at += part.size
        return np.ascontiguousarray(part.T).view(word).reshape(count, per_value)

    rows = np.cumsum(take(change.count, np.dtype(np.uint32))[:, 0], dtype=np.intp)
    some = {name: take(change.count, columns[name].dtype) for name in change.some}
    size = max(change.before, change.after)
    return _Part(rows, some, {name: take(size, columns[name].dtype) for name in change.all})
