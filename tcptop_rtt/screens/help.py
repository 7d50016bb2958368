"""The help: what the keys do and what the columns mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tcptop_rtt.screens.keymap import placed
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.listener_fields import TABLE as LISTENERS
from tcptop_rtt.view.target_fields import TABLE as TARGETS
from tcptop_rtt.widgets.keys import MOVE_KEYS, Keymap, bindings_of, key_names, keymap_of

Lines = list[tuple[str, str]]

MOUSE = [
    ("click", "On a title: sort by it; on a line: select it; on a key in the last line: press it"),
    ("click", "In a chart: its cursor, which another click on it takes away"),
    ("double click", "Open the details of a connection"),
]

FILTER = [
    (
        "nginx :443",
        "words, all of them in process, PID, address, port or state; small and capital letters alike",
    ),
    ("rtt>50ms", "a number; so min, mean, jitter, age, in, out, pid, cwnd and all fields of the stream"),
    ("retr>0/s", "segments sent again per second, over the last minute; retr>0: in all"),
    ("port:443,80", "one of them, on either side; lport, rport: on ours, on the peer's"),
    ("remote:10.0.0.0/8", "an address or a network; local: ours"),
    ("proc:nginx", "a part of a text; proc=nginx: all of it; so state, dir (in, out), cc, interface"),
    ("local", "the peer is this machine"),
    ("!local", "not; a or b; (a or b) c"),
]


def key_sections(app: type[App[None]], keymap: Keymap) -> dict[str, Lines]:
    """Returns all keys and what they do, by the place where they work."""
    return {
        title: [(key_names(binding, keymap), binding.tooltip) for binding in bindings]
        for title, bindings in placed(app).items()
    }


class HelpText(VerticalScroll, inherit_bindings=False):
    """The part of the help that scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVE_KEYS]


class HelpScreen(ModalScreen[None]):
    """Shows the help over the current screen; measuring goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,question_mark,q,enter", "leave", "Close", False, tooltip="close the help", id="close-help"
        ),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(classes="" if glyphs.unicode else "-ascii")

    def compose(self) -> ComposeResult:
        keymap = keymap_of(self.app)
        closing = [f"{key_names(binding, keymap)}: {binding.tooltip}" for binding in bindings_of(HelpScreen)]
        with HelpText():
            yield Static(Text("\n".join((*closing, "")), "italic"))
            for title, lines in key_sections(type(self.app), keymap).items():
                yield Static(_table(title, lines))
            yield Static(_table("MOUSE", MOUSE))
            yield Static(_table("FILTER", FILTER, width=17))
            yield Static(
                _table("COLUMNS", [(column.title, column.meaning) for column in CONNECTIONS.columns])
            )
            yield Static(
                _table("LISTENERS", [(column.title, column.meaning) for column in LISTENERS.columns])
            )
            yield Static(
                _table(
                    "FAILED CONNECTS",
                    [(column.title, column.meaning) for column in TARGETS.columns],
                    width=15,
                )
            )

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)


def _table(title: str, lines: Sequence[tuple[str, str]], width: int = 14) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(width=width, no_wrap=True, overflow="crop")
    table.add_column(ratio=1, overflow="fold")
    table.add_row(Text(title, "bold underline"))
    for name, meaning in lines:
        table.add_row(Text(name, "bold"), Text(meaning))
    table.add_row()
    return table
