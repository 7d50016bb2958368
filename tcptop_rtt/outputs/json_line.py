"""One line of JSON, as written by all outputs for programs."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode

Line = dict[str, Any] | msgspec.Struct
"""The values of a line by field name. Structs are quicker for many lines with the same fields."""


def encoded(line: Line) -> bytes:
    """Return the line with its newline, in printable ASCII, which is safe for any terminal."""
    try:
        text = _encode(line)
    except UnicodeEncodeError:  # a file name may have lone surrogates
        return in_ascii(line) + b"\n"
    return (text if text.isascii() and b"\x7f" not in text else in_ascii(line)) + b"\n"


def in_ascii(value: object) -> bytes:
    """Return JSON in printable ASCII: json.dumps escapes all but DEL."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    return json.dumps(value, separators=(",", ":")).encode().replace(b"\x7f", rb"\u007f")
