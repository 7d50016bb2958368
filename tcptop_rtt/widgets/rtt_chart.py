"""The chart of one connection as a widget: it shows the lines of view/plot.py, and has a cursor."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.events import Click
from textual.geometry import Region, Size
from textual.strip import Strip

from tcptop_rtt.view import plot
from tcptop_rtt.view.chart import Series, columns_at, window_for
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets.styled import StyledWidget, component_classes, crop_strips


class RttChart(StyledWidget):
    """RTT over time. The cursor stays at a time, not at a place on the screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("rtt-chart", *filter(None, plot.STYLES))

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._series = Series()
        self._cursor_ns: int | None = None
        """The time of the cursor, CLOCK_MONOTONIC; None if there is no cursor."""
        self._strips: list[Strip] = []
        self._drawn: Size | None = None
        """The size that the strips are made for; None if they have to be made again."""

    def show(self, series: Series) -> None:
        """Draws other data. The cursor stays at its time, or at the oldest time that is shown."""
        self._series = series
        self._redraw()

    # The cursor

    @property
    def has_cursor(self) -> bool:
        """Whether there is a cursor."""
        return self._cursor_ns is not None

    @property
    def _columns(self) -> int:
        return plot.columns_in(self.size.width)

    @property
    def _cursor(self) -> int | None:
        """The column of the cursor; None if there is no cursor."""
        if self._cursor_ns is None or not self._columns:
            return None
        time_s = np.array([(self._cursor_ns - self._series.end_ns) / 1e9])
        return max(0, int(columns_at(self._series, time_s, self._window_s, self._columns)[0]))

    @property
    def _window_s(self) -> int:
        return window_for(self._series.time_s)

    def move_cursor(self, step: int) -> None:
        """Moves the cursor by ``step`` columns. If there is none, it begins at the latest sample."""
        at = self._cursor
        if at is None:
            sampled_s = self._series.time_s[self._series.rtt_us > 0][-1:]
            if len(sampled_s) and self._columns:
                self._put_cursor(columns_at(self._series, sampled_s, self._window_s, self._columns)[0])
        else:
            self._put_cursor(at + step)

    def _put_cursor(self, column: int) -> None:
        """Puts the cursor into the middle of a column, so that no rounding moves it into another."""
        columns = self._columns
        column_s = self._window_s / columns
        end_s = (self._series.end_ns / 1e9 // column_s + 1) * column_s
        back = columns - min(max(column, 0), columns - 1)
        self._cursor_ns = round((end_s - (back - 0.5) * column_s) * 1e9)
        self._redraw()

    def drop_cursor(self) -> None:
        """Removes the cursor."""
        self._cursor_ns = None
        self._redraw()

    def on_click(self, event: Click) -> None:
        """Puts the cursor at the click. A click on the cursor removes it."""
        column = event.x - plot.MARGIN
        if column == self._cursor:
            self.drop_cursor()
        elif 0 <= column < self._columns and (self._series.rtt_us > 0).any():
            self._put_cursor(column)

    # Drawing

    def forget_drawn(self) -> None:
        self._drawn = None

    def _redraw(self) -> None:
        self._drawn = None
        self.refresh()

    @property
    def plain(self) -> str:
        """The text without its colours."""
        return "\n".join("".join(text for text, _ in line) for line in self._lines())

    def _lines(self) -> list[plot.Line]:
        return plot.lines(self._series, self._glyphs, *self.size, self._cursor)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Returns complete strips, and so skips Textual's pass over each line for borders and filters."""
        width, height = self.size
        if self._drawn != self.size:
            self._drawn = self.size
            lines = self._lines()
            lines += [[] for _ in range(height - len(lines))]
            self._strips = [self._styles.strip(parts, width) for parts in lines]
        return crop_strips(self._strips[slice(*crop.line_span)], width, crop)
