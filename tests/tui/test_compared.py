"""The screen of a comparison: its tables, order and filter, in any size."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from textual.pilot import Pilot

from tcptop_rtt.compare_app import CompareApp
from tcptop_rtt.comparing.compared import compare
from tcptop_rtt.comparing.result import Result, SideInfo
from tcptop_rtt.comparing.tally import Tally
from tcptop_rtt.screens.compared import ComparedScreen
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import ASCII, UNICODE, Glyphs
from tcptop_rtt.view.preferences import Preferences
from tests.tui.feed import text_of
from tests.unit.traffic import Traffic

DARK = Preferences("dark")
SERVERS = (("198.51.100.7", 5432), ("203.0.113.9", 6379))


@pytest.fixture(scope="module")
def result() -> Result:
    """The first server becomes slower."""
    sides = []
    for n, rtts in enumerate(((20.0, 10.0), (40.0, 10.0))):
        tally = Tally(Filter())
        first, second = (
            Traffic(2 * n + at, rtt_ms=rtt, servers=(SERVERS[at],)) for at, rtt in enumerate(rtts)
        )
        for one, _ in zip(first.snapshots(40), second.snapshots(40), strict=True):
            tally.add(one)
        other = Tally(Filter())
        for one in second.snapshots(40):
            other.add(one)
        sides.append((tally, other))
    (a, quiet_a), (b, quiet_b) = sides
    rows = np.concatenate([compare(a, b, False), compare(quiet_a, quiet_b, False)])
    names = ("monday", "tues\x1b[31mday")
    monday, tuesday = (SideInfo(f"{name}.zst", "web1", 0, 0, f"time of {name}") for name in names)
    return Result(monday, tuesday, rows, 0, "")


@asynccontextmanager
async def opened(
    result: Result,
    size: tuple[int, int] = (160, 48),
    glyphs: Glyphs = UNICODE,
    preferences: Preferences = DARK,
) -> AsyncIterator[tuple[CompareApp, Pilot[None]]]:
    app = CompareApp(result, glyphs, preferences)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


async def test_what_has_shifted_farthest_beyond_chance_comes_first(result: Result) -> None:
    async with opened(result) as (app, _):
        lines = text_of(app).splitlines()
        assert "time of monday  web1  monday.zst" in lines[0]
        assert "\x1b" not in lines[0]
        assert "services" in lines[1]
        assert "more than chance (of these 1 in 20 is not)" in lines[1]
        assert "MOST▼" in lines[2]
        assert ":5432" in lines[3]
        assert "p50 +9" in lines[3] or "p50 +1" in lines[3]
        assert "% *" in lines[3]
        assert ":6379" in lines[4]
        assert "*" not in lines[4]
        assert "Details" not in lines[-1]


async def test_tab_shows_networks_and_keys_sort(result: Result) -> None:
    async with opened(result) as (app, pilot):
        await pilot.press("tab")
        text = text_of(app)
        assert "198.51.100.0/24" in text
        assert ":5432" not in text
        await pilot.press("s")
        assert "▼P50" in text_of(app)
        await pilot.press("S")
        assert "▲P50" in text_of(app)
        await pilot.press("o", "p")
        assert "GROUP▲" in text_of(app)
        await pilot.press("tab")
        assert ":5432" in text_of(app)
        assert "GROUP▲" in text_of(app)
        await pilot.press("enter", "x")
        assert "x does nothing here" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "Enter does nothing here" in text_of(app)


async def test_a_filter_leaves_groups_out_and_esc_goes_back_and_ends(result: Result) -> None:
    async with opened(result) as (app, pilot):
        await pilot.press("slash", *"port:6379", "enter")
        await pilot.pause()
        text = text_of(app)
        assert ":6379" in text
        assert ":5432" not in text
        assert "filter port:6379" in text
        await pilot.press("escape")
        assert ":5432" in text_of(app)
        await pilot.press("tab", "slash", *"remote:198.51.0.0/16", "enter")
        assert "203.0.113.0/24" not in text_of(app)
        await pilot.press("escape")
        await pilot.press("slash", *"p50_us_b>30ms p50_us_beyond_chance:yes farthest:p50", "enter")
        assert "198.51.100.0/24" in text_of(app)
        assert "203.0.113.0/24" not in text_of(app)
        await pilot.press("escape")
        await pilot.press("slash", *"cwnd>1")
        assert "there is no field cwnd" in text_of(app)
        await pilot.press("escape")
        await pilot.press("escape")
        await pilot.pause()
        assert not app.is_running or app._exit


async def test_an_action_has_the_key_that_is_chosen_here_too(result: Result) -> None:
    chosen = Preferences("dark", None, {"groups": "F2", "reverse": "X"})
    async with opened(result, preferences=chosen) as (app, pilot):
        assert "F2 Groups" in text_of(app)
        await pilot.press("f2")
        assert "198.51.100.0/24" in text_of(app)
        await pilot.press("tab", "X")
        assert "198.51.100.0/24" in text_of(app)
        assert "MOST▲" in text_of(app)


async def test_a_fault_of_ours_ends_in_one_line(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    app = None

    def fail(_: ComparedScreen) -> None:
        raise KeyError("of\nours")

    monkeypatch.setattr(ComparedScreen, "action_next_table", fail)
    with pytest.raises(KeyError):
        async with opened(result) as (app, pilot):
            await pilot.press("tab")
    assert app is not None
    assert re.fullmatch(
        r"the dashboard has failed, please report it: KeyError: 'of\\nours' \(test_compared\.py, line \d+\)",
        str(app.problem),
    )


@pytest.mark.parametrize("size", [(80, 24), (60, 7), (300, 60)])
async def test_any_size_and_plain_characters(result: Result, size: tuple[int, int]) -> None:
    async with opened(result, size, ASCII) as (app, _):
        text = text_of(app)
        assert text.isascii()
        assert "P50" in text
        assert ":5432" in text
