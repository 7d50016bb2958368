"""Keeps track of what the terminal shows, so that only changed cells are written.

Textual paints a whole line when one of its cells has changed. Rich sets all attributes before each text, and
resets them after it. Over a slow connection most of that is waste.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from rich.cells import cell_len

from tcptop_rtt.terminal.attributes import PLAIN, Attributes, added, difference

_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m|\x1b\[([0-9]+);([0-9]+)H|(\n)|(\x1b\[\?(?:25|2026)[hl])")
"""SGR, a cursor position, a line feed, or a mode that paints nothing: cursor visible, synchronised output."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Control characters in the remaining text: they may begin a sequence with any effect."""

_NEAR = 8
"""Moving the cursor costs as much output as writing this many cells again."""
_DOUBT_S = 1.0
"""At this interval one line is forgotten, as other programs may have written to the terminal."""

_Cell = tuple[str, Attributes]
_Line = dict[int, _Cell]
"""Cells by column, from 1."""


class Contents:
    """Keeps track of the cells, attributes and cursor of one terminal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._doubted_s = clock()
        self._doubted = 0
        self._lines: dict[int, _Line] = {}
        self._set = PLAIN
        self._wanted = PLAIN
        self._cursor: tuple[int, int] | None = None  # line and column; None: unknown
        self._place: tuple[int, int] | None = None  # where the cursor is wanted; None: unknown

    def forget(self) -> None:
        """Forgets what the terminal shows."""
        self._lines.clear()
        self._cursor = None

    def update(self, text: str) -> str:
        """Returns output with the same effect as a text, without the cells that are shown already.

        :param text: contains complete sequences only
        """
        self._doubt()
        found: list[str] = []
        end = 0
        for escape in _ESCAPE.finditer(text):
            if escape.start() > end:
                self._text(text[end : escape.start()], found)
            end = escape.end()
            self._escape(escape, found)
        if len(text) > end:
            self._text(text[end:], found)
        self._move(found)
        return "".join(found)

    def _doubt(self) -> None:
        now = self._clock()
        if self._lines and now >= self._doubted_s + _DOUBT_S:
            self._doubted_s = now
            lines = sorted(self._lines)
            self._doubted = next((line for line in lines if line > self._doubted), lines[0])
            del self._lines[self._doubted]

    def _escape(self, escape: re.Match[str], found: list[str]) -> None:
        parameters, line, column, newline, mode = escape.groups()
        if parameters is not None:
            self._wanted = added(self._wanted, parameters or "0")
        elif line is not None:
            self._place = int(line), int(column)
        elif mode is not None:
            found.append(mode)
        elif self._place is None:
            found.append(newline)
        else:
            # The kernel's terminal driver adds a carriage return to a line feed.
            self._place = self._place[0] + 1, 1

    def _text(self, text: str, found: list[str]) -> None:
        if self._place is None or _UNSAFE.search(text):
            self._move(found)
            found += difference(self._set, self._wanted), text
            self._set = self._wanted
            self._place = None
            self.forget()
            return
        line, column = self._place
        cells = _cells(text, self._wanted)
        self._place = line, column + len(cells)
        shown = self._lines.setdefault(line, {})
        start = 0
        while start < len(cells):
            if shown.get(column + start) == cells[start]:
                start += 1
                continue
            while start and not cells[start][0]:
                start -= 1  # a wide character is only written whole
            end = _end_of_change(shown, cells, column, start)
            self._write(cells[start:end], line, column + start, found)
            _replace(shown, column + start, cells[start:end])
            start = end

    def _write(self, cells: list[_Cell], line: int, column: int, found: list[str]) -> None:
        if self._cursor != (line, column):
            found.append(f"\x1b[{line};{column}H")
        found += difference(self._set, self._wanted), "".join(character for character, _ in cells)
        self._set = self._wanted
        self._cursor = line, column + len(cells)

    def _move(self, found: list[str]) -> None:
        if self._place is not None and self._cursor != self._place:
            found.append(f"\x1b[{self._place[0]};{self._place[1]}H")
            self._cursor = self._place


def _cells(text: str, attributes: Attributes) -> list[_Cell]:
    """Returns the cells. A wide character's second cell is empty; a zero-width one joins the cell before."""
    if text.isascii():
        return [(character, attributes) for character in text]
    cells: list[_Cell] = []
    for character in text:
        width = cell_len(character)
        if width:
            cells += [(character, attributes), *[("", attributes)] * (width - 1)]
        elif cells:
            cells[-1] = (cells[-1][0] + character, attributes)
    return cells


def _end_of_change(shown: _Line, cells: list[_Cell], column: int, start: int) -> int:
    """Returns where the change ends: after the last changed cell before _NEAR unchanged ones."""
    end = start + 1
    for at in range(start + 1, len(cells)):
        if at - end >= _NEAR:
            break
        if shown.get(column + at) != cells[at] or not cells[at][0]:
            end = at + 1
    return end


def _replace(shown: _Line, column: int, cells: list[_Cell]) -> None:
    """Stores written cells. Overwriting half of a wide character removes its other half."""
    end = column + len(cells)
    if shown.get(column, " ")[0] == "":
        shown.pop(column - 1, None)
    if shown.get(end, " ")[0] == "":
        shown.pop(end)
    shown.update(zip(range(column, end), cells, strict=True))
