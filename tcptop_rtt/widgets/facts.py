"""Blocks of labelled values, arranged in as many columns as fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tcptop_rtt.widgets.keys import MOVE_KEYS
from tcptop_rtt.widgets.styled import COMMON_STYLES, Part, StyledWidget, component_classes, fit, wrap

COLUMN = 38
"""The narrowest column, in cells."""
WIDEST = 60
GAP = 2
LABEL = 14


@dataclass(frozen=True, slots=True)
class Fact:
    """One value. Without a label, the value takes the whole line."""

    label: str
    value: str
    style: str = "value"
    of: tuple[str, ...] = ()
    """The row's fields that the value is made of. If one of them is unknown, the value is unknown."""


@dataclass(frozen=True, slots=True)
class Block:
    """Facts that belong together."""

    title: str
    facts: tuple[Fact, ...]


def _draw(block: Block, width: int) -> list[list[Part]]:
    lines: list[list[Part]] = [[(fit(block.title, width), "title")]]
    for fact in block.facts:
        room = width - LABEL if fact.label else width
        for number, text in enumerate(wrap(fact.value, room)):
            label = [(fit(fact.label if number == 0 else "", LABEL), "label")] if fact.label else []
            lines.append([*label, (fit(text, room), fact.style)])
    return [*lines, [(" " * width, "")]]


def arrange(blocks: tuple[Block, ...], width: int) -> list[list[Part]]:
    """Returns the lines of all blocks. Each block goes into the column that is shortest so far."""
    count = max(1, (width + GAP) // (COLUMN + GAP))
    column_width = max(LABEL + 2, min(WIDEST, (width - GAP * (count - 1)) // count))
    columns: list[list[list[Part]]] = [[] for _ in range(count)]
    for block in blocks:
        shortest = min(columns, key=len)
        shortest += _draw(block, column_width)
    blank: list[Part] = [(" " * column_width, "")]
    lines = []
    for number in range(max(map(len, columns))):
        parts: list[Part] = []
        for column in columns:
            parts += column[number] if number < len(column) else blank
            parts.append((" " * GAP, ""))
        lines.append(parts)
    return lines


class FactPanel(ScrollView, StyledWidget, can_focus=True, inherit_bindings=False):
    """A scrollable view of blocks."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "facts", "title", "label", "value", *COMMON_STYLES
    )

    BINDINGS: ClassVar[list[BindingType]] = [*MOVE_KEYS]

    def __init__(self) -> None:
        super().__init__()
        self._blocks: tuple[Block, ...] = ()
        self._lines: list[list[Part]] = []

    def show(self, blocks: tuple[Block, ...]) -> None:
        if blocks != self._blocks:
            self._blocks = blocks
            self._arrange()

    @property
    def plain(self) -> str:
        """The text without its colours."""
        return "\n".join("".join(text for text, _ in parts) for parts in self._lines)

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002
        self._arrange()

    def _arrange(self) -> None:
        width = self.scrollable_content_region.width
        if not self._blocks or width < 1:
            return
        self._lines = arrange(self._blocks, width - 1)
        if self.virtual_size.height != len(self._lines):
            self.virtual_size = Size(0, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index = self.scroll_offset.y + y
        parts = self._lines[index] if index < len(self._lines) else []
        return self._styles.strip(parts, self.scrollable_content_region.width, indent=1)
