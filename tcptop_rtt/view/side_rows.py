"""What the tables that do not list connections have in common: rows, cells and fields."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.snapshot import SPARK_CELLS
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import sort_keys
from tcptop_rtt.view.cells import Cell, MakeCell
from tcptop_rtt.view.field_kinds import address, integer, text
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.sort_keys import SortKeys
from tcptop_rtt.view.table import Column, Field


class SideRow:
    """One row of such a table, with what its cells need.

    :param lacking: the fields that this kernel does not have
    """

    closed = False

    def __init__(self, row: np.void, lacking: frozenset[str]) -> None:
        self.row = row
        self.lacking = lacking

    def number(self, name: str) -> int | None:
        """A number of the row; None if this kernel does not have it."""
        return None if name in self.lacking else int(self.row[name])


def views(
    rows: NDArray[np.void],
    lacking: frozenset[str],
    names: Names = NO_NAMES,  # noqa: ARG001
) -> list[SideRow]:
    """One object per row."""
    return [SideRow(row, lacking) for row in rows]


def no_sparks(rows: int) -> NDArray[np.float32]:
    """Empty sparklines, for rows without an RTT."""
    return np.full((SPARK_CELLS, rows), np.nan, np.float32)


def _process(side: SideRow, glyphs: Glyphs) -> Cell:
    name = fmt.printable(bytes(side.row["comm"]), glyphs)
    return Cell(name or fmt.UNKNOWN, "" if name else "dim")


def pid(side: SideRow, _: Glyphs) -> Cell:
    """The cell with the process id."""
    return Cell(str(side.row["pid"] or fmt.UNKNOWN), "dim")


def count(name: str, style: str = "") -> MakeCell:
    """Makes the cell of a number, dim if it is 0."""

    def cell(side: SideRow, _: Glyphs) -> Cell:
        number = side.number(name)
        return Cell(fmt.UNKNOWN if number is None else fmt.tally(number), style if number else "dim")

    return cell


def number(
    name: str,
    meaning: str,
    key: str,
    title: str,
    width: int,
    priority: int,
    cell: MakeCell,
    sort: SortKeys | None = None,
) -> Field:
    """The field of a number, with its column; without ``sort``, rows with 0 are last."""
    column = Column(key, title, width, priority, meaning, cell, sort or sort_keys.by_positive(name))
    return integer(name, meaning, column)


def process(meaning: str, column_meaning: str, example: str) -> Field:
    """The field of the process's name, with its column."""
    column = Column(
        "process",
        "PROCESS",
        15,
        9,
        column_meaning,
        _process,
        sort_keys.by_name,
        least=(10, 3),
        numeric=False,
        cut="end",
    )
    return text("comm", meaning, example, column)


def endpoint(side: str, key: str, title: str, meaning: str, column_meaning: str, cell: MakeCell) -> Field:
    """The field of an address, with a column for address and port; ``side`` is ``l`` or ``r``."""
    name, sort = f"{side}addr", sort_keys.by_endpoint(side)
    column = Column(key, title, 21, 0, column_meaning, cell, sort, wide=47, numeric=False, cut="middle")
    return address(name, meaning, column)


def verdict(name: str, meaning: str, width: int, priority: int, cell: MakeCell, sort: SortKeys) -> Field:
    """The field of what is wrong, with the column WHY."""
    column = Column(
        "why", "WHY", width, priority, meaning, cell, sort, numeric=False, falls=True, cut="before number"
    )  # fmt: skip
    return integer(name, meaning, column)
