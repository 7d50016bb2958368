"""What a table is: its fields, each with its name, meaning and values, and, if it has one, its column.

The table widget, the ranking and the text outputs take any table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import Rows, has_any
from tcptop_rtt.view.cells import MakeCell
from tcptop_rtt.view.parsing import Parse
from tcptop_rtt.view.questions import Match
from tcptop_rtt.view.sort_keys import SortKeys
from tcptop_rtt.view.values import Values


class MakeViews(Protocol):
    """Makes, from rows, the objects that cells are made of.

    :param lacking: the fields that this kernel does not have
    :param names: of hosts and services
    """

    def __call__(
        self, rows: NDArray[np.void], lacking: frozenset[str], names: Names = NO_NAMES, /
    ) -> list[Any]: ...


Cut = Literal["", "end", "middle", "before number"]
"""Before the number at its end, a text is cut where it has one; otherwise at the end."""


@dataclass(frozen=True, slots=True)
class Column:
    """How a field is shown in tables."""

    key: str
    title: str
    width: int  # in cells: as much as it needs
    priority: int  # 0 is dropped last when the terminal gets narrow
    meaning: str
    cell: MakeCell | None  # None: a sparkline, which the table draws for all visible rows at once
    sort: SortKeys | None
    least: tuple[int, int] | None = None  # a smaller width that will do, and its priority
    wide: int = 0  # a larger width that it can use
    numeric: bool = True  # right-aligned
    falls: bool | None = None  # whether it is sorted from high to low at first; None: as ``numeric``
    usual: str = ""  # the text of almost all rows, which the screen leaves out
    cut: Cut = ""  # where a text that is too long is cut
    may_be_empty: bool = False  # the column is left out if no row has a value

    @property
    def falls_first(self) -> bool:
        """Whether it is sorted from high to low at first."""
        return self.numeric if self.falls is None else self.falls


def with_values(columns: tuple[Column, ...], rows: Rows | NDArray[np.void]) -> tuple[Column, ...]:
    """The columns, without those that may be empty and have no value in any row."""
    return tuple(column for column in columns if not column.may_be_empty or has_any(rows[column.key]))


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``choices`` are all the texts that it may have; empty if it may have any or is no text.

    A filter can call it by its name, by its column's key and by each of ``words``.
    """

    name: str
    type: str  # as JSON Schema calls it
    meaning: str
    values: Values
    match: Match
    choices: tuple[str, ...] = ()
    nullable: bool = True
    column: Column | None = None
    words: tuple[str, ...] = ()
    parse: Parse | None = None
    """Makes the values of a row's column from those of the stream; None if there is no such column."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one kind. Each row has an ``id``, which no other row of the table ever has.

    :param name: the plural name of its rows
    :param dtype: of the rows
    :param fields: in the order of the stream, and of the screen from left to right
    :param no_field: what a filter can ask for that is no field
    """

    name: str
    dtype: np.dtype[np.void]
    fields: tuple[Field, ...]
    views: MakeViews
    no_field: Mapping[str, Match]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns in the order of the screen, left to right."""
        return tuple(field.column for field in self.fields if field.column)

    @cached_property
    def column(self) -> dict[str, Column]:
        """The columns by their keys."""
        return {column.key: column for column in self.columns}

    @cached_property
    def sorts(self) -> dict[str, SortKeys]:
        """What rows may be sorted by, by the key of the column, in the order of the columns."""
        return {column.key: column.sort for column in self.columns if column.sort}

    @cached_property
    def matches(self) -> dict[str, Match]:
        """What a filter can ask for, by each word for it."""
        found = dict(self.no_field)
        for field in self.fields:
            for word in (field.name, *([field.column.key] if field.column else []), *field.words):
                found[word] = field.match
        return found
