"""What the keys do and what the columns mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tcptop_rtt.widgets.columns import COLUMNS
from tcptop_rtt.widgets.glyphs import Glyphs

KEYS = (
    ("r", "sort by RTT, slowest first; again: reverse"),
    ("p", "sort by process; again: reverse"),
    ("s  S", "sort by the next column; reverse"),
    ("/", "filter: every word must occur in process, PID, address:port or state"),
    ("Esc", "clear the filter; back to the table"),
    ("Space", "freeze what is shown; the data goes on behind it"),
    ("f", "follow: hold the selected connection on its line, the others move"),
    ("+  -", "longer, shorter refresh interval"),
    ("Enter", "look at the selected connection closely (or double click)"),
    ("z", "there: the chart shows the last minute, or all that is known"),
    ("up k  down j", "one line; PgUp and PgDn one page"),
    ("Home g", "to the first line, and stay there; End G to the last"),
    ("click", "on a title: sort by it; on a line: select it"),
    ("q", "quit"),
)


class HelpText(VerticalScroll):
    """The part that scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "scroll_up", show=False),
        Binding("j", "scroll_down", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
    ]


class HelpScreen(ModalScreen[None]):
    """Over whatever is below; the data goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "leave", show=False),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(classes="" if glyphs.unicode else "-ascii")

    def compose(self) -> ComposeResult:
        with HelpText():
            yield Static(_table("KEYS", KEYS))
            yield Static(_table("COLUMNS", [(column.title, column.meaning) for column in COLUMNS]))
            yield Static(Text("Esc, ? or q closes this.", "italic"))

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)


def _table(title: str, lines: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(width=12, no_wrap=True)
    table.add_column(ratio=1)
    table.add_row(Text(title, "bold underline"))
    for name, meaning in lines:
        table.add_row(Text(name, "bold"), Text(meaning))
    table.add_row()
    return table
