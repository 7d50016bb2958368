"""What has been compared, on the terminal."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key
from textual.screen import Screen

from tcptop_rtt.comparing.result import Result
from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.screens.compared import ComparedScreen
from tcptop_rtt.screens.program_keys import ProgramKeys
from tcptop_rtt.terminal.background import BackgroundTold
from tcptop_rtt.terminal.driver import TerminalDriver
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.palettes import for_background
from tcptop_rtt.view.preferences import Preferences
from tcptop_rtt.widgets import themes


class CompareApp(ProgramKeys):
    """One screen, of what does not change."""

    TITLE = "tcptop-rtt"
    CSS_PATH = "styles.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", tooltip="End the program", id="quit"),
        Binding("ctrl+c,ctrl+q", "quit", "Quit", False, priority=True, id="leave"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True, id="suspend"),
    ]

    def __init__(self, result: Result, glyphs: Glyphs, preferences: Preferences) -> None:
        super().__init__(driver_class=TerminalDriver)
        for each in themes.THEMES.values():
            self.register_theme(each)
        self.asks_background = preferences.theme is None and self.console.color_system in (
            "256",
            "truecolor",
        )
        self.theme = themes.first_theme(preferences.theme, self.console.color_system, self.no_color)
        self._glyphs = glyphs
        self._ui_loop: asyncio.AbstractEventLoop | None = None
        self._leaving = False
        self.main = ComparedScreen(result, glyphs)

    def get_default_screen(self) -> Screen[None]:
        return self.main

    def on_mount(self) -> None:
        if not self._glyphs.unicode:
            from tcptop_rtt.widgets.ascii import use_ascii_scrollbars

            use_ascii_scrollbars()
        self._ui_loop = asyncio.get_running_loop()
        if self._leaving:
            self.exit()

    def on_unmount(self) -> None:
        self._ui_loop = None

    def leave(self) -> None:
        """End, as ``q`` does; may be called by a signal handler."""
        self._leaving = True
        if self._ui_loop is not None:
            self._ui_loop.call_soon_threadsafe(self.exit)

    async def on_key(self, event: Key) -> None:
        """Say so where a key does nothing."""
        event.prevent_default()
        if not await self._check_bindings(event.key) and not self.main.typing:
            self.tell(f"{fmt.printable(event.character or event.key, self._glyphs)} does nothing here")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """This program costs nothing any more."""
        return action != "own_health" and super().check_action(action, parameters)

    def action_suspend_process(self) -> None:
        if isinstance(self._driver, TerminalDriver):
            self._driver.stop_job()

    @property
    def health(self) -> Health:
        return Health()

    @property
    def glyphs(self) -> Glyphs:
        return self._glyphs

    def use_mouse(self, on: bool) -> None:
        if isinstance(self._driver, TerminalDriver):
            self._driver.use_mouse(on)

    def on_background_told(self, message: BackgroundTold) -> None:
        """The terminal has answered; what the user has chosen meanwhile counts more."""
        if self.asks_background:
            self.asks_background = False
            self.theme = for_background(*message.rgb).name
