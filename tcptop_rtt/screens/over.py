"""Screens that open over the table: the letters of its columns, and what the program itself costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.screen import ModalScreen

from tcptop_rtt.model.reach import Rights
from tcptop_rtt.model.snapshot import Health, OwnCost
from tcptop_rtt.view import own_health
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.table import Column
from tcptop_rtt.widgets.styled import COMMON_STYLES, Part, StyledLines, component_classes, wrap

_LABEL = 15


class OverLines(StyledLines):
    """The lines of a screen that is open over another one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("over", "title", "key", "value", *COMMON_STYLES)

    def set_lines(self, lines: list[list[Part]]) -> None:
        super().set_lines(lines)
        self.styles.height = len(lines)


class SortScreen(ModalScreen[str | None]):
    """Asks for the letter of a column. Its result is the column's key; None: the user has cancelled.

    :param letters: the columns to choose from, by letter
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
            return  # the binding handles it
        event.stop()
        column = self._letters.get(event.character or "")
        if column is None:
            name = event.character if event.is_printable else event.key
            self._show(f"no column has the key {name}")
        elif self.is_current:
            self.dismiss(column.key)

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)


class HealthScreen(ModalScreen[None]):
    """Shows how the program itself is doing, live.

    :param cost: the latest measurement; None: there was none
    :param rights: the current rights
    :param measure: called to measure the cost; None: it cannot be measured
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "m",
            "measure",
            "Measure",
            False,
            tooltip="Measure for a second what this program and each of its programs in the kernel cost",
            id="measure-cost",
        ),
        Binding("escape,i,q,enter", "leave", "Close", False, tooltip="Back to the table", id="close-health"),
    ]

    def __init__(
        self,
        health: Health,
        cost: OwnCost | None,
        rights: Rights,
        glyphs: Glyphs,
        measure: Callable[[], None] | None,
    ) -> None:
        super().__init__()
        self._facts = health, cost, rights
        self._glyphs = glyphs
        self._measure = measure
        self._measuring = False
        self._lines = OverLines()

    def compose(self) -> ComposeResult:
        yield self._lines

    def on_mount(self) -> None:
        self._write()

    def show(self, health: Health, cost: OwnCost | None, rights: Rights) -> None:
        """Shows the newest values."""
        if cost is not self._facts[1]:
            self._measuring = False
        self._facts = health, cost, rights
        self._write()

    def _write(self) -> None:
        health, cost, rights = self._facts
        lines: list[list[Part]] = [[("WHAT THIS PROGRAM COSTS", "title"), ("  Esc: back", "dim")]]
        if self._measure is not None:
            lines[0].append(("  measuring for a second" if self._measuring else ", m: measure it", "dim"))
        facts = own_health.everything(health, self._glyphs) + own_health.rights(rights, self._glyphs)
        facts += own_health.measured(cost, self._glyphs) if cost else []
        labels = max(_LABEL, *(len(one.label) + 1 for one in facts))  # programs in the kernel have long names
        values = [wrap(one.value, self.size.width - labels - 2) for one in facts]
        if len(lines) + sum(map(len, values)) > self.size.height:
            values = [[one.value] for one in facts]  # cuts values off, so that no line is out of sight
        for one, (first, *others) in zip(facts, values, strict=True):
            lines.append([(f"{one.label:{labels}}", "dim"), (first, one.style)])
            lines += [[(" " * labels, "dim"), (other, one.style)] for other in others]
        self._lines.set_lines(lines)

    def on_resize(self) -> None:
        self._write()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers the measurement if the feed can do it."""
        return self._measure is not None if action == "measure" else super().check_action(action, parameters)

    def action_measure(self) -> None:
        """Starts a measurement; its result comes with a snapshot."""
        if self._measure is not None:
            self._measuring = True
            self._measure()
            self._write()

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)
