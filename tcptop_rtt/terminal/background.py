"""Asks the terminal for its background colour, and separates the answer from keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from textual import constants
from textual.message import Message

QUESTION = "\x1b]11;?\x1b\\"
"""OSC 11 of xterm, which most terminals support."""
REST_S = 1.0
"""The rest of a begun answer arrives within this time, even over a slow connection."""
_BEGIN = "\x1b]11;"
_MOST_CHARACTERS = 64
_PART = r"([0-9a-fA-F]{1,4})"
_COLOUR = re.compile(rf"rgb:{_PART}/{_PART}/{_PART}|rgba:{_PART}/{_PART}/{_PART}/[0-9a-fA-F]{{1,4}}")


@dataclass
class BackgroundReported(Message):
    """The terminal's background colour: red, green and blue from 0 to 1."""

    rgb: tuple[float, float, float]


class Answers:
    """Takes answers out of the terminal's input, even if one is split over several reads.

    :param report: called with each answer
    """

    def __init__(self, report: Callable[[BackgroundReported], object]) -> None:
        self._report = report
        self._held = ""
        """Input that is, or may become, the beginning of an answer."""
        self._gave_escape = False
        """Whether give_up() has just returned an Esc: the key, or the first character of an answer."""

    @property
    def waits_s(self) -> float:
        """How long to wait for the rest of a begun answer; 0 if none has begun."""
        return (constants.ESCAPE_DELAY if self._held == _BEGIN[0] else REST_S) if self._held else 0.0

    def take(self, text: str) -> str:
        """Returns the part of the input that is for the keyboard."""
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
                text = ""  # too long for an answer
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
        """Stops waiting for the rest of an answer. Returns the held input if it was keys."""
        held, self._held = self._held, ""
        self._gave_escape = held == _BEGIN[0]
        return "" if held.startswith(_BEGIN) else held

    def _answer(self, text: str) -> None:
        colour = _COLOUR.fullmatch(text)
        if colour:
            red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in colour.groups() if part)
            self._report(BackgroundReported((red, green, blue)))
