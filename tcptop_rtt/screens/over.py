"""What lies over the table for a moment: the letters of its columns, and how the program itself is doing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.screen import ModalScreen

from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.view import own_health
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.table import Column
from tcptop_rtt.widgets.styled import COMMON_STYLES, Part, StyledLines, component_classes

_LABEL = 15


class OverLines(StyledLines):
    """The lines of what lies over a screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("over", "title", "key", "value", *COMMON_STYLES)

    def set_lines(self, lines: list[list[Part]]) -> None:
        super().set_lines(lines)
        self.styles.height = len(lines)


class SortScreen(ModalScreen[str | None]):
    """Asks for the letter of a column; its answer is the key of the column, None if there shall be none.

    :param letters: the columns to choose from
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", False, tooltip="Keep the order", id="cancel-sort"),
    ]

    def __init__(self, letters: Mapping[str, Column]) -> None:
        super().__init__()
        self._letters = letters
        self._lines = OverLines()

    def compose(self) -> ComposeResult:
        yield self._lines

    def on_mount(self) -> None:
        self._show("")

    def on_resize(self) -> None:
        self._show("")

    def _show(self, message: str) -> None:
        head: list[Part] = [("Sort by ", "title"), ("(Esc: keep the order)  ", "dim"), (message, "bad")]
        lines, room = [head], 0
        for letter, column in self._letters.items():
            parts: list[Part] = [(letter, "key"), (f" {column.title}  ", "value")]
            width = sum(len(text) for text, _ in parts)
            if width > room:
                lines.append([])
                room = max(1, self.size.width - 2)
            lines[-1] += parts
            room -= width
        self._lines.set_lines(lines)

    def on_key(self, event: Key) -> None:
        if event.key == "escape":
            return  # the binding's
        event.stop()
        column = self._letters.get(event.character or "")
        if column is None:
            name = event.character if event.is_printable else event.key
            self._show(f"{name} is no column")
        elif self.is_current:
            self.dismiss(column.key)

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)


class HealthScreen(ModalScreen[None]):
    """How the program itself is doing, live."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,i,q,enter", "leave", "Close", False, tooltip="Back to the table", id="close-health"),
    ]

    def __init__(self, health: Health, glyphs: Glyphs) -> None:
        super().__init__()
        self._health = health
        self._glyphs = glyphs
        self._lines = OverLines()

    def compose(self) -> ComposeResult:
        yield self._lines

    def on_mount(self) -> None:
        self.show(self._health)

    def show(self, health: Health) -> None:
        """Tell the newest."""
        lines: list[list[Part]] = [[("WHAT THIS PROGRAM COSTS", "title"), ("  Esc: back", "dim")]]
        lines += [
            [(f"{told.label:{_LABEL}}", "dim"), (told.value, told.style)]
            for told in own_health.everything(health, self._glyphs)
        ]
        self._lines.set_lines(lines)

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)
