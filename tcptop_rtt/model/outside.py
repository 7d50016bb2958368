"""Text that others have written: of a command line, a path, a name. Never more of it than anybody reads."""

from __future__ import annotations

import codecs

TEXT_BYTES = 4096
"""As long as the longest path."""
NAME_CHARACTERS = 256
CUT = "…"
"""Stands at the end for what has been left out."""


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
    return text if len(text) <= NAME_CHARACTERS else text[:NAME_CHARACTERS] + CUT
