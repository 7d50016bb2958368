"""Columns that grow with the connections. Freezing a column costs nothing until the column changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Indices
from tcptop_rtt.tracking.room import resized

Where = Indices | NDArray[np.bool_] | slice


class ColumnStore:
    """An array per field of a structured dtype, all of one length: a row has the same index in each.

    A frozen column never changes: the next write goes to a copy.
    """

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros(0, dtype[name]) for name in dtype.names or ()
        }
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column, for reading. Numpy refuses to write to a frozen one."""
        return self._columns[name]

    def writable(self, name: str) -> NDArray[Any]:
        """A column, for writing in place."""
        column = self._columns[name]
        if not column.flags.writeable:
            column = self._columns[name] = column.copy()
        return column

    def set(self, name: str, rows: Where, values: Any) -> None:
        """Write to some rows of a column. If a row has several values, the last one stays.

        A frozen column is copied only if a value changes: most values that a scan reads do not.
        """
        if not isinstance(rows, slice) and not len(rows):
            return
        column = self._columns[name]
        if column.flags.writeable or not (column[rows] == values).all():
            self.writable(name)[rows] = values

    def set_all(self, name: str, values: NDArray[Any]) -> None:
        """Replace a whole column, including the rows that are not in use."""
        self._columns[name] = values

    def clear(self, rows: slice) -> None:
        """Fill rows with zeros."""
        for name, column in self._columns.items():
            self.set(name, rows, np.zeros((), column.dtype))

    def move(self, rows: Indices, to: Indices) -> None:
        """Copy some rows over others."""
        for name, column in self._columns.items():
            self.set(name, to, column[rows])

    def resize(self, length: int) -> None:
        """Make room for this many rows in all."""
        for name, column in self._columns.items():
            self._columns[name] = resized(column, length)
        self._length = length

    def freeze(self, names: Sequence[str], count: int) -> dict[str, NDArray[Any]]:
        """The first ``count`` rows of some columns, read-only. Their values never change."""
        for name in names:
            self._columns[name].flags.writeable = False
        return {name: self._columns[name][:count] for name in names}
