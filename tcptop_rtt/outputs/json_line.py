"""One line of JSON, as everything writes it that is meant for programs."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode

Line = dict[str, Any] | msgspec.Struct
"""What a line says, by the names of its fields. Of many lines with the same fields structures are quicker."""


def encoded(line: Line) -> bytes:
    """The line with its end, in ASCII, as it may go to any terminal."""
    try:
        text = _encode(line)
    except UnicodeEncodeError:  # the name of a file need be no text
        return in_ascii(line) + b"\n"
    return (text if text.isascii() and b"\x7f" not in text else in_ascii(line)) + b"\n"


def in_ascii(value: object) -> bytes:
    """JSON in ASCII without the one character in it that is not printable."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    return json.dumps(value, separators=(",", ":")).encode().replace(b"\x7f", rb"\u007f")
