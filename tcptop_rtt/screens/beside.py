"""The table and, if there is room beside it, the details of the selected connection."""

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
"""From this width on, the details of a selected connection are shown unless the user hides them."""
LEAST_WIDTH = 140
"""From this width on, the user can show details."""


class TableAndDetails(Horizontal):
    """The table, and the details beside it, which follow the table's selection."""

    @dataclass
    class TraceWanted(Message):
        """The details need every ACK of a connection; None: they no longer need any."""

        id: int | None

    wanted: var[bool | None] = var(None, init=False)
    """Whether the user wants details; None: they are shown from the width WIDE on."""

    def __init__(self, table: ConnectionTable, first: Snapshot, glyphs: Glyphs) -> None:
        super().__init__()
        self._table = table
        self._snapshot = first
        self._glyphs = glyphs
        self._pane: DetailsPane | None = None  # created when first needed

    def compose(self) -> ComposeResult:
        yield self._table

    def on_mount(self) -> None:
        for name in ("pinned", "page", "filter", "shown"):
            self.watch(self._table, name, self._place_later, init=False)
        self.watch(self._table, "names", self._show_names, init=False)

    def _place_later(self) -> None:
        self.call_later(self._place)  # the table has to react to the change first

    def on_resize(self) -> None:
        self._place()

    def watch_wanted(self) -> None:
        self._place()

    @property
    def traced(self) -> int | None:
        """The connection of which the details need every ACK; None: there is none."""
        return None if self._pane is None else self._pane.traced

    def paint(self, snapshot: Snapshot) -> None:
        """Shows a snapshot in the table and in the details."""
        self._table.show(snapshot)
        self._snapshot = snapshot
        if self._pane is not None:
            self._pane.paint(snapshot)
        self._place()

    def show_new_names(self) -> None:
        """Shows the names that have come since the last snapshot."""
        self._table.show_new_names()
        self._show_names()

    def _show_names(self) -> None:
        if self._pane is not None:
            self._pane.show_names(self._table.names)

    def toggle(self) -> str:
        """Shows or hides the details. Returns why nothing has happened; empty: something has."""
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
        """Lets the details follow the selection, or hides them."""
        table = self._table
        room = self.size.width >= (WIDE if self.wanted is None else LEAST_WIDTH)
        selected = table.pinned is not None and table.page.kind is None
        connection = table.cursor_id if room and selected and self.wanted is not False else None
        if self._pane is None and connection is not None:
            from tcptop_rtt.screens.details_pane import DetailsPane

            self._pane = DetailsPane(self._snapshot, self._table.names, self._glyphs, self._want_trace)
            self.mount(self._pane)
        if self._pane is not None:
            self._pane.follow(connection)

    def _want_trace(self, connection: int | None) -> None:
        self.post_message(self.TraceWanted(connection))
