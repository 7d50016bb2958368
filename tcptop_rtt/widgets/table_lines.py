"""The table's lines: as text and component classes, and as the strips that are painted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip

from tcptop_rtt.view import sparks
from tcptop_rtt.view.cells import Cell
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown
from tcptop_rtt.widgets.columns import GAP, GUTTER, SizedColumn, arrow, cell
from tcptop_rtt.widgets.styled import Part, StyleBook, fit

Line = tuple[str, str, list[Part]]
"""A row's component class, the mark in its gutter, and its cells."""


class TableStyle(NamedTuple):
    """Which columns the lines have, and what marks them."""

    placed: tuple[SizedColumn, ...]
    sort_key: str
    descending: bool
    glyphs: Glyphs
    shared_scale: bool = False
    """Whether all sparklines have one scale."""


class Frame(NamedTuple):
    """The visible part of one snapshot's table."""

    top: int  # index of the first visible row
    size: Size
    placed: tuple[SizedColumn, ...]
    lines: list[Line]  # the header first; none below the last row


def lines(table: TableStyle, rows: list[Shown], spark_us: NDArray[np.float32], cursor: int) -> list[Line]:
    """Returns the header and one line per row."""
    cells = next((width for column, width in table.placed if column.cell is None), 0)
    shared = sparks.spark_scale(spark_us) if table.shared_scale else None
    drawn = sparks.sparks(spark_us, shared or sparks.own_scales(spark_us), cells, table.glyphs.spark)
    found = [_header(table, shared)]
    for at, (row, spark, news) in enumerate(zip(rows, drawn, sparks.news(spark_us, cells), strict=True)):
        found.append(_row(table, row, _spark_parts(spark, news), at == cursor))
    return found


_NEWS_STYLES = {" ": "spark", "w": "warn", "b": "bad"}


def _spark_parts(spark: str, news: str) -> list[Part]:
    """Returns a sparkline, each cell in the style of its news: bad, risen or high, or none."""
    if not news.strip():
        return [(spark + " " * GAP, "spark")]
    runs = [(kind, len(list(run))) for kind, run in groupby(news)]
    ends = accumulate(length for _, length in runs)
    parts = [
        (spark[end - length : end], _NEWS_STYLES[kind])
        for (kind, length), end in zip(runs, ends, strict=True)
    ]
    return [*parts, (" " * GAP, "spark")]


def _header(table: TableStyle, scale: sparks.Scale | None) -> Line:
    parts: list[Part] = []
    for column, cells in table.placed:
        title = _spark_title(column.title, scale, cells) if column.cell is None else column.title
        chosen = column.key == table.sort_key
        if chosen:
            mark = arrow(table.descending, table.glyphs)
            title = mark + title[: cells - 1] if column.numeric else title[: cells - 1] + mark
        parts.append((fit(title, cells, column.numeric) + " " * GAP, "sorted" if chosen else ""))
    return "header", " ", parts


def _spark_title(title: str, scale: sparks.Scale | None, cells: int) -> str:
    span = title.removeprefix("LAST ")
    ends = f"{scale.low / 1000:g}-{scale.high / 1000:g}ms" if scale else ""
    titles = [f"{span} {ends}", ends] if scale else []
    return next((text for text in (*titles, f"LAST {span}", span) if len(text) <= cells), "")


def _row(table: TableStyle, row: Shown, spark: list[Part], at_cursor: bool) -> Line:
    closed = row.closed
    parts: list[Part] = []
    for placed in table.placed:
        made = cell(placed, row, table.glyphs)
        for text, style in spark if made is None else [_padded(made, placed)]:
            parts.append((text, "closed" if closed else style))
    if not at_cursor:
        return "row", " ", parts
    return "cursor", table.glyphs.cursor, parts


def _padded(made: Cell, placed: SizedColumn) -> Part:
    return fit(made.text, placed.width, placed.column.numeric) + " " * GAP, made.style


def note(table: TableStyle, text: str) -> Line:
    """Returns a line of text across all columns."""
    return "row", " ", [(fit(text, sum(cells + GAP for _, cells in table.placed)), "dim")]


class LineStrips:
    """Makes strips of lines. A line that has not changed since the last frame keeps its strip."""

    def __init__(self, styles: StyleBook) -> None:
        self._styles = styles
        self._made: dict[int, tuple[Line | None, Strip]] = {}

    def clear(self) -> None:
        """Forgets all strips, as colours have changed."""
        self._styles.clear()
        self._made.clear()

    def draw(
        self, lines: list[Line], placed: tuple[SizedColumn, ...], wanted: Iterable[int], width: int
    ) -> list[Strip]:
        """Returns the strips of the wanted lines, blank below the last one, ``width`` cells each."""
        used = GUTTER + sum(cells + GAP for _, cells in placed)
        strips = []
        for y in wanted:
            line = lines[y] if y < len(lines) else None
            made = self._made.get(y)
            if made is None or made[0] != line or made[1].cell_length != width:
                made = self._made[y] = line, self._strip(line, used, width)
            strips.append(made[1])
        return strips

    def _strip(self, line: Line | None, used: int, width: int) -> Strip:
        if line is None:
            return Strip.blank(width, self._styles())
        row, mark, parts = line
        base = self._styles(row=row)
        segments = [Segment(mark, base)]
        run, run_style = "", parts[0][1]
        for text, style in parts:
            if style != run_style:
                segments.append(Segment(run, self._styles(run_style, row)))
                run, run_style = "", style
            run += text
        segments.append(Segment(run, self._styles(run_style, row)))
        if used > width:
            return Strip(segments).adjust_cell_length(width, base)
        # The length is known. Measuring every segment would cost as much as formatting it.
        return Strip([*segments, Segment(" " * (width - used), base)], width)
