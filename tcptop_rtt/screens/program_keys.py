"""Keys that work on every screen, and the message for a key that does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Key

from tcptop_rtt.model.reach import Rights
from tcptop_rtt.model.snapshot import Health, OwnCost
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets import themes

if TYPE_CHECKING:
    from tcptop_rtt.screens.over import HealthScreen


class ProgramKeys(App[None]):
    """The actions of the keys that work on every screen; the dashboard is built upon this class."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "i",
            "own_health",
            "Own cost",
            False,
            tooltip="What this program costs: records, scans, processor, memory, rights; what it has lost",
            id="own-health",
        ),
        Binding(
            "M",
            "toggle_mouse",
            "Mouse",
            False,
            tooltip="Leave the mouse to the terminal, so that it selects text, or take it back",
            id="mouse",
        ),
        Binding(
            "t",
            "next_theme",
            "Theme",
            False,
            tooltip="The next theme: dark, light, high contrast, 16 colours",
            id="theme",
        ),
    ]

    asks_background: bool
    """Whether the terminal's background decides on the theme."""
    _own_health: HealthScreen | None = None
    _mouse = True

    @property
    def health(self) -> Health:
        """How the program is doing."""
        raise NotImplementedError

    @property
    def glyphs(self) -> Glyphs:
        """The characters that the terminal has."""
        raise NotImplementedError

    def use_mouse(self, on: bool) -> None:
        """Take the mouse from the terminal, or leave it there."""
        raise NotImplementedError

    @property
    def cost(self) -> OwnCost | None:
        """The cost of the program, as measured last; None: never."""
        return None

    @property
    def rights(self) -> Rights:
        """Whose rights the program uses on this machine, and which; empty: it uses none."""
        return ()

    @property
    def measure_cost(self) -> Callable[[], None] | None:
        """Measures the cost; None: it cannot be measured."""
        return None

    def show_health(self) -> None:
        """Shows the newest values if the screen of the own cost is open."""
        if self._own_health is not None and self.screen is self._own_health:
            self._own_health.show(self.health, self.cost, self.rights)

    def action_own_health(self) -> None:
        from tcptop_rtt.screens.over import HealthScreen

        self._own_health = HealthScreen(self.health, self.cost, self.rights, self.glyphs, self.measure_cost)
        self.push_screen(self._own_health)

    def action_toggle_mouse(self) -> None:
        self._mouse = not self._mouse
        self.use_mouse(self._mouse)
        says = (
            "the mouse works in this program again"
            if self._mouse
            else "the mouse is the terminal's: it selects text"
        )
        self.tell(says)

    async def on_key(self, event: Key) -> None:
        """Runs the key's binding, as Textual would do last; if there is none, says why nothing happens."""
        event.prevent_default()
        if await self._check_bindings(event.key):
            return
        screen = self.screen
        if isinstance(screen, LiveScreen) and not (isinstance(screen, MainScreen) and screen.typing):
            from tcptop_rtt.screens.idle_keys import why_nothing

            screen.tell(why_nothing(self, screen, event))

    def tell(self, message: str) -> None:
        """Shows a message for a moment, if the screen has a line for it."""
        if isinstance(self.screen, LiveScreen):
            self.screen.tell(message)

    def action_next_theme(self) -> None:
        self.asks_background = False
        self.theme = themes.next_theme(self.theme, self.no_color)
        self.tell(f"theme: {self.theme}")
