"""Styles, text fitting and base classes for widgets that draw their own lines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache

from rich.cells import cell_len, get_character_cell_size, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

Part = tuple[str, str]
"""Text, and its component class without the widget's prefix; empty: the widget's own style."""


COMMON_STYLES = ("dim", "good", "warn", "bad", "unknown")
"""Styles with the same meaning in each widget that has them."""


def component_classes(prefix: str, *styles: str) -> set[str]:
    """Returns a widget's ``COMPONENT_CLASSES``: one class per style, such as ``facts--title``."""
    return {f"{prefix}--{style}" for style in styles}


class StyleBook:
    """A widget's component classes as Rich styles, combined once and kept until the theme changes."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._classes = {name.partition("--")[2]: name for name in widget.COMPONENT_CLASSES}
        self._known: dict[tuple[str, str], Style] = {}

    def clear(self) -> None:
        self._known.clear()

    def __call__(self, name: str = "", row: str = "") -> Style:
        """Returns the style of a cell ``name`` in a row of class ``row``; empty: the widget's own."""
        style = self._known.get((name, row))
        if style is None:
            style = self._known[name, row] = self._combine(name, row)
        return style

    def _combine(self, name: str, row: str) -> Style:
        """Returns the style after the filters that Textual applies only to lines that Textual draws."""
        style = self._unfiltered(name, row)
        _, background = self._widget.background_colors
        for each in self._widget.get_line_filters():
            ((_, filtered, _),) = each.apply([Segment(" ", style)], background)
            style = filtered or style
        return style

    def _unfiltered(self, name: str, row: str) -> Style:
        get = self._widget.get_component_rich_style
        base = get(self._classes[row]) if row else self._widget.rich_style
        if not name:
            return base
        whole, own = get(self._classes[name]), get(self._classes[name], partial=True)
        if row and base.reverse:
            return base + own.without_color  # a cell's colour would become its background
        # Only the colour and the attributes: a cell's background is its row's.
        return base + Style(color=whole.color) + own.without_color

    def strip(self, parts: Sequence[Part], width: int, indent: int = 0, row: str = "") -> Strip:
        """Returns a line of exactly ``width`` cells, in a row of class ``row``."""
        segments = [Segment(" " * indent, self(row=row))] if indent else []
        segments += [Segment(text, self(style, row)) for text, style in parts]
        return Strip(segments).adjust_cell_length(width, self(row=row))


@lru_cache(maxsize=8192)
def fit(text: str, cells: int, right: bool = False) -> str:
    """Returns text in exactly ``cells`` cells. A wide character counts as two."""
    if text.isascii() and len(text) <= cells:
        return text.rjust(cells) if right else text.ljust(cells)
    length = cell_len(text)
    if length > cells:
        return set_cell_size(text, cells)
    blank = " " * (cells - length)
    return blank + text if right else text + blank


def wrap(text: str, cells: int) -> list[str]:
    """Returns text cut into lines of at most ``cells`` cells, at spaces where possible."""
    cells = max(2, cells)
    lines: list[str] = []
    start, end = 0, _end_of_line(text, 0, cells)
    while end < len(text):
        space = text.rfind(" ", start + 1, end + 1)
        cut = space if space > 0 else end
        lines.append(text[start:cut].rstrip())
        start = cut
        while start < len(text) and text[start] == " ":
            start += 1
        end = _end_of_line(text, start, cells)
    return [*lines, text[start:]]


def _end_of_line(text: str, start: int, cells: int) -> int:
    """Returns where the line that begins at ``start`` is full. Looks at each of its characters once."""
    if text.isascii():
        return min(len(text), start + cells)
    width = 0
    for index in range(start, len(text)):
        width += get_character_cell_size(text[index])
        if width > cells:
            return index
    return len(text)


def crop_strips(strips: list[Strip], width: int, crop: Region) -> list[Strip]:
    """Returns the wanted columns of strips that are ``width`` cells wide."""
    if crop.x == 0 and crop.right >= width:
        return strips
    return [strip.crop(crop.x, crop.right) for strip in strips]


class StyledWidget(Widget):
    """A widget that draws its own lines in the styles of its component classes.

    Put it after Textual's widget among the base classes: Textual takes default styles from the first only.
    """

    @cached_property
    def _styles(self) -> StyleBook:
        return StyleBook(self)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self.forget_drawn()

    def forget_drawn(self) -> None:
        """Drops lines that were drawn in colours that are no longer valid."""


INDENT = 1
"""The indent of lines of text, in cells."""


class StyledLines(StyledWidget):
    """A few lines of coloured text. They are drawn again only when they change, and never laid out again."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[list[Part]] = []
        self._strips: list[Strip] = []
        self._drawn: Size | None = None
        """The size that the strips are made for; None if they have to be made again."""

    def set_lines(self, lines: list[list[Part]]) -> None:
        if lines != self._lines:
            self._lines = lines
            self._drawn = None
            self.refresh()

    @property
    def plain(self) -> str:
        """The text without its colours."""
        return "\n".join("".join(text for text, _ in parts) for parts in self._lines)

    def forget_drawn(self) -> None:
        self._drawn = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """Returns complete strips, and so skips Textual's pass over each line for borders and filters."""
        width, height = self.size
        if self._drawn != self.size:
            self._drawn = self.size
            lines = [self._lines[y] if y < len(self._lines) else [] for y in range(height)]
            self._strips = [self._styles.strip(parts, width, indent=INDENT) for parts in lines]
        return crop_strips(self._strips[slice(*crop.line_span)], width, crop)
