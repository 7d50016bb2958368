"""Fewer sequences, the same colours."""

from __future__ import annotations

import random
import re

import pytest
from rich.color import Color
from rich.style import Style
from rich.text import Text

from tcptop_rtt.terminal.pen import Pen

STYLES = [
    Style(color=Color.from_rgb(1, 2, 3), bgcolor=Color.from_rgb(4, 5, 6)),
    Style(color=Color.from_rgb(1, 2, 3), bgcolor=Color.from_rgb(4, 5, 7), bold=True),
    Style(color=Color.from_rgb(9, 2, 3), bgcolor=Color.from_rgb(4, 5, 6)),
    Style(color="red", bgcolor="bright_blue", reverse=True),
    Style(color="color(130)", bgcolor="color(17)", underline=True, bold=True),
    Style(color="default", bgcolor="red"),
    Style(dim=True),
    Style(),
]


def looks(text: str) -> list[tuple[str, Style]]:
    """Each character with its style, as another reader of such sequences sees it."""
    decoded = Text.from_ansi(text)
    plain = decoded.plain
    styles = [Style() for _ in plain]
    for start, end, style in decoded.spans:
        assert isinstance(style, Style)
        for at in range(start, end):
            styles[at] += style
    return [(char, _without_defaults(style)) for char, style in zip(plain, styles, strict=True)]


def _without_defaults(style: Style) -> Style:
    colour, background = (None if it is None or it.is_default else it for it in (style.color, style.bgcolor))
    return style.without_color + Style(color=colour, bgcolor=background)


def test_text_looks_the_same_with_fewer_sequences() -> None:
    rng = random.Random(5)  # noqa: S311 - no secret
    for _ in range(300):
        text = "".join(rng.choice(STYLES).render(rng.choice(["a", "  ", "xyz"])) for _ in range(20))
        pen = Pen()
        cut = [part for part in re.split(r"(?=\x1b\[[1-9])", text) if part]
        thin = "".join(map(pen.thin, cut))
        assert looks(thin) == looks(text)
        assert len(thin) < len(text)


def test_what_is_set_already_is_not_set_again() -> None:
    pen = Pen()
    a, other = (Style(color=color, bgcolor="black").render for color in ("red", "green"))
    assert pen.thin(a("x") + "\x1b[5;7H" + a("y")) == "\x1b[31;40mx\x1b[5;7Hy"
    assert pen.thin(other("z")) == "\x1b[32mz"
    assert pen.thin("\x1b[0m") == ""
    assert pen.thin(Style(color="green", bgcolor="black", bold=True).render("b")) == "\x1b[1mb"
    assert pen.thin(other("z")) == "\x1b[0;32;40mz"
    assert pen.thin("plain") == "\x1b[mplain"


@pytest.mark.parametrize("paints", ["\x1b[2J", "\x1b[K", "\x1b]52;c;eHg=\x07", "\x1b[?1049l"])
def test_what_may_paint_finds_the_colours_that_it_expects(paints: str) -> None:
    pen = Pen()
    assert pen.thin(f"\x1b[41mx\x1b[0m{paints}") == f"\x1b[41mx\x1b[m{paints}"
    assert pen.thin(f"\x1b[41mx{paints}\x1b[0m") == f"\x1b[41mx{paints}"
    assert pen.thin("y") == "\x1b[my"


def test_a_sequence_without_a_reset_adds_to_those_before() -> None:
    pen = Pen()
    assert pen.thin("\x1b[1m\x1b[31mx") == "\x1b[1;31mx"
    assert pen.thin("\x1b[39my") == "\x1b[0;1my"
    assert pen.thin("\x1b[0;4mz") == "\x1b[0;4mz"
