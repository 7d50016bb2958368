"""Asks for a time of a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from tcptop_rtt.view.times import HINT


class SeekScreen(ModalScreen[int | None]):
    """Asks for a time. Its result is in nanoseconds; None: the user wants none.

    :param time_of: returns the time that a text names; None: the text is no time of the recording
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", False, tooltip="Stay where it is", id="cancel-go-to-time"),
    ]

    def __init__(self, time_of: Callable[[str], int | None]) -> None:
        super().__init__()
        self._time_of = time_of
        self._hint = Label("Enter goes there", id="seek-hint", markup=False)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label("Go to", id="seek-prompt", markup=False)
            yield Input(placeholder=HINT, compact=True, select_on_focus=False)
            yield self._hint

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        wrong = bool(event.value) and self._time_of(event.value) is None
        self._hint.set_class(wrong, "-error")
        self._hint.update("no time of this recording" if wrong else "Enter goes there")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        found = self._time_of(event.value)
        if self.is_current and (found is not None or not event.value):
            self.dismiss(found)

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)
