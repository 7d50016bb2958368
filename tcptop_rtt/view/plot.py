"""A chart of one connection as lines of text, each piece with the name of its style."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.axes import Axis, Floats, axis_for, clock_ticks
from tcptop_rtt.view.chart import (
    HOLD_S,
    Columns,
    Quantiles,
    Series,
    columns_at,
    columns_of,
    extremes,
    window_for,
)
from tcptop_rtt.view.glyphs import Glyphs

Part = tuple[str, str]
"""A text and the name of its style; empty if it has none."""
Line = list[Part]

STYLES = ("", "axis", "label", "level", "stall", "raw", "smooth", "cursor", "retrans")

MARGIN = fmt.RTT_WIDTH + 2
"""Cells of the y axis: a label, a space, the rule."""
NAMES = 4
"""Cells on the right, for the names of the levels."""
_AROUND = 3
"""Lines outside the plot: the legend, the time axis and its labels."""
RETRANS = "r"
STALLED = "stalled"

_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each of the 4x2 dots in a braille character."""


def columns_in(width: int) -> int:
    """How many columns a chart of this width has; 0 if there is no room for a chart."""
    columns = width - MARGIN - NAMES
    return columns if columns >= 8 else 0


class Grid:
    """Cells in rows, from top to bottom: a character and the number of a style each."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self._chars = np.full((rows, columns), ord(" "), np.uint32)
        self._styles = np.zeros((rows, columns), np.uint8)

    @property
    def free(self) -> NDArray[np.bool_]:
        """Where nothing is drawn, shape (rows, columns)."""
        free: NDArray[np.bool_] = self._chars == ord(" ")
        return free

    def put(self, where: Any, chars: Any, style: str) -> None:
        """Draw into the cells that an index or a mask selects: one character, or a code for each cell."""
        self._chars[where] = ord(chars) if isinstance(chars, str) else chars
        self._styles[where] = STYLES.index(style)

    def write(self, row: int, column: int, text: str, style: str) -> None:
        """Write a text into one row, cut at the end of the row."""
        text = text[: max(0, self.columns - column)]
        self.put((row, slice(column, column + len(text))), [ord(char) for char in text], style)

    def line(self, row: int) -> Line:
        """A row as pieces of text, each in one style."""
        styles = self._styles[row]
        starts = [0, *(np.flatnonzero(np.diff(styles)) + 1).tolist(), self.columns]
        text = "".join(map(chr, self._chars[row].tolist()))
        return [(text[start:end], STYLES[styles[start]]) for start, end in pairwise(starts) if end > start]


def lines(series: Series, glyphs: Glyphs, width: int, height: int, cursor: int | None = None) -> list[Line]:
    """The lines of the whole chart; empty if there is no room for it.

    :param cursor: the column whose values the first line shows; None: it shows the legend
    """
    columns, rows = columns_in(width), height - _AROUND
    if not columns or rows < 2:
        return []
    window_s = window_for(series.time_s)
    data = columns_of(series, window_s, columns)
    if not (series.rtt_us > 0).any():
        blank: list[Line] = [[] for _ in range(rows // 2)]
        plot: list[Line] = [*blank, [(" " * MARGIN + series.empty, "label")]]
        plot += [[] for _ in range(rows - len(plot))]
        first: Line = []
    else:
        plot = _plot(series, data, glyphs, rows, window_s, cursor)
        first = _legend(series, data, glyphs, width - MARGIN)
        if cursor is not None:
            first = [(data.reading(cursor), "cursor")]
    ticks = clock_ticks(series.end_wall_ns / 1e9, data.end_wall_ns / 1e9, data.column_s, columns)
    return [
        [(" " * MARGIN, ""), *first],
        *plot,
        _time_axis(data, glyphs, cursor),
        [(" " * MARGIN + _labels(ticks, columns), "label")],
    ]


def _legend(series: Series, data: Columns, glyphs: Glyphs, room: int) -> Line:
    """As much of the legend as there is room for."""
    levels = [(name, us) for name, us in _levels(data.visible) if us > 0]
    items: list[Line] = [
        [(glyphs.sample, "raw"), (f" {series.each}", "label")],
        [(glyphs.line[0], "smooth"), (" srtt", "label")],
        *([[(f"{name} {fmt.rtt(us)}", "label")] for name, us in levels]),
    ]
    if data.retrans.any():
        items.append([(RETRANS, "retrans"), (" retransmit", "label")])
    if data.stalled.any():
        items.append([(glyphs.stall, "stall"), (" stalled", "label")])
    if (series.weight == 0).any():
        items.append([("before: the highest per second", "label")])
    found: Line = []
    for item in items:
        room -= sum(len(text) for text, _ in item) + 2
        if room < -2:
            break
        found += [*item, ("  ", "")]
    return found


def _levels(visible: Quantiles) -> tuple[tuple[str, float], ...]:
    return ("p95", visible.p95_us), ("p50", visible.p50_us), ("min", visible.low_us)


def _plot(
    series: Series, data: Columns, glyphs: Glyphs, rows: int, window_s: float, cursor: int | None
) -> list[Line]:
    columns = len(data.retrans)
    axis = axis_for(np.concatenate((series.rtt_us, series.srtt_us)))
    grid = Grid(rows, columns)
    grid.put(grid.free & data.stalled, glyphs.stall, "stall")
    names = _draw_levels(grid, data.visible, axis, glyphs)
    _draw_samples(grid, series, axis, glyphs, window_s)
    _draw_smoothed(grid, data.srtt_us, axis, glyphs)
    if cursor is not None:
        where = grid.free
        where[:, :cursor] = where[:, cursor + 1 :] = False
        grid.put(where, glyphs.upright, "cursor")
    _write_stalls(grid, data.stalled)
    _write_silence(grid, series, data)
    ticks = axis.ticks(rows)
    found = []
    for row in range(rows):
        value = ticks.get(row)
        label = f"{fmt.rtt(value) if value else '':>{fmt.RTT_WIDTH}} "
        rule = glyphs.tick if value else glyphs.axis
        name = f" {names.get(row, '')}".ljust(NAMES)
        found.append([(label, "label"), (rule, "axis"), *grid.line(row), (name, "label")])
    return found


def _draw_levels(grid: Grid, visible: Quantiles, axis: Axis, glyphs: Glyphs) -> dict[int, str]:
    """Draw lines at the p95, the median and the minimum. Returns their names by row, one name per row."""
    levels = [(name, axis.row(us, grid.rows)) for name, us in _levels(visible) if us > 0]
    for _, row in levels:
        free = grid.free
        free[:row] = free[row + 1 :] = False
        grid.put(free, glyphs.level, "level")
    names: dict[int, str] = {}
    below = grid.rows
    for place, (name, row) in enumerate(reversed(levels)):
        below = max(min(row, below - 1), len(levels) - 1 - place)  # each other name needs a row above
        names[below] = name
    return names


def _draw_samples(grid: Grid, series: Series, axis: Axis, glyphs: Glyphs, window_s: float) -> None:
    """Fill each column from its lowest to its highest sample, so that no spike is lost."""
    across, down = (2, 4) if glyphs.unicode else (1, 1)
    at = columns_at(series, series.time_s, window_s, across * grid.columns)
    low_us, high_us = extremes(at, series.rtt_us, across * grid.columns)
    levels = down * grid.rows
    bottom, top = axis.level(low_us, levels), axis.level(high_us, levels)
    level = np.arange(levels - 1, -1, -1)[:, None]
    dots = (level >= bottom) & (level <= top) & (top >= 0)
    if not glyphs.unicode:
        grid.put(dots, glyphs.sample, "raw")
        return
    shape = grid.rows, down, grid.columns, across
    codes = np.einsum("rycx,yx->rc", dots.reshape(shape).astype(int), _BRAILLE)
    grid.put(codes > 0, 0x2800 + codes[codes > 0], "raw")


def _draw_smoothed(grid: Grid, srtt_us: Floats, axis: Axis, glyphs: Glyphs) -> None:
    """Draw the srtt as one line, joined from column to column."""
    level, fall, fallen, rise, risen, upright = tuple(glyphs.line)
    rows = np.where(np.isnan(srtt_us), -1, grid.rows - 1 - axis.level(srtt_us, grid.rows)).tolist()
    for column, (before, row) in enumerate(zip([-1, *rows], rows, strict=False)):
        if row < 0:
            continue
        if before in (-1, row):
            grid.put((row, column), level, "smooth")
            continue
        start, end = (fall, fallen) if before < row else (rise, risen)
        grid.put((slice(min(before, row), max(before, row)), column), upright, "smooth")
        grid.put((before, column), start, "smooth")
        grid.put((row, column), end, "smooth")


def _write_stalls(grid: Grid, stalled: NDArray[np.bool_]) -> None:
    """Label each stretch in which the connection was stalled, if there is room."""
    edges = np.flatnonzero(np.diff(stalled, prepend=False, append=False)).tolist()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start >= len(STALLED):
            grid.write(0, start + (end - start - len(STALLED)) // 2, STALLED, "stall")


def _write_silence(grid: Grid, series: Series, data: Columns) -> None:
    """Write at the right end for how long no sample has come, in a free row if there is one."""
    if series.silent_s < HOLD_S:
        return
    seconds = fmt.age(int(series.silent_s) * 1_000_000_000)
    what = "stalled, no sample" if data.stalled[-1] else "no sample"
    text = f" {what} for {seconds}"[-grid.columns :]
    start = grid.columns - len(text)
    drawn: NDArray[np.bool_] = np.any((~grid.free & ~data.stalled)[:, start:], axis=1)
    middle_first = sorted(range(grid.rows), key=lambda row: abs(2 * row - grid.rows))
    row = next((row for row in middle_first if not drawn[row]), 0)
    grid.write(row, start, text, "label")


def _time_axis(data: Columns, glyphs: Glyphs, cursor: int | None) -> Line:
    """The rule below the plot, with marks for retransmits and stalls."""
    grid = Grid(1, len(data.retrans))
    grid.put((0, slice(None)), glyphs.base, "axis")
    grid.put(data.stalled[None], glyphs.stall, "stall")
    grid.put(data.retrans[None] > 0, RETRANS, "retrans")
    if cursor is not None and not data.retrans[cursor]:
        grid.put((0, cursor), glyphs.upright, "cursor")
    return [(" " * (MARGIN - 1), ""), (glyphs.corner, "axis"), *grid.line(0)]


def _labels(ticks: dict[int, str], columns: int) -> str:
    line = [" "] * columns
    for column, text in ticks.items():
        line[column : column + len(text)] = text
    return "".join(line)
