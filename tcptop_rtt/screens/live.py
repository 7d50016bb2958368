"""What the screens that show live data have in common."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var
from textual.screen import Screen

from tcptop_rtt.model.snapshot import Snapshot


class LiveScreen(Screen[None]):
    """A screen that paints snapshots while it is the active one, and keeps one while it is frozen."""

    # A terminal of a few lines keeps them for data.
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-short"), (8, "-tall")]  # noqa: RUF012 - Textual declares it so

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "space",
            "toggle('frozen')",
            "Freeze",
            tooltip="Freeze the display, or let it go on; measuring never stops",
            id="freeze",
        ),
    ]

    frozen: var[bool] = var(False, init=False)
    problem: var[str] = var("", init=False)
    """Why there will be no newer snapshot."""

    class Resumed(Message):
        """It is uncovered again, and what it shows is old."""

    def __init__(self, first: Snapshot) -> None:
        super().__init__()
        self._latest = first

    def on_screen_resume(self) -> None:
        self.post_message(self.Resumed())

    def watch_frozen(self) -> None:
        self.show(self._latest)

    def show(self, snapshot: Snapshot) -> None:
        """Take the newest snapshot; a frozen screen keeps the one that it shows."""
        self._latest = snapshot
        if not self.frozen:
            self.paint(snapshot)

    def paint(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        raise NotImplementedError
