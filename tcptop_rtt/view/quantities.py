"""Numbers as users type them, with a unit or without: ``50ms``, ``1.5GB``, ``8080``.

This module imports nothing heavy, as the command line loads it at every start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

TIMES_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}
PREFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
SIZES = {prefix + end: size for prefix, size in PREFIXES.items() for end in ("", "b")}
"""In bytes."""
SHARES = {"%": 0.01}
MOST_PORT = 65535
_NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([a-z/%]*)", re.ASCII | re.IGNORECASE)
_MOST_DIGITS = 18  # so many fit into 64 bits, and int() is slow for very many


def number(text: str, sizes: Mapping[str, float]) -> float | None:
    """The number that a text stands for, perhaps infinite; None if it is no number with one of these units.

    :param sizes: the factor of each unit, by its name in lower case
    """
    found = _NUMBER.fullmatch(text)
    size = sizes.get(found[2].lower()) if found else None
    return None if found is None or size is None else float(found[1]) * size


def whole(text: str, least: int, most: int) -> int | None:
    """The whole number that a text stands for; None if it is no whole number within these limits."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    return int(text) if least <= int(text) <= most else None
