"""Where each key works, and the keys that the user has chosen instead."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import App
from textual.binding import Binding

from tcptop_rtt.model.errors import UsageError
from tcptop_rtt.screens.common import CommonScreen
from tcptop_rtt.screens.details import DetailsScreen
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.screens.moments import MomentsScreen
from tcptop_rtt.screens.over import HealthScreen, SortScreen
from tcptop_rtt.screens.replay import ReplayScreen
from tcptop_rtt.screens.seek import SeekScreen
from tcptop_rtt.widgets.connection_table import ConnectionTable
from tcptop_rtt.widgets.filter_line import FilterInput
from tcptop_rtt.widgets.keys import MOVE_KEYS, Keymap, bindings_of, key_name, key_of, keys_of
from tcptop_rtt.widgets.moment_list import MomentList

_FIXED = {"leave"}
"""Actions whose keys cannot be changed: they always end the program."""


def placed(app: type[App[None]]) -> dict[str, list[Binding]]:
    """Returns all bindings, by the place where they work."""
    general = [*bindings_of(LiveScreen), *bindings_of(app)]
    table = [*bindings_of(ConnectionTable), *bindings_of(MainScreen)]
    moments = [*bindings_of(MomentList), *bindings_of(MomentsScreen)]
    others = {id(binding) for binding in (*general, *MOVE_KEYS)}
    return {
        "IN THE TABLE": [binding for binding in table if id(binding) not in others],
        "IN A RECORDING": [binding for binding in ReplayScreen.BINDINGS if isinstance(binding, Binding)],
        "TYPING A TIME": bindings_of(SeekScreen),
        "IN THE FILTER": bindings_of(FilterInput),
        "WHILE SORTING": bindings_of(SortScreen),
        "IN OWN COST": bindings_of(HealthScreen),
        "IN THE DETAILS": [binding for binding in bindings_of(DetailsScreen) if id(binding) not in others],
        "IN COMMON": [binding for binding in bindings_of(CommonScreen) if id(binding) not in others],
        "IN THE MOMENTS": [binding for binding in moments if id(binding) not in others],
        "IN BOTH": general,
        "MOVING": list(MOVE_KEYS),
    }


def actions(app: type[App[None]]) -> list[str]:
    """Returns the ids of the actions whose keys can be changed."""
    ids = (binding.id for bindings in placed(app).values() for binding in bindings)
    return [each for each in ids if each and each not in _FIXED]


def keymap(chosen: Mapping[str, str], app: type[App[None]]) -> Keymap:
    """Returns chosen keys in Textual's form.

    :param chosen: keys as the user writes them, by the ids of actions
    :raises UsageError: there is no such action or key, or another action has the key
    """
    found = {}
    for action, written in chosen.items():
        if action not in actions(app):
            raise UsageError(f"keys: {action!a} is none of {', '.join(actions(app))}")
        key = key_of(written)
        if key is None:
            raise UsageError(
                f"keys.{action}: {written!a} is no key: a character, F1 to F12, Ctrl-A to Ctrl-Z, "
                "Enter, Esc, Space, Tab, Up, Down, PgUp, PgDn, Home or End"
            )
        found[action] = key
    _refuse_clashes(found, app)
    return found


def _refuse_clashes(found: Keymap, app: type[App[None]]) -> None:
    places = placed(app)
    everywhere = [*places.pop("IN BOTH"), *places.pop("MOVING")]
    for bindings in places.values():
        owners: dict[str, str] = {}
        for binding in (*bindings, *everywhere):
            action = binding.id or ""
            for key in keys_of(binding, found):
                other = owners.setdefault(key, action)
                if other != action and found.keys() & {action, other}:
                    mine, theirs = (action, other) if action in found else (other, action)
                    or_else = "" if theirs in _FIXED else f", or another one for {theirs}, too"
                    raise UsageError(
                        f"keys.{mine}: {key_name(key)} is the key of {theirs}: choose another one{or_else}"
                    )
