"""The order in which a table shows its rows. Only the rows in view are sorted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Indices, Rows, fields_of
from tcptop_rtt.view.sort_keys import Column, SortKeys

_UNKNOWN, _ASIDE, _LAST = np.uint64(0xFFFFFFFF), np.uint64(0x80000000), np.uint64(0x7FFFFFFE)
_SMALL = 1024
"""Up to so many rows are sorted as a whole."""


class Ranking:
    """Some rows in the order of a key. Ties go by id, ascending; unknown values are last in both directions.

    :param indices: the rows to rank, ascending
    :param sort: makes the sort keys, as a column of :mod:`tcptop_rtt.view.fields` has it
    :param lacking: the fields that this kernel does not have
    """

    def __init__(
        self,
        rows: Rows | NDArray[np.void],
        indices: Indices,
        sort: SortKeys,
        descending: bool,
        lacking: frozenset[str] = frozenset(),
    ) -> None:
        get = fields_of(rows, indices)
        keys = sort(get, lacking)
        values = np.minimum(_numbers(keys.columns), _LAST)
        if descending:
            values = _LAST - values
        if keys.aside is not None:
            values[keys.aside] |= _ASIDE
        values[keys.unknown] = _UNKNOWN
        # Only the lower half of the id fits: that is the half that counts up.
        self._keys = values << np.uint64(32) | get("id") & _UNKNOWN
        self._indices = indices
        self._start = 0
        self._window: Indices = np.zeros(0, np.intp)

    def __len__(self) -> int:
        return len(self._indices)

    def window(self, start: int, stop: int) -> Indices:
        """The rows from rank ``start`` up to ``stop``, in order, or up to the last rank."""
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
        """The rank of a row; None if the row is not ranked."""
        position = int(np.searchsorted(self._indices, index))
        if position == len(self) or self._indices[position] != index:
            return None
        return int(np.count_nonzero(self._keys < self._keys[position]))


def _numbers(columns: list[Column]) -> NDArray[np.uint64]:
    """One number per row; the numbers compare as the rows do by all columns."""
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
