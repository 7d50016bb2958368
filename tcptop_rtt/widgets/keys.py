"""How keys are written, and the keys that move in everything that scrolls.

Each key is described once, in its binding. The key line, the help and the command palette are made from that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.events import Key
from textual.keys import _character_to_key, key_to_character

from tcptop_rtt.view import format as fmt

_NAMES = {
    "enter": "Enter",
    "escape": "Esc",
    "space": "Space",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "shift+left": "Shift-Left",
    "shift+right": "Shift-Right",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
    "shift+tab": "Shift-Tab",
    "comma": ",",
    "full_stop": ".",
    "slash": "/",
    "question_mark": "?",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
}

_CONTROL = re.compile("ctrl-[a-z]")
_FUNCTION_KEY = re.compile("f([1-9]|1[0-2])")

SORTING = Binding.Group("Sort by a column")
MOVING = Binding.Group("Move")
MOVE_KEYS = (
    Binding("up,k", "scroll_up", "Up", False, tooltip="One line up", id="up", group=MOVING),
    Binding("down,j", "scroll_down", "Down", False, tooltip="One line down", id="down", group=MOVING),
    Binding("pageup,ctrl+b", "page_up", "Page up", False, tooltip="One page up", id="page-up", group=MOVING),
    Binding(
        "pagedown,ctrl+f",
        "page_down",
        "Page down",
        False,
        tooltip="One page down",
        id="page-down",
        group=MOVING,
    ),
    Binding(
        "home,g",
        "scroll_home",
        "First line",
        False,
        tooltip="To the first line; in the table the selection stays there",
        id="first-line",
        group=MOVING,
    ),
    Binding(
        "end,G", "scroll_end", "Last line", False, tooltip="To the last line", id="last-line", group=MOVING
    ),
)


def key_name(key: str) -> str:
    """Returns a key as it is written on the screen: ``PgUp``, ``Ctrl-P``, ``?``."""
    if key.startswith("ctrl+"):
        return f"Ctrl-{key.removeprefix('ctrl+').upper()}"
    return _NAMES.get(key) or (key.upper() if _FUNCTION_KEY.fullmatch(key) else key_to_character(key) or key)


def pressed(event: Key) -> str:
    """Returns the key of an event as it is written; control characters never are."""
    return fmt.printable(event.character if event.is_printable and event.character else key_name(event.key))


def key_of(written: str) -> str | None:
    """Returns Textual's name of a written key; None if no key is written like this."""
    if len(written) == 1:
        return _character_to_key(written) if written.isprintable() and not written.isspace() else None
    small = written.lower()
    named = {name.lower(): key for key, name in _NAMES.items()}
    if small in named:
        return named[small]
    if _CONTROL.fullmatch(small):
        return f"ctrl+{small[-1]}"
    return small if _FUNCTION_KEY.fullmatch(small) else None


Keymap = Mapping[str, str]
"""Maps a binding's id to the keys that replace its own, as Textual names them."""


def chosen_keys(written: Mapping[str, str]) -> Keymap:
    """Returns the user's keys by the id of their binding, without those that are no key."""
    keys = {action: key_of(key) for action, key in written.items()}
    return {action: key for action, key in keys.items() if key is not None}


def keymap_of(app: App[None]) -> Keymap:
    """Returns the keymap that ``set_keymap`` has set."""
    return app._keymap


def keys_of(binding: Binding, keymap: Keymap) -> list[str]:
    """Returns all keys of a binding, as Textual names them."""
    return keymap.get(binding.id or "", binding.key).split(",")


def key_names(binding: Binding, keymap: Keymap) -> str:
    """Returns all keys of a binding, as they are written."""
    return " ".join(key_name(key) for key in keys_of(binding, keymap))


def bindings_of(owner: type[DOMNode]) -> list[Binding]:
    """Returns the bindings of a class and its bases, except Textual's own bindings, which have no id."""
    return [
        binding
        for declaring in owner.__mro__
        for binding in vars(declaring).get("BINDINGS", ())
        if isinstance(binding, Binding) and binding.id is not None
    ]
