"""What the table shows, by which column it is sorted, and which way."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import NamedTuple

from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.listing import Kind, Scope
from tcptop_rtt.view.table import Column, Table

_OWN_LETTERS = {"rtt": "r", "process": "p", "why": "w"}
"""Keys that sort by these columns on the main screen, too."""
_SPARE = string.digits + string.ascii_letters


def letters(table: Table) -> dict[str, Column]:
    """Returns a letter for each column that can be sorted by: one of its title, if one is free."""
    found = {_OWN_LETTERS[key]: key for key in table.sorts if key in _OWN_LETTERS}
    for key in table.sorts:
        if key not in _OWN_LETTERS:
            title = table.column[key].title.partition(" ")[0]
            wishes = title.lower() + title + _SPARE
            found[next(char for char in wishes if char.isalnum() and char not in found)] = key
    keys = {key: letter for letter, key in found.items()}
    return {keys[key]: table.column[key] for key in table.sorts}


class Order(NamedTuple):
    """A sort order."""

    key: str = "rtt"
    descending: bool = True

    def reversed(self) -> Order:
        """Returns the order by the same column in the other direction."""
        return self._replace(descending=not self.descending)

    @staticmethod
    def first_of(column: Column) -> Order:
        """Returns the order by a column, the interesting end first."""
        return Order(column.key, column.falls_first)

    @classmethod
    def of(cls, kind: Kind | None, before: Page) -> Order:
        """Returns the first order of a kind of rows: the kind's own, the previous page's, or the default."""
        table = Page(kind).table
        if kind is not None and kind.first:
            return cls.first_of(table.column[kind.first])
        own = before.kind is not None and before.kind.first
        return before.order if before.order.key in table.sorts and not own else cls()

    def next_to(self, columns: Mapping[str, Column], step: int) -> Order:
        """Returns the order by the column ``step`` further to the right. After the last comes the first."""
        keys = list(columns)
        at = keys.index(self.key) + step if self.key in columns else 0
        return self.first_of(columns[keys[at % len(keys)]])


class Page(NamedTuple):
    """What the table shows: rows of a kind, all connections, or the connections of one row of a kind."""

    kind: Kind | None = None
    scope: Scope | None = None
    order: Order = Order()

    @property
    def table(self) -> Table:
        """The table whose columns are shown."""
        return CONNECTIONS if self.kind is None else self.kind.table
