"""A line that stands for a recording. A click on it goes to that time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from textual.events import Click
from textual.message import Message

from tcptop_rtt.feeds.base import Playing
from tcptop_rtt.model.outside import is_natural
from tcptop_rtt.past.moments import SEVERE
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.time_line import NO_MARKS, Marks, time_at, time_line
from tcptop_rtt.widgets.styled import COMMON_STYLES, StyledLines, component_classes


class TimeLine(StyledLines):
    """One line, on which marks show the moments."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("time-line", "value", "here", *COMMON_STYLES)

    @dataclass
    class Wanted(Message):
        """The user wants to go to a time."""

        time_ns: int

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._playing = Playing()
        self._marks = NO_MARKS

    def show(self, playing: Playing) -> None:
        """Shows the state of the playback."""
        if playing.moments is not self._playing.moments:  # most snapshots bring the same moments
            self._marks = _marks_of(playing.moments)
        self._playing = playing
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        playing, width = self._playing, self.size.width - 2
        line = time_line(playing.first_ns, playing.last_ns, playing.at_ns, self._marks, width, self._glyphs)
        self.set_lines([line])

    def on_click(self, event: Click) -> None:
        found = time_at(event.x - 1, self._playing.first_ns, self._playing.last_ns, self.size.width - 2)
        if found is not None:
            self.post_message(self.Wanted(found))


def _marks_of(moments: Sequence[Mapping[str, Any]]) -> Marks:
    """Returns the marks of a stream's moments. Anybody may have written the stream, even invalid times."""
    found = [(moment.get("time_ns"), moment.get("kind") in SEVERE) for moment in moments]
    found = [(time_ns, severe) for time_ns, severe in found if is_natural(time_ns)]
    times_ns, severe = zip(*found, strict=True) if found else ((), ())
    return Marks(np.array(times_ns, np.int64), np.array(severe, bool))
