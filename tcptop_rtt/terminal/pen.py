"""Colours that need not be set: the terminal keeps a colour until it gets another.

Rich sets all attributes before a text and resets them behind it. In a table that is more than the text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m|\x1b\[[0-9;]*H|\n")
"""What sets attributes, with its parameters, and what only moves the cursor. All else may paint."""

_RESET = ("", "0")
_DEFAULT = {"39": "foreground", "49": "background"}


class Attributes(NamedTuple):
    """As parameters of SGR (ECMA-48, 8.3.117); empty: as after a reset."""

    foreground: str = ""
    background: str = ""
    others: frozenset[str] = frozenset()


class Pen:
    """Follows what is written to one terminal, and leaves out what it knows already."""

    def __init__(self) -> None:
        self._set = Attributes()
        self._wanted = Attributes()

    def thin(self, text: str) -> str:
        """The text with as few sequences as will do. Sequences are whole in it."""
        found: list[str] = []
        end = 0
        for escape in _ESCAPE.finditer(text):
            if escape.start() > end:
                found += self._change(), text[end : escape.start()]
            end = escape.end()
            parameters = escape[1]
            if parameters is None:
                found.append(escape[0])
            elif parameters in _RESET:
                self._wanted = Attributes()
            else:
                self._wanted = _added(self._wanted, parameters)
        if len(text) > end:
            found += self._change(), text[end:]
        return "".join(found)

    def _change(self) -> str:
        before, self._set = self._set, self._wanted
        return "" if before == self._wanted else _difference(before, self._wanted)


@lru_cache(maxsize=4096)
def _added(before: Attributes, parameters: str) -> Attributes:
    """What attributes are after a further sequence."""
    foreground, background, others = before
    codes = iter(parameters.split(";"))
    for code in codes:
        if code in _RESET:
            foreground, background, others = Attributes()
            continue
        if code in ("38", "48"):  # a colour by its number or its parts
            kind = next(codes, "")
            colour = ";".join([code, kind, *islice(codes, 1 if kind == "5" else 3)])
        elif _is_colour(code):
            colour = "" if code in _DEFAULT else code
        else:
            others |= {code}
            continue
        if code.startswith(("4", "10")):
            background = colour
        else:
            foreground = colour
    return Attributes(foreground, background, others)


def _is_colour(code: str) -> bool:
    """Of the 16 colours, or the terminal's own: 30 to 49, 90 to 97, 100 to 107."""
    return code.isdecimal() and (30 <= int(code) <= 49 or 90 <= int(code) <= 107)


@lru_cache(maxsize=4096)
def _difference(before: Attributes, wanted: Attributes) -> str:
    lost = before.others - wanted.others
    lost |= {old for old, new in zip(before[:2], wanted[:2], strict=True) if old and not new}
    if lost:
        before = Attributes()
    colours = [new for old, new in zip(before[:2], wanted[:2], strict=True) if new != old]
    parameters = [*(["0"] if lost else []), *sorted(wanted.others - before.others), *colours]
    return f"\x1b[{';'.join(parameters)}m" if parameters != ["0"] else "\x1b[m"
