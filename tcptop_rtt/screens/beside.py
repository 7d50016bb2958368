"""The table, and beside it, where there is room, the details of the selected connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import var

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets.connection_table import ConnectionTable

if TYPE_CHECKING:
    from tcptop_rtt.screens.details_pane import DetailsPane

WIDE = 200
"""From so many columns on, details stand beside the table once a connection is selected."""
LEAST_WIDTH = 140
"""From so many columns on they may."""


class TableAndDetails(Horizontal):
    """The table shares its place with the details, which follow its selection."""

    @dataclass
    class TraceWanted(Message):
        """Every ACK of a connection is of use here; None: of none any more."""

        id: int | None

    wanted: var[bool | None] = var(None, init=False)
    """Whether there should be details; None: where there is much room."""

    def __init__(self, table: ConnectionTable, first: Snapshot, glyphs: Glyphs) -> None:
        super().__init__()
        self._table = table
        self._snapshot = first
        self._glyphs = glyphs
        self._pane: DetailsPane | None = None  # once it has been wanted

    def compose(self) -> ComposeResult:
        yield self._table

    def on_mount(self) -> None:
        for name in ("pinned", "page", "filter", "shown"):
            self.watch(self._table, name, self._place_later, init=False)

    def _place_later(self) -> None:
        self.call_later(self._place)  # the table has to go by the change first

    def on_resize(self) -> None:
        self._place()

    def watch_wanted(self) -> None:
        self._place()

    @property
    def traced(self) -> int | None:
        """The connection of which every ACK is of use here."""
        return None if self._pane is None else self._pane.traced

    def paint(self, snapshot: Snapshot) -> None:
        """Show a snapshot, in the table and beside it."""
        self._table.show(snapshot)
        self._snapshot = snapshot
        if self._pane is not None:
            self._pane.paint(snapshot)
        self._place()

    def toggle(self) -> str:
        """Show the details, or hide them; why nothing has happened, if so."""
        if self._pane is not None and self._pane.display:
            self.wanted = False
        elif self._table.cursor_id is None or self._table.page.kind is not None:
            return "only a connection has details"
        elif self.size.width < LEAST_WIDTH:
            return f"a terminal of {LEAST_WIDTH} columns has room for details beside the table"
        else:
            self._table.select(self._table.cursor_id)
            self.wanted = True
        return ""

    def _place(self) -> None:
        """Let the details follow the selection, or hide them."""
        table = self._table
        room = self.size.width >= (WIDE if self.wanted is None else LEAST_WIDTH)
        selected = table.pinned is not None and table.page.kind is None
        connection = table.cursor_id if room and selected and self.wanted is not False else None
        if self._pane is None and connection is not None:
            from tcptop_rtt.screens.details_pane import DetailsPane

            self._pane = DetailsPane(self._snapshot, self._glyphs, self._want_trace)
            self.mount(self._pane)
        if self._pane is not None:
            self._pane.follow(connection)

    def _want_trace(self, connection: int | None) -> None:
        self.post_message(self.TraceWanted(connection))
