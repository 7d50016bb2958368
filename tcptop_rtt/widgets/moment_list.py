"""The lines of the log of moments, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tcptop_rtt.past.moments import SEVERE, Log, Moment
from tcptop_rtt.view import addresses
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets.cursor import CursorView
from tcptop_rtt.widgets.keys import MOVE_KEYS
from tcptop_rtt.widgets.styled import COMMON_STYLES, Part, StyledWidget, component_classes, fit

CLOCK, AGO, WORDS, PROCESS = 8, 8, 26, 15
"""Widths in cells; the remote address has the rest."""
NARROW_PROCESS, NARROW, NARROWEST = 11, 90, 70
"""The process column's narrow width, and the list widths below which it is narrow or left out."""


class MomentList(CursorView, StyledWidget, can_focus=True, inherit_bindings=False):
    """One line per moment. Below the first line, the cursor stays with its moment when newer ones come."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "moment-list", "header", "value", "cursor", *COMMON_STYLES
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Go there", tooltip="Go to the time of the moment", id="go-to-moment"),
        *MOVE_KEYS,
    ]

    @dataclass
    class Chosen(Message):
        """The user wants to see the time of a moment."""

        moment: Moment

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._log = Log()

    @property
    def moments(self) -> tuple[Moment, ...]:
        """All moments of the log, the newest first."""
        return self._log.moments[::-1]

    def show(self, log: Log) -> None:
        """Shows the moments of a log."""
        selected = self.selected
        self._log = log
        if selected is not None and self._cursor:
            same = [
                moment.clock_ns == selected.clock_ns and moment.alike == selected.alike
                for moment in self.moments
            ]
            self._cursor = same.index(True) if True in same else len(same) - 1
        self.virtual_size = Size(0, len(log.moments) + 1)
        self._reveal()

    @property
    def selected(self) -> Moment | None:
        """The moment under the cursor; None if there is none."""
        return self.moments[self._cursor] if self._log.moments else None

    # Moving about

    _fixed_lines = 1

    @property
    def _last(self) -> int:
        return len(self._log.moments) - 1

    def _move_to(self, index: int) -> None:
        self._cursor = max(0, min(self._last, index))
        self._reveal()

    def _reveal(self) -> None:
        super()._reveal()
        self.refresh()

    def action_choose(self) -> None:
        if self.selected is not None:
            self.post_message(self.Chosen(self.selected))

    def on_click(self, event: Click) -> None:
        line = event.get_content_offset(self)
        if line is None or not 0 < line.y <= len(self._log.moments) - self.scroll_offset.y:
            return
        self._move_to(self.scroll_offset.y + line.y - 1)
        if event.chain == 2:
            self.action_choose()

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if y == 0:
            return self._styles.strip([("  ", ""), (self._titles(width - 2), "header")], width)
        at = self.scroll_offset.y + y - 1
        if at <= self._last:
            line = self._line(self._last - at, width - 2)
            if at != self._cursor:
                return self._styles.strip([("  ", ""), *line], width)
            marked = [(f"{self._glyphs.cursor} ", ""), *line]
            return Strip(Segment(text, self._styles(style, "cursor")) for text, style in marked)
        note = "nothing notable so far" if y == 1 else ""
        return self._styles.strip([(note, "dim")], width, indent=2)

    def _titles(self, width: int) -> str:
        process, _ = _widths(width)
        titles = fit("WHAT", WORDS), fit("PROCESS", process), "REMOTE"
        return " ".join((fit("TIME", CLOCK), fit("AGO", AGO, right=True), *titles))

    def _line(self, number: int, width: int) -> list[Part]:
        """Returns the line of the moment with this index in the log."""
        moment, ago_ns, glyphs = self._log.moments[number], self._log.ago_ns[number], self._glyphs
        row, is_kept = moment.row, number >= self._log.forgotten
        ago = fmt.since(ago_ns) if ago_ns >= 0 else f"+{fmt.since(-ago_ns)}"
        text = "value" if is_kept else "dim"
        bad = "bad" if moment.kind in SEVERE else "warn"
        process, remote = _widths(width)
        count = f" x{moment.count:,}" if moment.count > 1 else ""
        return [
            (fit(fmt.clock(moment.time_ns / 1e9), CLOCK), text),
            (" " + fit(ago, AGO, right=True), "dim"),
            (" " + fit(moment.words[: WORDS - len(count)] + count, WORDS), bad if is_kept else "dim"),
            (" " + fit(fmt.process(row, glyphs), process), text),
            (" " + fit(addresses.shorten(addresses.remote(row, glyphs), remote, glyphs), remote), text),
        ]


def _widths(width: int) -> tuple[int, int]:
    """Returns the widths of the process and of the remote address."""
    process = PROCESS if width >= NARROW else NARROW_PROCESS if width >= NARROWEST else 0
    return process, max(0, width - CLOCK - AGO - WORDS - process - 4)
