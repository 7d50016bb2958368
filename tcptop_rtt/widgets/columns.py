"""Which columns fit on the screen, how wide they are, and what is cut to fit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from tcptop_rtt.view import addresses
from tcptop_rtt.view.cells import Cell
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown
from tcptop_rtt.view.table import Column


class SizedColumn(NamedTuple):
    """A column with the width that it got."""

    column: Column
    width: int


def cell(placed: SizedColumn, row: Shown, glyphs: Glyphs) -> Cell | None:
    """A cell of a row, no wider than its column; None: it is a sparkline's."""
    column, width = placed
    if column.cell is None:
        return None
    text, style = column.cell(row, glyphs)
    if text == column.usual:
        text = ""
    elif column.cut == "middle":
        text = addresses.shorten(text, width, glyphs)
    elif column.cut == "end" and cell_len(text) > width:
        text = set_cell_size(text, width - 1) + glyphs.cut
    return Cell(text, style)


def arrow(descending: bool, glyphs: Glyphs) -> str:
    """The mark of the column that the table is sorted by."""
    return glyphs.falling if descending else glyphs.rising


_GROW = ("spark", "remote", "local")
"""Who gets spare width, in this order."""

GUTTER = 1
"""Cells before the first column: the cursor's mark."""
GAP = 1


_SORTED_PRIORITY = 3
"""Of the column that the table is sorted by, which would say nothing if it were not seen."""


def _wishes(columns: tuple[Column, ...], sorted_by: str) -> Iterator[tuple[int, str, int]]:
    """Priority, column and width of all that columns would like to have."""
    for column in columns:
        width, priority = column.least or (column.width, column.priority)
        if column.key == sorted_by:
            priority = min(priority, _SORTED_PRIORITY)
        yield priority, column.key, width
        yield column.priority, column.key, column.width


def _growth(columns: tuple[Column, ...], long_addresses: bool) -> Iterator[tuple[str, int]]:
    """Who gets spare width, in order, and up to which width."""
    spark, *ends = (next((column for column in columns if column.key == key), None) for key in _GROW)
    if spark and long_addresses:
        yield spark.key, spark.width
        yield from ((end.key, end.wide) for end in ends[:1] if end)
    if spark:
        yield spark.key, spark.wide
    yield from ((end.key, end.wide if long_addresses else end.width) for end in ends if end)


@lru_cache(maxsize=64)
def fit_columns(
    columns: tuple[Column, ...], width: int, long_addresses: bool, sorted_by: str
) -> tuple[SizedColumn, ...]:
    """The columns that fit into ``width`` cells; the most important one always does.

    :param long_addresses: there are IPv6 addresses or names, so wider address columns are of use.
    :param sorted_by: the column that is to be seen because the table is sorted by it
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
    """The column at a cell of the line, counted from the left."""
    start = GUTTER
    for column, width in placed:
        if start <= x < start + width + GAP:
            return column
        start += width + GAP
    return None
