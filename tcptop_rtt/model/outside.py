"""What others have written: of text never more than anybody reads, of numbers none that nothing can be."""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache
from typing import TypeGuard

TEXT_BYTES = 4096
"""As long as the longest path."""
NAME_CHARACTERS = 256
HOST_NAME_CHARACTERS = 253
"""As long as DNS allows."""
MOST_NUMBER = 1 << 62
"""As a time in nanoseconds it is in the year 2116; what is larger is taken from nobody."""
MOST_ID = (1 << 64) - 1
CUT = "…"
"""Stands at the end for what has been left out."""


def is_natural(value: object, most: int = MOST_NUMBER) -> TypeGuard[int]:
    """Whether it is a whole number that something can be; true and false are none."""
    return type(value) is int and 0 <= value <= most


def read_bytes(path: str, most: int) -> bytes:
    """The beginning of a file, at most so much of it.

    :raises OSError: it cannot be read
    """
    with open(path, "rb") as file:
        return file.read(most)


def text_of(raw: bytes, most_bytes: int = TEXT_BYTES) -> str:
    """Bytes as text, or the beginning of it if they are too many; what is not UTF-8 is replaced."""
    if len(raw) <= most_bytes:
        return raw.decode("utf-8", "replace")
    # No half of a character before the mark.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(raw[:most_bytes]) + CUT


def name_of(text: str) -> str:
    """A name, or the beginning of it if it is too long."""
    return cut(text, NAME_CHARACTERS)


def cut(text: str, most: int) -> str:
    """A text, or the beginning of it if it has more than so many characters."""
    return text if len(text) <= most else text[:most] + CUT


_LEANING = re.compile("[\u1160-\u11ff\ud7b0-\ud7ff\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")
"""Vowels and final consonants of Hangul, halves of flags, colours of skin: each joins what is before it."""
_BLANK = re.compile("[\u115f\u3164\uffa0]")
"""What stands for a letter of Hangul that is not there."""
_REPLACED = "\ufffd"


def harmless(text: str) -> str:
    """One line in which each character is seen, and takes what it takes by itself wherever it stands.

    No control, escape, bidi or format character, selector or undecodable byte is left. A mark stays where it
    and the character before it are one of Unicode's, such as an accent on a letter; terminals differ in how
    wide others make what they belong to.
    """
    if text.isascii() and text.isprintable():
        return text
    found: list[str] = []
    for char in text:
        # Two at a time: the time that normalizing takes grows with the square of how many marks there are.
        if _stands_alone(char):
            found.append(char)
        elif found and _stands_alone(both := unicodedata.normalize("NFC", found[-1] + char)):
            found[-1] = both
        else:
            found.append(_REPLACED)
    return "".join(found)


@lru_cache(maxsize=4096)
def _stands_alone(text: str) -> bool:
    """Whether it is one character, which takes columns of its own, always as many."""
    if len(text) != 1 or not text.isprintable() or unicodedata.category(text).startswith("M"):
        return False
    return not (_LEANING.match(text) or _BLANK.match(text))


_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]*|0[xX][0-9A-Fa-f]*")


def host_name_of(text: str) -> str:
    """The name of a host; empty if it is none by the rules of DNS, or could be read as an address.

    A name whose last part is a number is an IPv4 address to URLs. None has a colon, as IPv6 ones have.
    """
    name = text.removesuffix(".")
    if len(name) > HOST_NAME_CHARACTERS or not _NAME.fullmatch(name):
        return ""
    return "" if _NUMBER.fullmatch(name.rpartition(".")[2]) else name


def service_name_of(text: str) -> str:
    """The name of a service; empty if it is none, or a number."""
    return "" if len(text) > 32 or not _NAME.fullmatch(text) or text.isdigit() else text
