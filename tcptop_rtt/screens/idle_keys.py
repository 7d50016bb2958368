"""Why a key does nothing where it is pressed."""

from __future__ import annotations

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key

from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.view import format as fmt
from tcptop_rtt.widgets.keys import bindings_of, key_name, keymap_of, keys_of


def why_nothing(app: App[None], screen: LiveScreen, event: Key) -> str:
    """One sentence."""
    keymap = keymap_of(app)
    pressed = event.character if event.is_printable and event.character else key_name(event.key)
    name = fmt.printable(pressed)
    for node in filter(None, (screen.focused, screen, app)):
        for binding in bindings_of(type(node)):
            if event.key in keys_of(binding, keymap):
                reason = screen.why_not(binding.id or "")
                if reason:
                    return f"{name}: {reason}"
    if any(event.key in keys_of(binding, keymap) for binding in bindings_of(_other(screen))):
        place = "the table" if _other(screen) is MainScreen else "the details of a connection"
        return f"{name} works in {place} only"
    (shows,) = (keys_of(binding, keymap)[0] for binding in bindings_of(type(app)) if binding.id == "help")
    return f"{name} does nothing here; {key_name(shows)} shows the keys"


def _other(screen: LiveScreen) -> type[DOMNode]:
    from tcptop_rtt.screens.details import DetailsScreen

    return DetailsScreen if isinstance(screen, MainScreen) else MainScreen
