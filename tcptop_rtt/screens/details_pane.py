"""The details of the selected connection beside the table."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from tcptop_rtt.model.names import Names
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens import details_blocks
from tcptop_rtt.screens.details import RECENT_S
from tcptop_rtt.screens.details_title import TitleLines
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.watched import Watched
from tcptop_rtt.widgets.facts import FactPanel
from tcptop_rtt.widgets.rtt_chart import RttChart

SHOW_REST_S = 0.15
"""The selection rests so long before its details are drawn, so that moving it is not slowed down."""
TRACE_REST_S = 1.0
"""After so long again, every ACK is reported, which costs the connection time, and a scan."""


class DetailsPane(Vertical):
    """Shows chart and facts of the connection that it follows. While it is hidden, it costs nothing.

    :param set_trace: called with the connection of which every ACK is needed; None: none is needed any more
    """

    def __init__(
        self, first: Snapshot, names: Names, glyphs: Glyphs, set_trace: Callable[[int | None], object]
    ) -> None:
        super().__init__()
        self.display = False
        self.traced: int | None = None
        """The connection of which every ACK is needed; None: there is none."""
        self._set_trace = set_trace
        self._glyphs = glyphs
        self._snapshot = first
        self._names = names
        self._followed: int | None = None
        self._watched: Watched | None = None
        self._resting: Timer | None = None
        self._title = TitleLines(glyphs)
        self._chart = RttChart(glyphs)
        self._facts = FactPanel()
        self._facts.can_focus = False

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._chart
        yield self._facts

    def follow(self, connection: int | None) -> None:
        """Shows another connection as soon as the selection rests; with None, hides at once."""
        if connection == self._followed:
            return
        self._followed = connection
        if self._resting is not None:
            self._resting.stop()
        if connection is None:
            self.display = False
            self._watched = None
            self._trace(None)
        elif self._watched is None:
            self._begin()
        else:
            self._resting = self.set_timer(SHOW_REST_S, self._begin)

    def _begin(self) -> None:
        if self._followed is not None:
            self._watched = Watched(self._followed, self._snapshot, self._names)
            self.display = True
            self._draw()
            self._resting = self.set_timer(TRACE_REST_S, lambda: self._trace(self._followed))

    def _trace(self, connection: int | None) -> None:
        if connection != self.traced:
            self.traced = connection
            self._set_trace(connection)

    def paint(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        self._snapshot = snapshot
        if self._watched is not None:
            self._watched.take(snapshot)
            self._draw()

    def show_names(self, names: Names) -> None:
        """Shows these names, as far as they are known by now."""
        self._names = names
        if self._watched is not None:
            self._watched.names = names
            self.paint(self._snapshot)

    def on_resize(self) -> None:
        self._draw()  # the title's endpoints are cut to the width

    def _draw(self) -> None:
        watched = self._watched
        if watched is None:
            return
        self._title.show(watched, ["CLOSED"] * watched.closed)
        self._chart.show(watched.series(RECENT_S))
        row, verdict, other = watched.row, watched.verdict, watched.other
        if row is not None and verdict is not None:
            self._facts.show(details_blocks.blocks(row, watched.trace, verdict, self._glyphs, other))
