"""Chooses the columns that fit on the screen and their widths, and shortens cells to fit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from tcptop_rtt.view import addresses
from tcptop_rtt.view.cells import Cell
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown
from tcptop_rtt.view.table import Column, Cut


class SizedColumn(NamedTuple):
    """A column and its width on the screen, in cells."""

    column: Column
    width: int


def cell(placed: SizedColumn, row: Shown, glyphs: Glyphs) -> Cell | None:
    """Returns a cell of a row, shortened if its column may be cut; None for a sparkline."""
    column, width = placed
    if column.cell is None:
        return None
    text, style = column.cell(row, glyphs)
    if text == column.usual:
        text = ""
    elif column.cut == "middle":
        text = addresses.shorten(text, width, glyphs)
    elif column.cut and cell_len(text) > width:
        text = _cut(text, width, glyphs, column.cut)
    return Cell(text, style)


_LEAST_LEFT = 1
"""So many cells of the word that is cut stay: without any of it, the text says something else."""


def _cut(text: str, width: int, glyphs: Glyphs, where: Cut) -> str:
    """Returns as much of a text as fits, with the number at its end if that is to stay."""
    words, _, number = text.rpartition(" ")
    room = width - 2 - cell_len(number)
    least = cell_len(words.rpartition(" ")[0]) + 1 + _LEAST_LEFT
    if where == "before number" and room >= least and any(map(str.isdecimal, number)):
        return f"{set_cell_size(text, room)}{glyphs.cut} {number}"
    return set_cell_size(text, width - 1) + glyphs.cut


def arrow(descending: bool, glyphs: Glyphs) -> str:
    """Returns the mark of the column that the table is sorted by."""
    return glyphs.falling if descending else glyphs.rising


_NAMES = ("process", "remote", "local")
"""The columns of names and addresses, which get spare width in this order."""

GUTTER = 1
"""Cells before the first column, for the cursor's mark."""
GAP = 1


_SORTED_PRIORITY = 3
"""The sorted column has at least this priority, as the order means nothing without the column."""


def _wishes(columns: tuple[Column, ...], sorted_by: str) -> Iterator[tuple[int, str, int]]:
    """Yields the priority, key and width of each width that a column asks for: the least, then the full."""
    for column in columns:
        width, priority = column.least or (column.width, column.priority)
        if column.key == sorted_by:
            priority = min(priority, _SORTED_PRIORITY)
        yield priority, column.key, width
        yield column.priority, column.key, column.width


def _growth(columns: tuple[Column, ...], long_addresses: bool) -> Iterator[tuple[str, int]]:
    """Yields the columns that get spare width, in order, and the width that each may reach."""
    by_key = {column.key: column for column in columns if column.wide}
    spark, names = by_key.get("spark"), [by_key[key] for key in _NAMES if key in by_key]
    ends = [name for name in names if name.cut == "middle"]
    yield from ((name.key, name.wide) for name in names if name not in ends)
    if spark and long_addresses:
        yield spark.key, spark.width
        yield from ((end.key, end.wide) for end in ends[:1])
    if spark:
        yield spark.key, spark.wide
    yield from ((end.key, end.wide if long_addresses else end.width) for end in ends)


@lru_cache(maxsize=64)
def fit_columns(
    columns: tuple[Column, ...], width: int, long_addresses: bool, sorted_by: str
) -> tuple[SizedColumn, ...]:
    """Returns the columns that fit into ``width`` cells. The most important column is always among them.

    :param long_addresses: whether IPv6 addresses or names make wider address columns useful
    :param sorted_by: the key of the sorted column, which gets a better priority
    """
    room = width - GUTTER
    widths: dict[str, int] = {}
    for _, key, width in sorted(_wishes(columns, sorted_by)):
        needs = width - widths[key] if key in widths else width + (GAP if widths else 0)
        if needs <= room or not widths:
            widths[key] = width if needs <= room else max(1, room)
            room -= needs
    for key, most in _growth(columns, long_addresses):
        if key in widths and room > 0:
            more = min(room, max(0, most - widths[key]))
            widths[key] += more
            room -= more
    return tuple(SizedColumn(column, widths[column.key]) for column in columns if column.key in widths)


def at(placed: tuple[SizedColumn, ...], x: int) -> Column | None:
    """Returns the column at a cell of the line, counted from the left."""
    start = GUTTER
    for column, width in placed:
        if start <= x < start + width + GAP:
            return column
        start += width + GAP
    return None
