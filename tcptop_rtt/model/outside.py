"""Bounds for text and numbers that others control."""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache
from typing import TypeGuard

TEXT_BYTES = 4096
"""The length of the longest path."""
NAME_CHARACTERS = 256
HOST_NAME_CHARACTERS = 253
"""The longest name that DNS allows."""
MOST_NUMBER = 1 << 62
"""The largest number that is accepted. As a time in nanoseconds it is in the year 2116."""
MOST_ID = (1 << 64) - 1
CUT = "…"
"""Stands at the end of a text that was cut."""


def is_natural(value: object, most: int = MOST_NUMBER) -> TypeGuard[int]:
    """Return whether a value is a whole number from 0 to ``most``; booleans are none."""
    return type(value) is int and 0 <= value <= most


def read_bytes(path: str, most: int) -> bytes:
    """Return the first ``most`` bytes of a file.

    :raises OSError: the file cannot be read
    """
    with open(path, "rb") as file:
        return file.read(most)


def text_of(raw: bytes, most_bytes: int = TEXT_BYTES) -> str:
    """Return bytes as text, cut to ``most_bytes``; bytes that are no UTF-8 are replaced."""
    if len(raw) <= most_bytes:
        return raw.decode("utf-8", "replace")
    # The incremental decoder drops half a character at the cut.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(raw[:most_bytes]) + CUT


def name_of(text: str) -> str:
    """Return a name, cut to NAME_CHARACTERS."""
    return cut(text, NAME_CHARACTERS)


def cut(text: str, most: int) -> str:
    """Return a text, cut to ``most`` characters."""
    return text if len(text) <= most else text[:most] + CUT


_LEANING = re.compile("[\u1160-\u11ff\ud7b0-\ud7ff\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")
"""Hangul vowels and final consonants, halves of flags, skin tones: each joins the character before it."""
_BLANK = re.compile("[\u115f\u3164\uffa0]")
"""Hangul fillers, which are invisible."""
_REPLACED = "\ufffd"


def harmless(text: str) -> str:
    """Return text as one line of visible characters, each of a width that its neighbours do not change.

    Control, escape, bidi and format characters, selectors and undecodable bytes are replaced. A combining
    mark stays only if Unicode has one character for it and its base, such as an accented letter: terminals
    differ in the width of all others.
    """
    if text.isascii() and text.isprintable():
        return text
    found: list[str] = []
    for char in text:
        # Normalizing two characters at a time keeps this linear in the number of marks.
        if _stands_alone(char):
            found.append(char)
        elif found and _stands_alone(both := unicodedata.normalize("NFC", found[-1] + char)):
            found[-1] = both
        else:
            found.append(_REPLACED)
    return "".join(found)


@lru_cache(maxsize=4096)
def _stands_alone(text: str) -> bool:
    """Return whether text is one visible character whose width never depends on its neighbours."""
    if len(text) != 1 or not text.isprintable() or unicodedata.category(text).startswith("M"):
        return False
    return not (_LEANING.match(text) or _BLANK.match(text))


_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]*|0[xX][0-9A-Fa-f]*")


def host_name_of(text: str) -> str:
    """Return the name of a host; empty if DNS does not allow it, or if it could be read as an address.

    URLs take a name whose last part is a number for an IPv4 address. A name has no colon, so none looks
    like an IPv6 address.
    """
    name = text.removesuffix(".")
    if len(name) > HOST_NAME_CHARACTERS or not _NAME.fullmatch(name):
        return ""
    return "" if _NUMBER.fullmatch(name.rpartition(".")[2]) else name


def service_name_of(text: str) -> str:
    """Return the name of a service; empty if it is no valid name, or a number."""
    return "" if len(text) > 32 or not _NAME.fullmatch(text) or text.isdigit() else text
