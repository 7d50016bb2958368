"""What the screens that show live data have in common."""

from __future__ import annotations

from textual.message import Message
from textual.screen import Screen

from tcptop_rtt.model.snapshot import Snapshot


class LiveScreen(Screen[None]):
    """A screen that paints snapshots while it is the active one."""

    # A terminal of a few lines keeps them for data.
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-short"), (8, "-tall")]  # noqa: RUF012 - Textual declares it so

    class Resumed(Message):
        """It is uncovered again, and what it shows is old."""

    def on_screen_resume(self) -> None:
        self.post_message(self.Resumed())

    def show(self, snapshot: Snapshot) -> None:
        """Take the newest picture."""
        raise NotImplementedError

    def show_problem(self, text: str) -> None:
        """Say that there will be no newer picture, and why."""
        raise NotImplementedError
