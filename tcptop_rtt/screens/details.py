"""The details of one connection: its RTT over time, its process, and what holds it up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens import details_blocks
from tcptop_rtt.screens.details_title import TitleLines
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.watched import Watched
from tcptop_rtt.widgets.facts import FactPanel
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.keys import MOVING
from tcptop_rtt.widgets.rtt_chart import RttChart

RECENT_S = 60.0
"""The chart shows so many seconds, unless the user wants everything."""
CURSOR_STRIDE = 10
"""The columns of a large step of the chart's cursor."""


class DetailsScreen(LiveScreen):
    """Shows the details of one connection. After its end the last values stay, marked CLOSED."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q",
            "leave",
            "Back",
            tooltip="Remove the chart's cursor, or go back to the table",
            id="back",
        ),
        Binding(
            "left_square_bracket",
            "neighbour(-1)",
            "Previous",
            False,
            tooltip="The details of the connection on the line above",
            id="previous",
        ),
        Binding(
            "right_square_bracket",
            "neighbour(1)",
            "Next",
            False,
            tooltip="The details of the connection on the line below",
            id="next",
        ),
        Binding(
            "z",
            "toggle('shows_all')",
            "Zoom",
            tooltip="Show the last minute in the chart, or everything",
            id="zoom",
        ),
        Binding(
            "left",
            "cursor(-1)",
            "Cursor",
            tooltip="A cursor in the chart reads time and value of its place; one column back",
            id="cursor-back",
            group=MOVING,
        ),
        Binding(
            "right",
            "cursor(1)",
            "Cursor on",
            False,
            tooltip="The cursor one column further",
            id="cursor-on",
            group=MOVING,
        ),
        Binding(
            "shift+left",
            f"cursor({-CURSOR_STRIDE})",
            "Cursor far back",
            False,
            tooltip=f"The cursor {CURSOR_STRIDE} columns back",
            id="cursor-far-back",
            group=MOVING,
        ),
        Binding(
            "shift+right",
            f"cursor({CURSOR_STRIDE})",
            "Cursor far on",
            False,
            tooltip=f"The cursor {CURSOR_STRIDE} columns further",
            id="cursor-far-on",
            group=MOVING,
        ),
    ]

    @dataclass
    class NeighbourWanted(Message):
        """The user wants to see the connection so many lines further in the table."""

        step: int
        shows_all: bool  # whether the chart shows everything here

    shows_all: var[bool] = var(False, init=False)
    """The chart shows everything, not just the last minute."""

    def __init__(
        self,
        id: int,  # noqa: A002
        first: Snapshot,
        glyphs: Glyphs,
        problem: str,
        shows_all: bool = False,
        names: Names = NO_NAMES,
    ) -> None:
        super().__init__(first)
        self.set_reactive(DetailsScreen.problem, problem)
        self.set_reactive(DetailsScreen.shows_all, shows_all)
        self._glyphs = glyphs
        self._watched = Watched(id, first, names)
        self._title = TitleLines(glyphs)
        self._chart = RttChart(glyphs)
        self._facts = FactPanel()

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._chart
        yield self._facts
        yield KeyLine()

    def on_mount(self) -> None:
        self._facts.focus()
        self.paint(self._latest)

    @property
    def connection_id(self) -> int:
        """The id of the connection."""
        return self._watched.id

    def watch_problem(self) -> None:
        self._show_title()

    def watch_frozen(self) -> None:
        super().watch_frozen()
        self._show_title()

    def watch_shows_all(self) -> None:
        self._show_chart()

    def watch_message(self) -> None:
        self._show_title()

    def action_leave(self) -> None:
        """Go one step back: let go of the chart's cursor, or else leave."""
        if self._chart.has_cursor:
            self._chart.drop_cursor()
        elif self.is_current:
            self.dismiss(None)

    @property
    def chosen(self) -> Connection | None:
        return self._watched.row

    def action_neighbour(self, step: int) -> None:
        """Leave for the details of another connection."""
        if self.is_current:
            self.post_message(self.NeighbourWanted(step, self.shows_all))

    def action_cursor(self, step: int) -> None:
        """Move the chart's cursor."""
        self._chart.move_cursor(step)

    def paint(self, snapshot: Snapshot) -> None:
        self._watched.take(snapshot)
        self._show_title()
        row, verdict, other = self._watched.row, self._watched.verdict, self._watched.other
        if row is not None and verdict is not None:
            self._facts.show(details_blocks.blocks(row, self._watched.trace, verdict, self._glyphs, other))
        self._show_chart()

    def _show_chart(self) -> None:
        self._chart.show(self._watched.series(math.inf if self.shows_all else RECENT_S))

    def _show_title(self) -> None:
        flags = [name for on, name in ((self._watched.closed, "CLOSED"), (self.frozen, "FROZEN")) if on]
        self._title.show(self._watched, flags, self.message, self.problem)
