"""The terminal's background: the question for it, and the answer, told from keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from textual import constants
from textual.message import Message

QUESTION = "\x1b]11;?\x1b\\"
"""OSC 11 of xterm, which most terminals have."""
REST_S = 1.0
"""What has begun as an answer goes on within this time, however slow the line."""
_BEGIN = "\x1b]11;"
_MOST_CHARACTERS = 64
_PART = r"([0-9a-fA-F]{1,4})"
_COLOUR = re.compile(rf"rgb:{_PART}/{_PART}/{_PART}|rgba:{_PART}/{_PART}/{_PART}/[0-9a-fA-F]{{1,4}}")


@dataclass
class BackgroundReported(Message):
    """What the terminal draws on: red, green and blue from 0 to 1."""

    rgb: tuple[float, float, float]


class Answers:
    """Takes answers out of what is typed, wherever reads have cut them.

    :param report: called with each answer
    """

    def __init__(self, report: Callable[[BackgroundReported], object]) -> None:
        self._report = report
        self._held = ""
        """The beginning of an answer, or of what may become one."""
        self._gave_escape = False
        """The last that was given up was the first character of an answer, or the key Esc."""

    @property
    def waits_s(self) -> float:
        """For how long to wait for the rest of what has begun; 0: nothing has."""
        return (constants.ESCAPE_DELAY if self._held == _BEGIN[0] else REST_S) if self._held else 0.0

    def take(self, text: str) -> str:
        """What is left of the text for the keyboard."""
        if self._gave_escape and text.startswith(_BEGIN[1:]):
            text = _BEGIN[0] + text
        self._gave_escape = False
        text, self._held = self._held + text, ""
        keys = ""
        while text:
            before, begin, rest = text.partition(_BEGIN)
            if not begin:
                cut = next(n for n in range(len(_BEGIN) - 1, -1, -1) if text.endswith(_BEGIN[:n]))
                self._held = text[len(text) - cut :]
                return keys + text[: len(text) - cut]
            keys += before
            end = next((at for at, char in enumerate(rest) if char in "\x07\x1b"), None)
            if end is None:
                if len(rest) <= _MOST_CHARACTERS:
                    self._held = begin + rest
                    return keys
                text = ""  # it is none
            elif rest[end] == "\x07":
                self._answer(rest[:end])
                text = rest[end + 1 :]
            elif end + 1 == len(rest):
                self._held = begin + rest
                return keys
            else:
                self._answer(rest[:end])
                text = rest[end:].removeprefix("\x1b\\")
        return keys

    def give_up(self) -> str:
        """What has begun does not go on: what of it were keys."""
        held, self._held = self._held, ""
        self._gave_escape = held == _BEGIN[0]
        return "" if held.startswith(_BEGIN) else held

    def _answer(self, text: str) -> None:
        colour = _COLOUR.fullmatch(text)
        if colour:
            red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in colour.groups() if part)
            self._report(BackgroundReported((red, green, blue)))
