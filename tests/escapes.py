"""What is written to a terminal, taken apart: text, and only the sequences that the program knows."""

from __future__ import annotations

import base64
import re
import unicodedata
from typing import NamedTuple

from wcwidth import wcwidth

_MODES = b"25|7|1000|1003|1004|1006|1015|1049|2004|2026"
_KNOWN = re.compile(
    rb"\x1b\[[0-9;]*m"  # colours and attributes
    rb"|\x1b\[[0-9]+;[0-9]+H"  # the cursor's place
    rb"|\x1b\[\?(?:" + _MODES + rb")[hl]"
    rb"|\x1b\[>25u|\x1b\[<u"  # Kitty's keys
    rb"|\x1b\[\?2026\$p"  # whether whole pictures are drawn at once
    rb"|\x1b\]11;\?\x1b\\"  # the background
    rb"|\x1b\]22;[a-z-]*\x07"  # the pointer's shape
    rb"|\x1b\]52;c;(?P<copied>[A-Za-z0-9+/]*=*)\x07"
    rb"|\r\n"
)


class Written(NamedTuple):
    """What has been written."""

    text: str
    """In the order in which it came; each sequence stands as a newline."""
    copied: list[str]
    """What the terminal is asked to keep in its clipboard."""


def taken_apart(output: bytes) -> Written:
    """Check it, and take it apart.

    :raises AssertionError: there is a sequence, or a character, that nobody but others would have written
    """
    text, copied, at = "", list[str](), 0
    for found in _KNOWN.finditer(output):
        text += _checked(output, at, found.start()) + "\n"
        if found["copied"] is not None:
            copied.append(base64.b64decode(found["copied"], validate=True).decode())
            assert foreign(copied[-1]) == "", copied[-1]
        at = found.end()
    return Written(text + _checked(output, at, len(output)), copied)


def _checked(output: bytes, start: int, end: int) -> str:
    text = output[start:end].decode()
    assert foreign(text) == "", f"{foreign(text)} in {text!r}, after {output[max(0, start - 60) : start]!r}"
    return text


def check_text(*texts: object) -> None:
    """:raises AssertionError: one of them, as it is written, has what :func:`foreign` finds"""
    for text in map(str, texts):
        assert foreign(text) == "", f"{foreign(text)} in {text!r}"


def foreign(text: str) -> str:
    """The first character that is not seen, or is not as wide wherever it stands; empty: there is none."""
    if text.isascii() and text.isprintable():
        return ""  # as nearly all is
    return next((f"U+{ord(char):04X}" for char in text if not _is_seen(char)), "")


def _is_seen(char: str) -> bool:
    category = unicodedata.category(char)
    is_joined = "\U0001f1e6" <= char <= "\U0001f1ff" or "\U0001f3fb" <= char <= "\U0001f3ff"
    return (category[0] not in "CMZ" or char == " ") and wcwidth(char) > 0 and not is_joined
