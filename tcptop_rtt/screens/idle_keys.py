"""Why a key does nothing where it is pressed."""

from __future__ import annotations

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key

from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.widgets.keys import bindings_of, key_name, keymap_of, keys_of, pressed


def why_nothing(app: App[None], screen: LiveScreen, event: Key) -> str:
    """Returns one sentence that says why a key has done nothing."""
    keymap = keymap_of(app)
    name = pressed(event)
    for node in filter(None, (screen.focused, screen, app)):
        for binding in bindings_of(type(node)):
            if event.key in keys_of(binding, keymap):
                reason = _reason(screen, binding.id or "")
                if reason:
                    return f"{name}: {reason}"
    if any(event.key in keys_of(binding, keymap) for binding in bindings_of(_other(screen))):
        place = "the table" if _other(screen) is MainScreen else "the details of a connection"
        return f"{name} works in {place} only"
    return f"{name} does nothing here; {_key_of(app, type(app), 'help')} shows the keys"


def _key_of(app: App[None], node: type[DOMNode], action: str) -> str:
    """Returns the name of the first key of an action, by the id of its binding."""
    (key,) = (keys_of(one, keymap_of(app))[0] for one in bindings_of(node) if one.id == action)
    return key_name(key)


def _reason(screen: LiveScreen, action: str) -> str:
    """Returns why a key of this screen does nothing now, by the id of its binding; empty: not known."""
    if action in screen.IDLE:
        return screen.IDLE[action]
    if not isinstance(screen, MainScreen):
        return ""
    nothing = "" if screen.table.lines else "there is no line to choose"
    no_column = "this table has no such column"
    not_past = f"in the past only: {_key_of(screen.app, type(screen), 'past')} goes there"
    return {
        "details": nothing,
        "follow": nothing,
        "copy-remote": nothing or "the address of a connection: Enter shows those of the group",
        "copy-command": nothing or "the command of a connection: Enter shows those of the group",
        "slower": "it does not refresh any less often",
        "faster": "it does not refresh any more often",
        "play-faster": "it plays no faster",
        "play-slower": "it plays no more slowly",
        "earlier": not_past,
        "later": not_past,
        "sort-why": no_column,
        "sort-rtt": no_column,
        "sort-process": no_column,
        "scale": no_column,
        "back-to-groups": "there is no filter to clear, and no group to leave",
    }.get(action, "")


def _other(screen: LiveScreen) -> type[DOMNode]:
    from tcptop_rtt.screens.details import DetailsScreen

    return DetailsScreen if isinstance(screen, MainScreen) else MainScreen
