"""Which column a table is sorted by, and which way."""

from __future__ import annotations

from typing import NamedTuple

from tcptop_rtt.view.table import Table


class Order(NamedTuple):
    """A sort order."""

    key: str = "rtt"
    descending: bool = True

    def reversed(self) -> Order:
        """The same column the other way round."""
        return self._replace(descending=not self.descending)

    def by(self, key: str, table: Table) -> Order:
        """Sorted by a column, the interesting end first; if it is so already: the other way round."""
        return self.reversed() if key == self.key else Order(key, table.column[key].numeric)

    def by_next(self, table: Table) -> Order:
        """Sorted by the next column to the right, and after the last by the first."""
        keys = list(table.sorts)
        return self.by(keys[(keys.index(self.key) + 1) % len(keys)], table)
