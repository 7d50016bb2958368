"""Lines of text with a cursor that stays with a line's key, wherever that line moves."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar, NamedTuple

from textual.binding import BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.strip import Strip

from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets.cursor import CursorView
from tcptop_rtt.widgets.keys import MOVE_KEYS
from tcptop_rtt.widgets.styled import COMMON_STYLES, Part, StyledWidget, component_classes


class ListLine(NamedTuple):
    """One line.

    :param key: names the line's subject, which the cursor stays with; None: the line cannot be selected
    """

    key: Hashable
    parts: tuple[Part, ...]


class LineList(CursorView, StyledWidget, can_focus=True, inherit_bindings=False):
    """Lines that can be selected, and below them lines that cannot.

    Until the user moves the cursor, the cursor stays on the first line.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "line-list", "row", "cursor", "value", *COMMON_STYLES
    )
    BINDINGS: ClassVar[list[BindingType]] = [*MOVE_KEYS]

    cursor_key: var[Hashable] = var(None)
    """The key of the selected line; None if there is none."""

    class Chosen(Message):
        """The user has double-clicked a line."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._lines: list[ListLine] = []
        self._moved = False

    def show(self, lines: Sequence[ListLine]) -> None:
        """Shows other lines. The cursor, if it was moved, stays with its key or else at its position."""
        if lines == self._lines:
            return
        self._lines = list(lines)
        keys = self._keys
        if self._moved and self.cursor_key in keys:
            self._cursor = keys.index(self.cursor_key)
        self._cursor = min(self._cursor, max(0, len(keys) - 1))
        self.cursor_key = keys[self._cursor] if keys else None
        if self.virtual_size.height != len(self._lines):
            self.virtual_size = Size(0, len(self._lines))
        self.refresh()

    def start_over(self) -> None:
        """Puts the cursor on the first line, and keeps it there until the user moves it."""
        self._moved = False
        self._cursor = 0
        self.scroll_to(y=0, animate=False)

    @property
    def _keys(self) -> list[Hashable]:
        return [line.key for line in self._lines if line.key is not None]

    @property
    def plain(self) -> list[str]:
        """The lines without their colours."""
        return ["".join(text for text, _ in line.parts) for line in self._lines]

    @property
    def _last(self) -> int:
        return len(self._keys) - 1

    def _move_to(self, index: int) -> None:
        keys = self._keys
        if not keys:
            return
        self._moved = True
        self._cursor = max(0, min(len(keys) - 1, index))
        self.cursor_key = keys[self._cursor]
        self._reveal()
        self.refresh()

    def on_click(self, event: Click) -> None:
        at = self.scroll_offset.y + event.y
        if at < len(self._keys):
            self._move_to(at)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        at = self.scroll_offset.y + y
        if at >= len(self._lines):
            return Strip.blank(width, self._styles())
        line = self._lines[at]
        chosen = line.key is not None and at == self._cursor
        row = "cursor" if chosen else "row"
        mark = self._glyphs.cursor if chosen else " "
        return self._styles.strip([(mark, ""), *line.parts], width, row=row)
