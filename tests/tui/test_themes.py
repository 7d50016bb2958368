"""The themes: that everything can be read in each of them, and which one there is at first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.app import App
from textual.screen import ModalScreen

from tcptop_rtt.terminal.background import BackgroundReported
from tcptop_rtt.view.palettes import PALETTES, for_background
from tests.tui.conftest import Open
from tests.tui.feed import HandFeed, Stage, make_app, trace_of
from tests.tui.scenes import CONNECTIONS, SAMPLES_US, SCENES

TEXT, MARKS = 4.5, 3.0
"""What WCAG 2 asks for, of text and of what else has a meaning."""
MARK_GLYPHS = set("▁▂▃▄▅▆▇─▔■·▸▲▼") | {chr(code) for code in range(0x2801, 0x2900)}
OVER = "HelpText, OverLines, MomentList, Palette #--input, Palette CommandList"
"""What lies over another screen."""
DECORATION = set("│┤┈─└┴┬┼╭╮╰╯ ▊▎▔▁┃")
"""Axes, grids and borders: nothing is lost without them."""
BRIGHT_RED, BRIGHT_YELLOW = 9, 11
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
_RED = (255, 85, 85)
VGA = TerminalTheme(
    BLACK,
    (170, 170, 170),
    [BLACK, (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170,) * 3],
    [(85,) * 3, _RED, (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255), WHITE],
)  # fmt: skip
XTERM = TerminalTheme(
    BLACK,
    (229, 229, 229),
    [BLACK, (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229,) * 3],
    [(127,) * 3, (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255), WHITE],
)  # fmt: skip


def contrast(style: Style, terminal: TerminalTheme) -> float:
    """How well text can be told from its background: from 1 to 21, as WCAG defines it."""
    assert style.color is not None
    assert style.bgcolor is not None
    colours = (
        style.color.get_truecolor(terminal),
        style.bgcolor.get_truecolor(terminal, foreground=False),
    )
    low, high = sorted(_luminance(*colour) for colour in colours)
    return (high + 0.05) / (low + 0.05)


def _luminance(*rgb: int) -> float:
    shares = [value / 255 for value in rgb]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def segments(app: App[None]) -> Iterator[Segment]:
    """All that is drawn, as the terminal gets it, but for what is covered and veiled."""
    screen = app.screen
    over = [widget.region for widget in screen.query(OVER)]
    for region in over if isinstance(screen, ModalScreen) else [screen.region]:
        for strip in screen._compositor.render_strips()[slice(*region.line_span)]:
            yield from strip.crop(region.x, region.right)


def unreadable(app: App[None]) -> dict[tuple[str, str], float]:
    """What has too little contrast: text and style, and the contrast."""
    found = {}
    for text, style, _ in segments(app):
        glyphs = set(text) - {" "}
        if not glyphs or glyphs <= DECORATION - MARK_GLYPHS:
            continue
        assert style is not None
        assert not style.dim  # it is as bright as the terminal likes
        least = MARKS if glyphs <= MARK_GLYPHS | DECORATION else TEXT
        for terminal in (VGA, XTERM):
            ratio = contrast(style, terminal)
            if ratio < least and not (style.color and glyphs <= DECORATION):
                found[text, str(style)] = round(ratio, 2)
    return found


@pytest.mark.parametrize("theme", PALETTES)
@pytest.mark.parametrize("at", SCENES)
async def test_everything_can_be_read(stage: Open, theme: str, at: str) -> None:
    async with stage((160, 30), theme=theme) as it:
        await SCENES[at](it)
        assert sum(1 for _ in segments(it.app)) > 20
        assert unreadable(it.app) == {}


@pytest.mark.parametrize("theme", PALETTES)
async def test_every_line_can_be_read_while_it_is_selected(stage: Open, theme: str) -> None:
    async with stage((160, 30), theme=theme) as it:
        await it.show(*CONNECTIONS)
        for _ in CONNECTIONS:
            await it.press("down")
            assert unreadable(it.app) == {}


@pytest.mark.parametrize("theme", PALETTES)
async def test_the_details_of_every_kind_can_be_read(stage: Open, theme: str) -> None:
    async with stage((160, 48), theme=theme) as it:
        await it.show(*CONNECTIONS)
        await it.press("down", "enter")
        for step in range(1, len(CONNECTIONS)):
            trace = trace_of(it.feed.traced[-1] or 0, *SAMPLES_US)
            await it.show(*CONNECTIONS, step=step, trace=trace)
            assert unreadable(it.app) == {}
            await it.press("right_square_bracket")


async def test_what_cannot_be_read_is_noticed(stage: Open) -> None:
    async with stage(theme="light") as it:
        await it.show(*CONNECTIONS)
        it.app.stylesheet.add_source("ConnectionTable .connection-table--dim { color: #909090; }")
        it.app.refresh_css()
        await it.pilot.pause()
        assert unreadable(it.app)


async def test_16_colours_are_the_terminals_own_and_yellow_is_not_red(stage: Open) -> None:
    async with stage((160, 30), theme="ansi") as it:
        await it.show(*CONNECTIONS)
        assert any("70.0ms" in text for text, *_ in segments(it.app))
        styles = [style for text, style, _ in segments(it.app) if style and not text.isspace()]
        colours = {colour for style in styles for colour in (style.color, style.bgcolor)}
        assert None not in colours
        numbers = {colour.number for colour in colours if colour}
        assert {BRIGHT_RED, BRIGHT_YELLOW} <= numbers <= set(range(16))


async def test_t_goes_through_the_themes_and_says_which(stage: Open) -> None:
    async with stage(theme="dark") as it:
        await it.show(*CONNECTIONS)
        seen = []
        for _ in range(2 * len(PALETTES)):
            await it.press("t")
            seen.append(it.app.theme)
            assert f"theme: {it.app.theme}" in it.screen_text
        names = list(PALETTES)
        assert seen == 2 * [*names[1:], names[0]]
        await it.press("enter", "t")
        assert f"theme: {it.app.theme}" in it.screen_text


async def test_another_theme_draws_all_lines_anew(stage: Open) -> None:
    async with stage(theme="dark") as it:
        await it.show(*CONNECTIONS)

        def backgrounds() -> set[str]:
            return {str(style.bgcolor) for _, style, _ in segments(it.app) if style}

        dark = backgrounds()
        await it.press("t")
        assert not dark & backgrounds()
        await it.press(*"ttt")
        assert backgrounds() == dark


@pytest.mark.parametrize(
    ("environment", "theme", "asks"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "dark", True),
        ({"TERM": "xterm-256color", "COLORTERM": ""}, "dark", True),
        ({"TERM": "xterm", "COLORTERM": ""}, "ansi", False),
        ({"TERM": "linux", "COLORTERM": ""}, "ansi", False),
    ],
)
def test_the_first_theme_is_one_that_the_terminal_can_show(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], theme: str, asks: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = make_app(HandFeed())
    assert (app.theme, app.asks_background) == (theme, asks)
    app = make_app(HandFeed(), theme="light")
    assert (app.theme, app.asks_background) == ("light", False)


def test_what_is_light_and_what_is_dark() -> None:
    backgrounds = ((0, 0, 0), (1, 1, 1), (0, 0.17, 0.21), (0.99, 0.96, 0.89))
    assert [for_background(*rgb).name for rgb in backgrounds] == ["dark", "light", "dark", "light"]


async def test_the_terminals_background_decides_unless_the_user_has(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")

    async def told(it: Stage, value: float) -> None:
        it.app.post_message(BackgroundReported((value, value, value)))
        await it.pilot.pause()

    async with stage(theme=None) as it:
        await told(it, 1.0)
        assert it.app.theme == "light"
        await told(it, 0.0)
        assert it.app.theme == "light"  # once is enough
    async with stage(theme=None) as it:
        await it.press("t", "t")
        await told(it, 1.0)
        assert it.app.theme == list(PALETTES)[2]
    async with stage(theme="dark") as it:
        await told(it, 1.0)
        assert it.app.theme == "dark"


@pytest.mark.parametrize("theme", PALETTES)
async def test_without_colours_there_are_only_greys(
    stage: Open, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(theme=theme) as it:
        await it.show(*CONNECTIONS)
        for _, style, _ in segments(it.app):
            for colour in (style.color, style.bgcolor) if style else ():
                red, green, blue = colour.get_truecolor() if colour else BLACK
                assert red == green == blue
        assert unreadable(it.app) == {}
        for _ in PALETTES:
            await it.press("t")
            assert not it.app.current_theme.ansi  # what the terminal calls a colour has no shade of grey
