"""Text attributes as SGR sequences set them (ECMA-48, 8.3.117), and the sequences that change them."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import NamedTuple

_RESET = ("", "0")
_DEFAULTS = ("39", "49")


class Attributes(NamedTuple):
    """The attributes in effect, as SGR parameters; all are empty after a reset."""

    foreground: str = ""
    background: str = ""
    others: frozenset[str] = frozenset()


PLAIN = Attributes()


@lru_cache(maxsize=4096)
def added(before: Attributes, parameters: str) -> Attributes:
    """Returns the attributes after an SGR sequence with these parameters."""
    foreground, background, others = before
    codes = iter(parameters.split(";"))
    for code in codes:
        if code in _RESET:
            foreground, background, others = PLAIN
            continue
        if code in ("38", "48"):  # followed by a palette index or by RGB values
            kind = next(codes, "")
            colour = ";".join([code, kind, *islice(codes, 1 if kind == "5" else 3)])
        elif _is_colour(code):
            colour = "" if code in _DEFAULTS else code
        else:
            others |= {code}
            continue
        if code.startswith(("4", "10")):
            background = colour
        else:
            foreground = colour
    return Attributes(foreground, background, others)


def _is_colour(code: str) -> bool:
    """Returns whether a code is one of the 16 colours or the default: 30 to 49, 90 to 97, 100 to 107."""
    return code.isdecimal() and (30 <= int(code) <= 49 or 90 <= int(code) <= 107)


@lru_cache(maxsize=4096)
def difference(before: Attributes, wanted: Attributes) -> str:
    """Returns the SGR sequence that changes ``before`` into ``wanted``; empty if they are equal."""
    if before == wanted:
        return ""
    lost = before.others - wanted.others
    lost |= {old for old, new in zip(before[:2], wanted[:2], strict=True) if old and not new}
    if lost:
        before = PLAIN
    colours = [new for old, new in zip(before[:2], wanted[:2], strict=True) if new != old]
    parameters = [*(["0"] if lost else []), *sorted(wanted.others - before.others), *colours]
    return f"\x1b[{';'.join(parameters)}m" if parameters != ["0"] else "\x1b[m"
