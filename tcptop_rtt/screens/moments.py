"""The log of moments: when something began, and a way to go there."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from tcptop_rtt.past.moments import Log, Moment
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets.moment_list import MomentList


class MomentsScreen(ModalScreen[Moment | None]):
    """Shows the log over the table, and goes on updating it. Its result is the chosen moment."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,m,q", "leave", "Close", tooltip="Close the log of moments", id="close-moments"),
    ]

    def __init__(self, log: Log, glyphs: Glyphs) -> None:
        super().__init__(classes="" if glyphs.unicode else "-ascii")
        self.list = MomentList(glyphs)
        self.list.show(log)

    def compose(self) -> ComposeResult:
        self.list.border_title = "Moments"
        self.list.border_subtitle = "Enter: to that time  Esc: close"
        yield self.list

    def show(self, log: Log) -> None:
        """Shows the newest log."""
        self.list.show(log)

    def on_moment_list_chosen(self, message: MomentList.Chosen) -> None:
        if self.is_current:
            self.dismiss(message.moment)

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)
