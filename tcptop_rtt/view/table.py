"""What a table is: its fields, each with its name, meaning and values, and, if it has one, its column.

The table widget, the ranking and the text outputs take a table; :mod:`tcptop_rtt.view.fields` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import Rows, has_text
from tcptop_rtt.view.cells import MakeCell
from tcptop_rtt.view.matches import Match
from tcptop_rtt.view.parsing import Parse
from tcptop_rtt.view.sort_keys import SortKeys
from tcptop_rtt.view.values import Values


class MakeViews(Protocol):
    """Makes of rows what cells are made of.

    :param lacking: the fields that this kernel does not have
    :param names: of hosts and services
    """

    def __call__(
        self, rows: NDArray[np.void], lacking: frozenset[str], names: Names = NO_NAMES, /
    ) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Column:
    """How a field is shown in tables."""

    key: str
    title: str
    width: int  # in cells, what it needs
    priority: int  # 0 goes last when the terminal gets narrow
    meaning: str
    cell: MakeCell | None  # None: a sparkline, which the table draws for all visible rows at once
    sort: SortKeys | None
    least: tuple[int, int] | None = None  # a smaller width that will do, and its priority
    wide: int = 0  # what it can use, if that is more
    numeric: bool = True  # right-aligned
    falls: bool | None = None  # sorted from high to low at first; None: if it is numeric
    usual: str = ""  # what almost all rows have: the screen leaves it out
    cut: Literal["", "end", "middle"] = ""  # where what is too long is shortened
    may_be_empty: bool = False  # it is left out where no row has a value

    @property
    def falls_first(self) -> bool:
        """Whether the interesting end is the high one."""
        return self.numeric if self.falls is None else self.falls


def with_values(columns: tuple[Column, ...], rows: Rows | NDArray[np.void]) -> tuple[Column, ...]:
    """The columns without those that no row has a value for, of those that may be empty."""
    return tuple(column for column in columns if not column.may_be_empty or has_text(rows[column.key]))


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``choices`` are all the texts that it may have; empty: any, or it is no text.

    A filter asks for it by its name, by its column's key and by ``words``.
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
    """Of the values in the stream what the column of this name holds; None: it is made of other columns."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one kind. Each row has an ``id``, which no other row of the table ever has.

    :param name: what rows are called, several of them
    :param dtype: of the rows
    :param fields: in the order of the stream, and of the screen from left to right
    :param no_field: what else a filter can ask for
    """

    name: str
    dtype: np.dtype[np.void]
    fields: tuple[Field, ...]
    views: MakeViews
    no_field: Mapping[str, Match]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the fields."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """In the order of the screen, left to right."""
        return tuple(field.column for field in self.fields if field.column)

    @cached_property
    def column(self) -> dict[str, Column]:
        """The columns by their keys."""
        return {column.key: column for column in self.columns}

    @cached_property
    def sorts(self) -> dict[str, SortKeys]:
        """What rows may be sorted by, in the order of the columns."""
        return {column.key: column.sort for column in self.columns if column.sort}

    @cached_property
    def matches(self) -> dict[str, Match]:
        """What a filter can ask for, by each word for it."""
        found = dict(self.no_field)
        for field in self.fields:
            for word in (field.name, *([field.column.key] if field.column else []), *field.words):
                found[word] = field.match
        return found
