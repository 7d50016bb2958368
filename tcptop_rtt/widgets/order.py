"""What the table shows, by which column it is sorted, and which way."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import NamedTuple

from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.listing import Kind, Scope
from tcptop_rtt.view.table import Column, Table

_OWN_LETTERS = {"rtt": "r", "process": "p", "why": "w"}
"""Those that sort by these columns without asking."""
_SPARE = string.digits + string.ascii_letters


def letters(table: Table) -> dict[str, Column]:
    """A letter for each column that the table can be sorted by: one of its title, as far as they go."""
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
        """The same column the other way round."""
        return self._replace(descending=not self.descending)

    @staticmethod
    def first_of(column: Column) -> Order:
        """Sorted by a column, the interesting end first."""
        return Order(column.key, column.falls_first)

    @classmethod
    def of(cls, kind: Kind | None, before: Page) -> Order:
        """What a kind of rows is sorted by at first: in its own order, or in that of the page before."""
        table = Page(kind).table
        if kind is not None and kind.first:
            return cls.first_of(table.column[kind.first])
        own = before.kind is not None and before.kind.first
        return before.order if before.order.key in table.sorts and not own else cls()

    def next_to(self, columns: Mapping[str, Column], step: int) -> Order:
        """Sorted by a column further to the right, or to the left; after the last one comes the first."""
        keys = list(columns)
        at = keys.index(self.key) + step if self.key in columns else 0
        return self.first_of(columns[keys[at % len(keys)]])


class Page(NamedTuple):
    """What the table shows: rows of a kind, or connections, all or those of one such row."""

    kind: Kind | None = None
    scope: Scope | None = None
    order: Order = Order()

    @property
    def table(self) -> Table:
        """Whose columns there are."""
        return CONNECTIONS if self.kind is None else self.kind.table
