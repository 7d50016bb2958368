"""Numbers by set of labels: totals, current values, and frozen tables of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.rows import Indices
from tcptop_rtt.outputs.metrics.label_sets import OTHER_SLOT, LabelSets
from tcptop_rtt.outputs.metrics.labels import OTHER, LabelSet, Shared

Texts = Callable[[Shared, int], dict[str, str]]
"""Returns the labels of a row, by name."""


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers of all sets of labels at one moment. It never changes."""

    labels: tuple[LabelSet, ...]  # N sets
    columns: Mapping[str, NDArray[np.int64]]  # (N,), or (N, kinds)


class Totals:
    """Columns of whole numbers with a row per set of labels.

    :param most: limit for the sets, without the one for others
    :param names: the names of the labels
    :param columns: the number of kinds in each column, by name
    :param started_ns: when the counts begin, Unix time
    """

    def __init__(
        self, most: int, names: tuple[str, ...], columns: Mapping[str, int], started_ns: int
    ) -> None:
        self._sets = LabelSets(most)
        self._labels = [LabelSet(dict.fromkeys(names, OTHER), started_ns, is_other=True)] * (most + 1)
        self._last_ns = started_ns
        self._columns = {
            name: np.zeros((most + 1, kinds) if kinds > 1 else most + 1, np.int64)
            for name, kinds in columns.items()
        }

    @property
    def in_use(self) -> int:
        """The number of sets of labels, without the one for others."""
        return len(self._sets.taken) - 1

    def locate(self, shared: Shared, texts: Texts, clock_ns: int, time_ns: int) -> Indices:
        """Return the slot of each row, and free the slots of sets that are gone.

        :param clock_ns: now, by a monotonic clock
        :param time_ns: now, Unix time
        """

        def begin(slot: int, row: int) -> None:
            # The counts begin at the previous snapshot: what is counted now happened since then.
            self._labels[slot] = LabelSet(texts(shared, row), self._last_ns)
            for column in self._columns.values():
                column[slot] = 0

        slots = self._sets.slots_of(mixed(shared.values()), clock_ns, begin)
        self._last_ns = time_ns
        return slots

    def add(self, name: str, slots: Indices, values: NDArray[Any]) -> None:
        """Add the values of rows to a column."""
        some = np.flatnonzero(values)
        if len(some):
            self._columns[name] += self._sums(slots[some], values[some])

    def add_kinds(
        self, name: str, slots: Indices, kinds: NDArray[Any], counts: NDArray[np.int64] | int = 1
    ) -> None:
        """Add rows to a column with kinds.

        :param counts: the number that each row adds
        """
        column = self._columns[name]
        np.add.at(column.reshape(-1), slots * column.shape[1] + kinds, counts)

    def set(self, name: str, slots: Indices, values: NDArray[Any]) -> None:
        """Replace a column by the sums of the rows' values."""
        self._columns[name] = self._sums(slots, values)

    def set_kinds(self, name: str, slots: Indices, kinds: NDArray[Any]) -> None:
        """Replace a column with kinds by the number of rows of each kind."""
        self._columns[name].fill(0)
        self.add_kinds(name, slots, kinds)

    def freeze(self) -> Table:
        """Return all sets in use with their numbers. The set for others is first, unless it is all 0."""
        slots = self._sets.taken
        columns = {name: column[slots] for name, column in self._columns.items()}
        if not any(column[OTHER_SLOT].any() for column in columns.values()):
            slots, columns = slots[1:], {name: column[1:] for name, column in columns.items()}
        return Table(tuple(self._labels[slot] for slot in slots.tolist()), columns)

    def _sums(self, slots: Indices, values: NDArray[Any]) -> NDArray[np.int64]:
        return np.bincount(slots, weights=values, minlength=len(self._labels)).astype(np.int64)
