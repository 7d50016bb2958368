"""The line at the bottom where the filter is typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rich.highlighter import Highlighter
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Label

from tcptop_rtt.model.outside import harmless
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import parse
from tcptop_rtt.view.query import QueryError

Parse = Callable[[str], object]
"""Parses the text of a filter, or raises QueryError."""


class Words(NamedTuple):
    """What can be typed into the filter line.

    :param fields: the names of fields that a filter can ask for
    """

    parse: Parse
    fields: Iterable[str]
    example: str


OF_CONNECTIONS = Words(
    parse, CONNECTIONS.matches, "words, or rtt>50ms port:443 remote:10.0.0.0/8 proc:nginx !local ..."
)

_HINT = "Enter keeps, Esc clears"
HISTORY = 50
"""The number of earlier filters that are kept."""
_LAST_WORD = re.compile(r"(?:^|[\s(!])([A-Za-z_][A-Za-z_0-9]*)$")
_WAITS_FOR_WORD = re.compile(r"(?:(?:^|\s)or|[\s(!])+$")
"""What means nothing until the next word is there."""


class FilterLine(Horizontal):
    """Filters while the user types. Enter keeps the filter, Esc (bound by the screen) clears it."""

    @dataclass
    class Changed(Message):
        """The text has changed, and can be parsed."""

        text: str
        finished: str
        """While it is typed, the text without a last word that may become ``rtt>50ms``."""

    class Closed(Message):
        """The line is closed, and keys go to the table again."""

    def __init__(self, text: str, words: Words = OF_CONNECTIONS) -> None:
        super().__init__()
        self._parse = words.parse
        self._names = tuple(words.fields)
        self._input = FilterInput(text, words)
        self._hint = Label(_HINT, id="filter-hint", markup=False)

    def compose(self) -> ComposeResult:
        yield Label("/", id="filter-prompt")
        yield self._input
        yield self._hint

    def open(self) -> None:
        self.display = True
        self._input.start_over()
        # Widget.focus() would set the focus later, and keys typed before that would be commands.
        self.screen.set_focus(self._input)

    def fill(self, text: str) -> None:
        """Sets the text to one that was not typed here."""
        self._input.value = harmless(text)

    def close(self, clear: bool = False) -> None:
        self.display = False
        if clear:
            self.fill("")
        self.post_message(self.Closed())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        error = _error_in(event.value, self._parse)
        self._hint.set_class(error is not None, "-error")
        self._hint.update(_HINT if error is None else str(error))
        if error is None:
            finished = self._finished(event.value) if self.has_focus_within else event.value
            self.post_message(self.Changed(event.value, finished))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if _error_in(event.value, self._parse) is None:
            self._input.remember()
            self.post_message(self.Changed(event.value, event.value))
            self.close()

    def _finished(self, text: str) -> str:
        begun = _begun(text, self._names)
        if begun is None:
            return text
        before = _WAITS_FOR_WORD.sub("", text[: begun[0]])
        return text if _error_in(before, self._parse) else before


def _error_in(text: str, parse: Parse) -> QueryError | None:
    try:
        parse(text)
    except QueryError as error:
        return error
    return None


def _begun(text: str, names: Iterable[str]) -> tuple[int, str] | None:
    """Where the last word begins, and the first of these names that begins with it; None if none does."""
    last = _LAST_WORD.search(text)
    name = last and next((name for name in names if name.startswith(last[1].lower())), None)
    return (last.start(1), name) if last and name else None


class _MarkError(Highlighter):
    """Marks the word in which the parser has found an error."""

    def __init__(self, parse: Parse) -> None:
        self._parse = parse

    def highlight(self, text: Text) -> None:
        error = _error_in(text.plain, self._parse)
        if error is not None:
            end = text.plain.find(" ", error.at)
            text.stylize("reverse", error.at, len(text.plain) if end < 0 else max(end, error.at + 1))


class _CompleteName(Suggester):
    """Suggests the rest of a field's name. The right arrow key accepts the suggestion."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(use_cache=True, case_sensitive=True)
        self._names = sorted(names, key=len)  # the shortest is meant in most cases

    async def get_suggestion(self, value: str) -> str | None:
        begun = _begun(value, self._names)
        return None if begun is None else value + begun[1][len(value) - begun[0] :]


class FilterInput(Input):
    """An input with a history of filters, which the up and down keys bring back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "up", "recall(-1)", "Earlier", False, tooltip="The filter before this one", id="earlier-filter"
        ),
        Binding("down", "recall(1)", "Later", False, tooltip="The filter after this one", id="later-filter"),
    ]

    def __init__(self, text: str, words: Words) -> None:
        super().__init__(
            value=harmless(text),
            placeholder=words.example,
            compact=True,
            select_on_focus=False,
            highlighter=_MarkError(words.parse),
            suggester=_CompleteName(words.fields),
        )
        self._before: list[str] = []
        self._at = 0
        self._typed = ""
        """The text that comes after the newest filter."""

    def start_over(self) -> None:
        """Goes to the end of the history, with the text as it is."""
        self._at, self._typed = len(self._before), self.value

    def remember(self) -> None:
        """Adds the text to the history."""
        if self.value:
            others = [text for text in self._before if text != self.value]
            self._before = [*others[1 - HISTORY :], self.value]

    def action_recall(self, step: int) -> None:
        texts = [*self._before, self._typed]
        if self.value != texts[self._at]:  # it has been typed since
            self.start_over()
            texts[-1] = self.value
        at = self._at + step
        if 0 <= at < len(self._before) and texts[at] == self.value:
            at += step  # the filter in force is in the history, too
        if 0 <= at < len(texts):
            self._at = at
            self.value = texts[at]
            self.cursor_position = len(self.value)
