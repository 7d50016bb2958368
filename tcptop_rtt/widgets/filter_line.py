"""The line at the bottom where the filter is typed."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class FilterLine(Horizontal):
    """Filters while it is typed in; Enter keeps the filter, Esc (bound by the screen) clears it."""

    @dataclass
    class Changed(Message):
        """There is another text to filter by."""

        text: str

    class Closed(Message):
        """The line is gone; the keys belong to the table again."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._input = Input(
            value=text,
            placeholder="words in process, PID, address:port, state",
            compact=True,
            select_on_focus=False,
        )

    def compose(self) -> ComposeResult:
        yield Label("/", id="filter-prompt")
        yield self._input
        yield Label("Enter keeps, Esc clears", id="filter-hint")

    def open(self) -> None:
        self.display = True
        # Widget.focus() would wait its turn, and keys typed meanwhile would be commands.
        self.screen.set_focus(self._input)

    def close(self, clear: bool = False) -> None:
        self.display = False
        if clear:
            self._input.value = ""
        self.post_message(self.Closed())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.close()
