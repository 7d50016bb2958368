"""Which column a table is sorted by, and which way."""

from __future__ import annotations

from typing import NamedTuple

from tcptop_rtt.view.table import Column, Table


class Order(NamedTuple):
    """A sort order."""

    key: str = "rtt"
    descending: bool = True

    def reversed(self) -> Order:
        """The same column the other way round."""
        return self._replace(descending=not self.descending)

    @staticmethod
    def first_of(column: Column) -> Order:
        """Sorted by a column, the interesting end first."""
        return Order(column.key, column.falls_first)

    def next_to(self, table: Table, step: int) -> Order:
        """Sorted by a column further to the right, or to the left; after the last one comes the first."""
        keys = list(table.sorts)
        return self.first_of(table.column[keys[(keys.index(self.key) + step) % len(keys)]])
