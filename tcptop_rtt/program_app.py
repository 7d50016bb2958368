"""The base of the program's apps: the terminal driver, the themes, and how an app ends."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import ClassVar

from textual._styles_cache import StylesCache
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType

from tcptop_rtt.model.errors import TcptopError, shortage
from tcptop_rtt.screens.program_keys import ProgramKeys
from tcptop_rtt.terminal.background import BackgroundReported
from tcptop_rtt.terminal.driver import TerminalDriver
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.palettes import for_background
from tcptop_rtt.view.preferences import Preferences
from tcptop_rtt.widgets import themes
from tcptop_rtt.widgets.keys import chosen_keys


class ProgramApp(ProgramKeys):
    """An app on the terminal.

    :param preferences: without a theme in them the app chooses one that fits the terminal; keys are checked
    """

    TITLE = "tcptop-rtt"
    CSS_PATH = "styles.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Priority makes them work while the user types, and before Textual's own bindings.
        Binding(
            "ctrl+c,ctrl+q",
            "quit",
            "Quit",
            False,
            priority=True,
            tooltip="End the program, even while something is typed",
            id="leave",
        ),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            priority=True,
            tooltip="Give the shell back; fg goes on",
            id="suspend",
        ),
    ]

    def __init__(self, glyphs: Glyphs, preferences: Preferences) -> None:
        super().__init__(driver_class=TerminalDriver)
        if preferences.keys:
            self.set_keymap(chosen_keys(preferences.keys))
        self.problem: TcptopError | OSError | None = None
        """Why the app failed; None if it did not."""
        theme = preferences.theme
        for each in themes.THEMES.values():
            self.register_theme(each)
        self.asks_background = theme is None and self.console.color_system in ("256", "truecolor")
        self.theme = themes.first_theme(theme, self.console.color_system, self.no_color)
        self._glyphs = glyphs
        self._leaving = False
        self._ui_loop: asyncio.AbstractEventLoop | None = None

    def on_mount(self) -> None:
        if not self._glyphs.unicode:
            from tcptop_rtt.widgets.ascii import use_ascii_scrollbars

            use_ascii_scrollbars()
        self._ui_loop = asyncio.get_running_loop()
        if self._leaving:
            self.exit()

    def on_unmount(self) -> None:
        self._ui_loop = None
        self._leaving = True
        self.end_work()

    def _handle_exception(self, error: Exception) -> None:
        """End with one line of text. Textual would print pages, with the values of variables."""
        if self._exception is None:
            self._exception = error
            self._exception_event.set()  # Textual's pilot raises it again
            self.problem = TcptopError(_describe(error))
        self._close_messages_no_wait()

    def pop_screen(self) -> AwaitComplete:
        """Close the topmost screen and free its drawn lines: Textual keeps those of 1,024 widgets."""
        closed = super().pop_screen()
        if clear := getattr(getattr(StylesCache, "get_inner_outer", None), "cache_clear", None):
            clear()  # private to Textual: another version may lack it
        return closed

    def end_work(self) -> None:
        """End the work beside the screen, such as the feed."""

    def leave(self) -> None:
        """End the app as ``q`` does. May be called at any time, and by a signal handler."""
        self._leaving = True
        if self._ui_loop is not None:
            self._ui_loop.call_soon_threadsafe(self.exit)

    def action_suspend_process(self) -> None:
        if isinstance(self._driver, TerminalDriver):
            self._driver.stop_job()

    @property
    def glyphs(self) -> Glyphs:
        return self._glyphs

    def use_mouse(self, on: bool) -> None:
        if isinstance(self._driver, TerminalDriver):
            self._driver.use_mouse(on)

    def on_background_reported(self, message: BackgroundReported) -> None:
        """Choose the theme for this background, unless the user has chosen one meanwhile."""
        if self.asks_background:
            self.asks_background = False
            self.theme = for_background(*message.rgb).name


def _describe(error: Exception) -> str:
    """Return one line that says what there is too little of, or else what failed, and where."""
    if lacking := shortage(error):
        return lacking
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = fmt.printable(" ".join(str(error).split()), UNICODE)
    return f"the dashboard has failed, please report it: {type(error).__name__}: {text}{place}"
