"""One line of JSON, as written by all outputs for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()
_AT_ONCE = 64
"""The number of lines that are made in one piece: quick enough, and few are in memory twice."""

Line = dict[str, Any] | msgspec.Struct
"""The values of a line by field name. Structs are quicker for many lines with the same fields."""


def encoded(line: Line) -> bytes:
    """Return the line with its newline, in printable ASCII, which is safe for any terminal."""
    return _plain([line]) or in_ascii(line) + b"\n"


def pieces(lines: Iterable[Line]) -> Iterator[bytes]:
    """Yield the lines as :func:`encoded` returns them, several at a time."""
    left = iter(lines)
    while some := list(islice(left, _AT_ONCE)):
        yield _plain(some) or b"".join(map(encoded, some))


def _plain(lines: list[Line]) -> bytes:
    """Return the lines; nothing if one of them needs escapes to be printable ASCII."""
    try:
        text = _encoder.encode_lines(lines)
    except UnicodeEncodeError:  # a file name may have lone surrogates
        return b""
    return text if text.isascii() and b"\x7f" not in text else b""


def in_ascii(value: object) -> bytes:
    """Return JSON in printable ASCII: json.dumps escapes all but DEL."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    return json.dumps(value, separators=(",", ":")).encode().replace(b"\x7f", rb"\u007f")
