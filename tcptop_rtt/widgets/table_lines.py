"""The table's lines as text and component classes, before they become strips."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt import format as fmt
from tcptop_rtt.snapshot import Rows
from tcptop_rtt.widgets.columns import Placed, arrow
from tcptop_rtt.widgets.styled import Part, fit

Line = tuple[str, str, list[Part]]
"""A row's component class, the mark in its gutter, and its cells."""


class Look(NamedTuple):
    """How the lines are to look."""

    placed: tuple[Placed, ...]
    sort_key: str
    descending: bool
    unicode: bool


def lines(look: Look, rows: Rows, spark_us: NDArray[np.float32], cursor: int) -> list[Line]:
    """The header and one line per row; the sparklines of all of them share one scale."""
    cells = next((width for column, width in look.placed if column.key == "spark"), 0)
    scale = fmt.spark_scale(spark_us)
    sparks = fmt.sparks(spark_us, scale, cells, look.unicode)
    found = [_header(look, scale)]
    for at, (row, spark) in enumerate(zip(rows, sparks, strict=True)):
        found.append(_row(look, row, spark, at == cursor))
    return found


def _header(look: Look, scale: fmt.Scale) -> Line:
    parts: list[Part] = []
    for column, cells in look.placed:
        title = _spark_title(scale, cells) if column.key == "spark" else column.title
        chosen = column.key == look.sort_key
        if chosen:
            mark = arrow(look.descending, look.unicode)
            title = mark + title[: cells - 1] if column.numeric else title[: cells - 1] + mark
        parts.append((fit(title, cells, column.numeric), "sorted" if chosen else ""))
    return "header", " ", parts


def _spark_title(scale: fmt.Scale, cells: int) -> str:
    title = f"12s {scale.low / 1000:g}-{scale.high / 1000:g}ms"
    return next((text for text in (title, "LAST 12s", "12s") if len(text) <= cells), "")


def _row(look: Look, row: np.void, spark: str, at_cursor: bool) -> Line:
    closed = bool(row["closed"])
    parts: list[Part] = []
    for column, cells in look.placed:
        text, style = (spark, "spark") if column.key == "spark" else column.cell(row, cells, look.unicode)
        parts.append((fit(text, cells, column.numeric), "closed" if closed else style))
    if not at_cursor:
        return "row", " ", parts
    return "cursor", "▸" if look.unicode else ">", parts
