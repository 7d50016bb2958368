"""Textual's widgets, drawn with ASCII characters only."""

from __future__ import annotations

from typing import ClassVar

from textual.scrollbar import ScrollBar, ScrollBarRender


class AsciiScrollBarRender(ScrollBarRender):
    """A scroll bar of coloured spaces, without partial block characters at its ends."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


def use_ascii_scrollbars() -> None:
    """Draws all scroll bars of the program in ASCII."""
    ScrollBar.renderer = AsciiScrollBarRender
