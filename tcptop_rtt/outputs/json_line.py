"""One line of JSON, as everything writes it that is meant for programs."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def encoded(line: dict[str, Any]) -> bytes:
    """The line with its end, in ASCII, as it may go to any terminal."""
    try:
        text = _encode(line)
    except UnicodeEncodeError:
        text = b"\xff"  # the name of a file need be no text
    if not text.isascii():
        text = json.dumps(line, separators=(",", ":")).encode()
    return without_delete(text) + b"\n"


def without_delete(text: bytes) -> bytes:
    """JSON in ASCII without the one character that it may have as it is and that is not printable."""
    return text.replace(b"\x7f", rb"\u007f")
