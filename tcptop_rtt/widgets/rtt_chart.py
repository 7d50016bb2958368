"""RTT over time: every sample's range per column, and the smoothed line over it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from textual.strip import Strip

from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import sparks
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets.styled import Part, StyledWidget, component_classes

Floats = NDArray[np.float64]

WINDOWS_S = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
HOLD_S = 3.0
"""The smoothed line ends where no sample came for longer."""
LABEL = fmt.RTT_WIDTH + 2
"""Cells of the y axis: a label, a space, the rule."""

_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each of the 4x2 dots in a braille character."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn. Times in seconds, ascending to 0 (now); RTTs in microseconds, nan: none."""

    time_s: Floats
    rtt_us: Floats
    srtt_us: Floats
    empty: str = "waiting for the first RTT sample"  # what to say where there is nothing to draw

    @property
    def silent_s(self) -> float:
        """For how long there has been no sample."""
        sampled = np.flatnonzero(self.rtt_us > 0)
        return -float(self.time_s[sampled[-1]]) if len(sampled) else 0.0


NO_SERIES = Series(np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic RTT axis, microseconds."""

    low: float
    high: float

    def height(self, us: Floats) -> Floats:
        """0 at the bottom, 1 at the top; clipped."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share: Floats = (np.log(us) - math.log(self.low)) / math.log(self.high / self.low)
        return np.clip(share, 0.0, 1.0)

    def ticks(self, rows: int) -> dict[int, float]:
        """Round values by row from the top, at least two rows apart."""
        found: dict[int, float] = {}
        for steps in ((1,), (2, 5), (3, 7), (1.5, 4, 6, 8)):
            for decade in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
                for step in steps:
                    value = step * 10.0**decade
                    if not self.low <= value <= self.high * 1.0001:
                        continue
                    row = round((1 - float(self.height(np.array(value)))) * (rows - 1))
                    if not any(abs(row - other) < 2 for other in found):
                        found[row] = value
        return found


def axis_for(us: Floats) -> Axis:
    """An axis around the values, on 1-2-5 steps so that it rarely moves."""
    known = us[us > 0]
    if not len(known):
        return Axis(100.0, 10_000.0)
    low, high = sparks.step_down(float(known.min())), sparks.step_up(float(known.max()))
    return Axis(low, high if high > low else sparks.step_up(high * 1.01))


def window_for(time_s: Floats) -> int:
    """The shortest of the round windows, in seconds, that shows it all."""
    oldest = -float(time_s[0]) if len(time_s) else 0.0
    return next((window for window in WINDOWS_S if window >= oldest), WINDOWS_S[-1])


def extremes(at: NDArray[np.intp], values: Floats, columns: int) -> tuple[Floats, Floats]:
    """Lowest and highest value per column; nan where there is none."""
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    np.fmin.at(low, at, values)
    np.fmax.at(high, at, values)
    return low, high


def smoothed(at: NDArray[np.intp], values: Floats, columns: int, hold: int) -> Floats:
    """The last value of each column, held until the next, but for ``hold`` columns at most; nan elsewhere."""
    known = values > 0
    line = np.full(columns, np.nan)
    line[at[known]] = values[known]  # of several writes to one column the last stays
    have = np.where(np.isnan(line), -1, np.arange(columns))
    latest = np.maximum.accumulate(have)
    held = (latest >= 0) & (np.arange(columns) - latest <= hold)
    return np.where(held, line[latest], np.nan)


class RttChart(StyledWidget):
    """The chart; its first line is the legend, its last the time axis."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "rtt-chart", "axis", "label", "grid", "raw", "smooth"
    )

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._series = NO_SERIES
        self._painted: tuple[tuple[int, int], list[list[Part]]] | None = None

    def show(self, series: Series) -> None:
        self._series = series
        self._painted = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        if self._painted is None or self._painted[0] != (width, height):
            self._painted = (width, height), self.lines(width, height)
        lines = self._painted[1]
        if y >= len(lines):
            return Strip.blank(width, self._styles())
        segments = [Segment(text, self._styles(style)) for text, style in lines[y]]
        return Strip(segments).adjust_cell_length(width, self._styles())

    def lines(self, width: int, height: int) -> list[list[Part]]:
        """The whole chart as text and component classes."""
        columns, rows = width - LABEL, height - 2
        if columns < 4 or rows < 2:
            return []
        window = window_for(self._series.time_s)
        lines = [self._legend()]
        if not (self._series.rtt_us > 0).any() and not (self._series.srtt_us > 0).any():
            lines += [[] for _ in range(rows // 2)]
            lines.append([(" " * LABEL + self._series.empty, "label")])
            lines += [[] for _ in range(rows - rows // 2 - 1)]
        else:
            lines += self._plot(columns, rows, window)
        return [*lines, [(_time_labels(columns, window), "label")]]

    def _legend(self) -> list[Part]:
        return [
            (" " * LABEL, ""),
            (self._glyphs.sample, "raw"),
            (" every ACK's RTT; before, highest per second  ", "label"),
            (self._glyphs.line[1], "smooth"),
            (" smoothed (srtt)", "label"),
        ]

    def _plot(self, columns: int, rows: int, window: int) -> list[list[Part]]:
        series, glyphs = self._series, self._glyphs
        axis = axis_for(np.concatenate((series.rtt_us, series.srtt_us)))
        position = np.clip((series.time_s + window) / window, 0.0, 1.0)
        hold = round(HOLD_S * columns / window)
        line = smoothed(_column(position, columns), series.srtt_us, columns, hold)
        line_third = _level(axis, line, 3 * rows)  # counted from the bottom, -1: none
        line_row = np.where(line_third >= 0, rows - 1 - line_third // 3, -1)
        if glyphs.unicode:
            cells = _braille(
                *extremes(_column(position, 2 * columns), series.rtt_us, 2 * columns), axis, rows
            )
        else:
            cells = _bars(*extremes(_column(position, columns), series.rtt_us, columns), axis, rows)
        note, note_row = self._silence(line_row, cells)
        ticks = axis.ticks(rows)
        lines: list[list[Part]] = []
        for row in range(rows):
            value = ticks.get(row)
            label = f"{fmt.rtt(value) if value else '':>{fmt.RTT_WIDTH}} "
            parts: list[Part] = [(label, "label"), (glyphs.tick if value else glyphs.axis, "axis")]
            blank = glyphs.grid if value else " "
            for column in range(columns):
                if row == note_row and column >= columns - len(note):
                    _extend(parts, note[column - columns], "label")
                elif line_row[column] == row:
                    _extend(parts, glyphs.line[line_third[column] % 3], "smooth")
                elif cells[row][column] == " ":
                    _extend(parts, blank, "grid")
                else:
                    _extend(parts, cells[row][column], "raw")
            lines.append(parts)
        return lines

    def _silence(self, line_row: NDArray[np.intp], cells: list[str]) -> tuple[str, int]:
        """What to say at the right end if nothing has come for long, and in which row: a free one, if any."""
        silent_s = self._series.silent_s
        if silent_s < HOLD_S:
            return "", -1
        note = f" no sample for {fmt.age(int(silent_s) * 1_000_000_000)}"[-len(cells[0]) :]
        start = len(cells[0]) - len(note)
        middle_first = sorted(range(len(cells)), key=lambda row: abs(2 * row - len(cells)))
        free = (row for row in middle_first if not cells[row][start:].strip() and row not in line_row[start:])
        return note, next(free, 0)


def _column(position: Floats, columns: int) -> NDArray[np.intp]:
    """Which of the columns a position from 0 to 1 falls into."""
    return np.minimum((position * columns).astype(np.intp), columns - 1)


def _level(axis: Axis, us: Floats, levels: int) -> NDArray[np.intp]:
    height = axis.height(us)
    known = ~np.isnan(height)
    return np.where(known, np.minimum(np.where(known, height, 0) * levels, levels - 1).astype(np.intp), -1)


def _filled(low: Floats, high: Floats, axis: Axis, levels: int) -> NDArray[np.bool_]:
    """Which dots are set, rows from the top: all from lowest to highest sample, so that no spike is lost."""
    bottom, top = _level(axis, low, levels), _level(axis, high, levels)
    level = np.arange(levels - 1, -1, -1)[:, None]
    filled: NDArray[np.bool_] = (level >= bottom) & (level <= top) & (top >= 0)
    return filled


def _braille(low: Floats, high: Floats, axis: Axis, rows: int) -> list[str]:
    dots = _filled(low, high, axis, 4 * rows)
    codes: NDArray[Any] = np.einsum("rycx,yx->rc", dots.reshape(rows, 4, -1, 2).astype(int), _BRAILLE)
    return ["".join(chr(0x2800 + code) if code else " " for code in line) for line in codes.tolist()]


def _bars(low: Floats, high: Floats, axis: Axis, rows: int) -> list[str]:
    return [
        "".join("|" if cell else " " for cell in line) for line in _filled(low, high, axis, rows).tolist()
    ]


def _extend(parts: list[Part], glyph: str, style: str) -> None:
    if parts[-1][1] == style:
        parts[-1] = (parts[-1][0] + glyph, style)
    else:
        parts.append((glyph, style))


def _clock(seconds: int) -> str:
    """``45s``, ``3m45s``, ``10m``, ``1h30m``: to the second, as an axis needs it."""
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    return "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if count)


def _time_labels(columns: int, window: int) -> str:
    line = [" "] * columns
    # As many as fall on whole seconds.
    marks = next(marks for marks in ((4, 3, 1) if columns >= 48 else (2, 1)) if window % marks == 0)
    for mark in range(marks):
        label = "-" + _clock(window * (marks - mark) // marks)
        start = columns * mark // marks
        line[start : start + len(label)] = label
    line[-3:] = "now"
    return " " * LABEL + "".join(line)[:columns]
