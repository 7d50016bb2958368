"""A recording as a line: a click goes to a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.events import Click
from textual.message import Message

from tcptop_rtt.feeds.base import Playing
from tcptop_rtt.past.side_signs import CONNECT, OVERFLOW
from tcptop_rtt.past.signs import STOPS
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.time_line import time_at, time_line
from tcptop_rtt.widgets.styled import COMMON_STYLES, StyledLines, component_classes


class TimeLine(StyledLines):
    """One line; marks are the moments."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("time-line", "value", "here", *COMMON_STYLES)

    @dataclass
    class Wanted(Message):
        """The user wants to see a time."""

        time_ns: int

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._playing = Playing()

    def show(self, playing: Playing) -> None:
        """Go by how it is played."""
        self._playing = playing
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        playing = self._playing
        stops = (STOPS, CONNECT, OVERFLOW)
        marks = [
            (moment["time_ns"], "bad" if moment.get("kind") in stops else "warn")
            for moment in playing.moments
            if isinstance(moment.get("time_ns"), int)
        ]
        marks.sort(key=lambda mark: mark[1] == "bad")
        width = self.size.width - 2
        line = time_line(playing.first_ns, playing.last_ns, playing.at_ns, marks, width, self._glyphs)
        self.set_lines([line])

    def on_click(self, event: Click) -> None:
        found = time_at(event.x - 1, self._playing.first_ns, self._playing.last_ns, self.size.width - 2)
        if found is not None:
            self.post_message(self.Wanted(found))
