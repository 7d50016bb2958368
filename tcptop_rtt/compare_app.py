"""The terminal app that shows a comparison."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key
from textual.screen import Screen

from tcptop_rtt.comparing.result import Result
from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.program_app import ProgramApp
from tcptop_rtt.screens.compared import ComparedScreen
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.preferences import Preferences
from tcptop_rtt.widgets.keys import pressed


class CompareApp(ProgramApp):
    """One screen with a result that does not change."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", tooltip="End the program", id="quit"),
    ]

    def __init__(self, result: Result, glyphs: Glyphs, preferences: Preferences) -> None:
        super().__init__(glyphs, preferences)
        self.main = ComparedScreen(result, glyphs)

    def get_default_screen(self) -> Screen[None]:
        return self.main

    async def on_key(self, event: Key) -> None:
        """Run the key's action, or say that the key does nothing."""
        event.prevent_default()
        if not await self._check_bindings(event.key) and not self.main.typing:
            self.tell(f"{pressed(event)} does nothing here")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the screen of the program's own cost: reading has ended."""
        return action != "own_health" and super().check_action(action, parameters)

    @property
    def health(self) -> Health:
        return Health()
