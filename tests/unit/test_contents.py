"""Fewer bytes, the same picture: on a terminal that pyte emulates."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyte
import pytest
from rich.color import Color
from rich.style import Style

from tcptop_rtt.terminal.contents import Contents

COLUMNS, LINES = 40, 8
STYLES = [
    Style(color=Color.from_rgb(1, 2, 3), bgcolor=Color.from_rgb(4, 5, 6)),
    Style(color=Color.from_rgb(1, 2, 3), bgcolor=Color.from_rgb(4, 5, 7), bold=True),
    Style(color=Color.from_rgb(9, 2, 3), bgcolor=Color.from_rgb(4, 5, 6)),
    Style(color="red", bgcolor="bright_blue", reverse=True),
    Style(color="color(130)", bgcolor="color(17)", underline=True, bold=True),
    Style(bgcolor="red"),
    Style(),
]
WORDS = ["a", "  ", "xyz", "\u25b8", "\u6f22\u5b57", "long enough"]


class Terminal:
    """What it shows after all that has been written to it."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self.screen)

    def write(self, text: str) -> None:
        self._stream.feed(text.replace("\n", "\r\n"))

    @property
    def shown(self) -> list[list[object]]:
        return [[self.screen.buffer[y][x] for x in range(COLUMNS)] for y in range(LINES)]


def _paint(rng: random.Random, line: int) -> str:
    """A line as Textual paints it: some segments from some column on."""
    column = rng.choice([1, 1, 1, 9])
    text, used = f"\x1b[{line};{column}H", column - 1
    while used < COLUMNS - 12:
        word = rng.choice(WORDS)
        used += sum(2 if "\u4e00" <= character <= "\u9fff" else 1 for character in word)
        text += rng.choice(STYLES).render(word)
    return text


def _updates(rng: random.Random) -> Iterator[str]:
    lines = [_paint(rng, line) for line in range(1, LINES)]
    for _ in range(30):
        for at in rng.sample(range(len(lines)), 2):
            lines[at] = _paint(rng, at + 1)
        painted = [line + rng.choice(["\n", ""]) for line in lines]
        yield "\x1b[?2026h" + "".join(painted) + f"\x1b[{rng.randrange(1, LINES)};3H\x1b[?2026l"
        if rng.random() < 0.1:
            yield rng.choice(["\x1b[2J", "\x1b[3;4H\x1b[K", "\x1b]52;c;eHg=\x07", "\x1b[?1000h"])


@pytest.mark.parametrize("seed", range(40))
def test_the_terminal_shows_the_same_with_fewer_bytes(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - no secret
    contents, whole, thin = Contents(lambda: 0.0), Terminal(), Terminal()
    sizes = [0, 0]
    for text in _updates(rng):
        update = contents.update(text)
        whole.write(text)
        thin.write(update)
        assert thin.shown == whole.shown
        assert (thin.screen.cursor.y, thin.screen.cursor.x) == (whole.screen.cursor.y, whole.screen.cursor.x)
        sizes[0] += len(text)
        sizes[1] += len(update)
    assert sizes[1] < 0.7 * sizes[0]


def test_only_the_cells_that_differ_are_written() -> None:
    contents = Contents(lambda: 0.0)
    red, green = (Style(color=color, bgcolor="black").render for color in ("red", "green"))
    assert contents.update("\x1b[5;7H" + red("one two")) == "\x1b[5;7H\x1b[31;40mone two"
    assert contents.update("\x1b[5;7H" + red("one two")) == ""
    assert contents.update("\x1b[5;7H" + red("one ") + green("TWO")) == "\x1b[5;11H\x1b[32mTWO"
    far = "x" * 20
    assert contents.update("\x1b[6;1H" + red(f"1{far}2")) == f"\x1b[6;1H\x1b[31m1{far}2"
    assert contents.update("\x1b[6;1H" + red(f"3{far}4")) == "\x1b[6;1H3\x1b[6;22H4"
    assert contents.update("\x1b[6;1H" + red(f"5{far}4")) == "\x1b[6;1H5\x1b[6;23H"


def test_a_line_a_second_is_written_anew_as_others_may_have_written_there() -> None:
    times_s = iter((0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0))
    contents = Contents(lambda: next(times_s))
    lines = "\x1b[1;1Hfirst\x1b[2;1Hsecond\x1b[3;1Hthird"
    contents.update(lines)
    told = []
    for _ in range(6):
        update = contents.update(lines)
        told.append([word for word in ("first", "second", "third") if word in update])
    assert told == [[], ["first"], [], ["second"], ["third"], ["first"]]


def test_all_is_written_anew_once_it_is_forgotten() -> None:
    contents = Contents(lambda: 0.0)
    lines = "\x1b[1;1Hfirst\x1b[2;1Hsecond"
    assert contents.update(lines) == lines
    assert contents.update(lines) == ""
    contents.forget()
    assert contents.update(lines) == lines
