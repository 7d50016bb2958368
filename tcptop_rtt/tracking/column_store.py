"""Columns that grow with the connections, and of which a picture costs nothing until they change."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Indices

Where = Indices | NDArray[np.bool_] | slice


class Columns:
    """An array per field of a structured dtype, all of one length: a row takes the same place in each.

    What has been lent to a picture is never changed: the next change goes to a copy.
    """

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros(0, dtype[name]) for name in dtype.names or ()
        }
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column, for reading; numpy refuses to write to one that is lent."""
        return self._columns[name]

    def own(self, name: str) -> NDArray[Any]:
        """A column, to be changed."""
        column = self._columns[name]
        if not column.flags.writeable:
            column = self._columns[name] = column.copy()
        return column

    def put(self, name: str, where: Where, values: Any) -> None:
        """Write to a column; of several values for one row the last one stays.

        One that is lent and would not change is not copied: most of what a scan tells is as it was.
        """
        if not isinstance(where, slice) and not len(where):
            return
        column = self._columns[name]
        if column.flags.writeable or not (column[where] == values).all():
            self.own(name)[where] = values

    def replace(self, name: str, values: NDArray[Any]) -> None:
        """Give all rows another value, those that are not in use, too."""
        self._columns[name] = values

    def clear(self, where: slice) -> None:
        """Rows of zeros."""
        for name, column in self._columns.items():
            self.put(name, where, np.zeros((), column.dtype))

    def move(self, indices: Indices, to: Indices) -> None:
        """Give the values of some rows to others."""
        for name, column in self._columns.items():
            self.put(name, to, column[indices])

    def grow(self, length: int) -> None:
        """Make room, for as many rows in all."""
        for name, column in self._columns.items():
            longer = np.zeros(length, column.dtype)
            longer[: self._length] = column
            self._columns[name] = longer
        self._length = length

    def lend(self, count: int) -> dict[str, NDArray[Any]]:
        """The first rows of all columns as they are now, for good."""
        for column in self._columns.values():
            column.flags.writeable = False
        return {name: column[:count] for name, column in self._columns.items()}
