"""The command palette: every command of a screen, found by a part of its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from textual import actions
from textual.app import App, SystemCommand
from textual.command import CommandPalette, SearchIcon
from textual.screen import Screen

from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets.keys import MOVING, SORTING, bindings_of


class Palette(CommandPalette):
    """Textual's command palette, with plain characters where the terminal has no others."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(
            placeholder="Type a part of a command's name", classes="" if glyphs.unicode else "-ascii"
        )

    def _action_command_list(self, action: str) -> None:
        # Textual looks for the highlighted line even before its list has laid out any.
        with suppress(KeyError):
            super()._action_command_list(action)

    def _action_escape(self) -> None:
        if self.is_current:  # a second Escape was already on its way
            super()._action_escape()

    def on_mount(self) -> None:
        self.query_one(SearchIcon).icon = ">"  # Textual's is an emoji, which not every terminal has


def commands(app: App[None], screen: Screen[None]) -> Iterator[SystemCommand]:
    """Yields what can be done on a screen now: its keys except for moving, and sorting by any column."""
    offered = {"command_palette"}
    for node in filter(None, (screen.focused, screen, app)):
        for binding in bindings_of(type(node)):
            _, name, parameters = actions.parse(binding.action)
            if (
                binding.group in (MOVING, SORTING)
                or binding.action in offered
                or not node.check_action(name, parameters)
            ):
                continue
            offered.add(binding.action)
            run = partial(app.run_action, binding.action, node)
            yield SystemCommand(binding.description, binding.tooltip, run)
    if isinstance(screen, MainScreen):
        for key, column in screen.table.sorts.items():
            sort = partial(screen.action_sort, key)
            yield SystemCommand(f"Sort by {column.title}", column.meaning.partition(";")[0], sort)
