"""What the screens that show live data have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var
from textual.screen import Screen
from textual.timer import Timer

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import checks

MESSAGE_S = 3.0


class LiveScreen(Screen[None], inherit_bindings=False):
    """A screen that paints each snapshot while it is the active one, unless it is frozen."""

    # A terminal of a few lines uses all of them for data.
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-short"), (8, "-tall"), (40, "-high")]  # noqa: RUF012 - Textual declares it so

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "space",
            "toggle('frozen')",
            "Freeze",
            tooltip="Freeze or resume the display; measuring continues",
            id="freeze",
        ),
        Binding(
            "y",
            "copy('remote')",
            "Copy",
            False,
            tooltip="Copy the peer's address to the clipboard, if the terminal allows it (OSC 52)",
            id="copy-remote",
        ),
        Binding(
            "Y",
            "copy('command')",
            "Copy command",
            False,
            tooltip="Copy the ss command that shows the connection",
            id="copy-command",
        ),
    ]

    IDLE: ClassVar[Mapping[str, str]] = {}
    """Why keys never do anything on this screen, by the ids of their bindings."""

    frozen: var[bool] = var(False, init=False)
    problem: var[str] = var("", init=False)
    """Why there will be no newer snapshot."""
    message: var[str] = var("", init=False)
    """What has just been done, or why nothing has."""

    class Resumed(Message):
        """The screen is uncovered again, and what it shows is old."""

    def __init__(self, first: Snapshot) -> None:
        super().__init__()
        self._latest = first
        self._silencer: Timer | None = None

    @property
    def chosen(self) -> Connection | None:
        """The connection that keys act on; None: there is none."""
        raise NotImplementedError

    def action_copy(self, what: str) -> None:
        """Copies the peer's address or the ss command of the connection, and says so."""
        row = self.chosen
        if row is not None and what == "command" and row.closed:
            self.tell("it is closed: no command shows it any more")
        elif row is not None:
            text = checks.remote(row) if what == "remote" else checks.by_ss(row, self._latest.health.netns)
            self.app.copy_to_clipboard(text)
            self.tell(f"copied: {text}")

    def tell(self, message: str) -> None:
        """Shows for a while what has been done, or why nothing has; an empty message clears the old one."""
        self.message = message
        if self._silencer is not None:
            self._silencer.stop()
        self._silencer = self.set_timer(MESSAGE_S, self._clear_message)

    def _clear_message(self) -> None:
        self.message = ""

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
