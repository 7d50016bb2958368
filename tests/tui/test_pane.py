"""The details beside the table of a wide terminal."""

from __future__ import annotations

import asyncio

import pytest

from tcptop_rtt.feeds.base import Capability
from tcptop_rtt.screens import details_pane
from tcptop_rtt.screens.details import DetailsScreen
from tcptop_rtt.screens.details_pane import SHOW_REST_S, TRACE_REST_S, DetailsPane
from tcptop_rtt.screens.details_title import TitleLines
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.widgets.facts import FactPanel
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.rtt_chart import RttChart
from tests.tui.conftest import Open
from tests.tui.feed import Stage, trace_of
from tests.unit.rows import row

WIDE, HALF_WIDE, NARROW = (300, 80), (150, 48), (120, 30)


def is_shown(it: Stage) -> bool:
    return any(pane.display for pane in it.main.query(DetailsPane))


def facts(it: Stage) -> str:
    return it.main.query_one(FactPanel).plain


async def until_traced(it: Stage, *traced: int | None) -> None:
    """Wait until these have been asked for, in this order."""
    await it.until(lambda: it.feed.traced == list(traced), f"{traced} asked for")


async def test_it_is_there_once_a_connection_is_selected_and_follows(stage: Open) -> None:
    async with stage(WIDE) as it:
        shown = row(1, cwnd=11), row(2, cwnd=22), row(3, cwnd=33)
        await it.show(*shown)
        assert not is_shown(it)
        await it.press("down")
        assert is_shown(it)
        assert "22 segments" in facts(it)
        await until_traced(it, 2)
        await it.show(*shown, step=1, trace=trace_of(2, *range(1000, 40_000, 1000)))
        chart = it.main.query_one(RttChart)
        assert "p95" in chart.plain
        assert chart.size.height > 20
        assert "nginx: worker" in facts(it)
        await it.press("down")
        await until_traced(it, 2, 1)
        assert "11 segments" in facts(it)
        assert "nginx: worker" not in facts(it)
        await it.press("home")
        assert not is_shown(it)
        await until_traced(it, 2, 1, None)


async def test_while_the_selection_moves_nothing_is_drawn_or_traced(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details_pane, "SHOW_REST_S", 3600)
    async with stage(WIDE) as it:
        await it.show(*(row(number, cwnd=1000 + number) for number in range(1, 40)))
        await it.press("down")
        before = facts(it)
        assert "1038 segments" in before
        await it.press("down")  # before every ACK is traced
        await it.press(*["down"] * 20)
        await asyncio.sleep(TRACE_REST_S + 0.5)
        assert facts(it) == before
        assert it.feed.traced in ([], [38])  # a busy machine may be that slow between two keys


@pytest.mark.parametrize(("size", "by_itself"), [(WIDE, True), (HALF_WIDE, False)])
async def test_d_hides_and_shows_it(stage: Open, size: tuple[int, int], by_itself: bool) -> None:
    async with stage(size) as it:
        await it.show(row(1), row(2))
        await it.press("down")
        assert is_shown(it) == by_itself
        width = it.table.size.width
        await it.press("d")
        assert is_shown(it) != by_itself
        assert (it.table.size.width > width) == by_itself
        await it.press("d")
        assert is_shown(it) == by_itself
        await it.show(row(1), row(2), step=1)
        assert is_shown(it) == by_itself


async def test_d_selects_the_first_line_if_none_is_selected(stage: Open) -> None:
    async with stage(HALF_WIDE) as it:
        await it.show(row(1), row(2))
        await it.press("d")
        assert is_shown(it)
        assert it.table.pinned == 2
        await until_traced(it, 2)
        await it.press("d")
        await until_traced(it, 2, None)


async def test_d_says_why_it_does_nothing(stage: Open) -> None:
    async with stage(NARROW) as it:
        await it.show(row(1))
        await it.press("d")
        assert not is_shown(it)
        assert "140 columns" in it.screen_text
    async with stage(WIDE) as it:
        await it.show(row(1))
        await it.press("tab", "d")
        assert not is_shown(it)
        assert "only a connection has details" in it.screen_text


async def test_groups_and_what_the_filter_hides_have_none(stage: Open) -> None:
    async with stage(WIDE) as it:
        await it.show(row(1), row(2))
        await it.press("down")
        await until_traced(it, 1)
        await it.press("tab")
        await until_traced(it, 1, None)
        assert not is_shown(it)
        await it.press("shift+tab")
        assert is_shown(it)
        await it.press("slash", *"nobody", "enter")
        assert not is_shown(it)
        await it.press("escape")
        assert is_shown(it)
        assert "proc1 1001" in it.main.query_one(TitleLines).plain


async def test_it_comes_and_goes_with_the_width(stage: Open) -> None:
    async with stage(WIDE) as it:
        await it.show(row(1), row(2))
        await it.press("down")
        await it.pilot.resize_terminal(190, 48)
        await it.pilot.pause()
        assert not is_shown(it)
        await it.pilot.resize_terminal(210, 48)
        await it.pilot.pause()
        assert is_shown(it)
        text = it.screen_text.splitlines()
        assert all(len(line) == 210 for line in text)


async def test_while_what_is_selected_is_filtered_out_it_shows_what_the_cursor_is_on(stage: Open) -> None:
    async with stage(WIDE) as it:
        others = row(2, comm=b"other", cwnd=22, srtt_us=30), row(3, comm=b"other", cwnd=33, srtt_us=10)
        await it.show(row(1, cwnd=11, srtt_us=20), *others)
        await it.press("down", "slash", *"other", "enter")
        await it.until(lambda: "33 segments" in facts(it), "what the cursor is on")
        await it.show(row(1, cwnd=11), others[0] | {"srtt_us": 1}, others[1], step=1)
        assert it.table.ids == [3, 2]
        await it.until(lambda: it.feed.traced[-1:] == [3], "every ACK of it asked for")
        assert "33 segments" in facts(it)
        await it.press("enter")
        assert "198.51.100.3:443" in it.screen_text


async def test_enter_still_opens_the_screen_and_the_trace_goes_on_behind(stage: Open) -> None:
    async with stage(WIDE) as it:
        await it.show(row(1), row(2))
        await it.press("down")
        await until_traced(it, 1)
        await it.press("enter")
        assert isinstance(it.app.screen, DetailsScreen)
        assert it.feed.traced == [1, 1]
        await it.press("escape")
        assert it.app.screen_stack == [it.main]
        assert it.feed.traced == [1, 1, 1]


async def test_before_it_rests_the_screen_that_is_opened_keeps_its_trace(stage: Open) -> None:
    for _ in range(20):
        async with stage(WIDE) as it:
            await it.show(row(1), row(2))
            await it.press("down", "enter")
            if it.feed.traced != [1]:
                continue  # on a busy machine it has rested before the screen was there
            await asyncio.sleep(SHOW_REST_S + TRACE_REST_S + 0.5)
            assert it.feed.traced == [1]
            await it.press("escape")
            assert it.feed.traced == [1, 1]
            return
    pytest.fail("the screen never opens before the selection has rested")


async def test_frozen_it_stays_and_still_follows(stage: Open) -> None:
    async with stage(WIDE) as it:
        await it.show(row(1, cwnd=11), row(2, cwnd=22))
        await it.press("down", "space")
        await until_traced(it, 1)
        await it.show(row(1, cwnd=91), row(2, cwnd=92), step=1)
        assert "11 segments" in facts(it)
        await it.press("up")
        await until_traced(it, 1, 2)
        assert "22 segments" in facts(it)


async def test_in_the_past_it_is_of_then_and_now_goes_on_from_where_it_was(stage: Open) -> None:
    async with stage(WIDE) as it:
        for second in range(10):
            await it.show(row(1, srtt_us=1000, cwnd=second), row(2, srtt_us=1), step=second)
        await it.press("d")  # selects the first
        await until_traced(it, 1)
        rtt_us = [1000] * 8
        for second in range(10, 14):
            rtt_us.append(90_000)
            trace = trace_of(1, *rtt_us)
            await it.show(row(1, srtt_us=90_000, cwnd=second), row(2, srtt_us=1), step=second, trace=trace)
        chart = it.main.query_one(RttChart)
        now = chart.plain
        assert "90.0ms" in now
        assert "nginx: worker" in facts(it)
        await it.press("h", *["left"] * 5)
        assert "7 segments" in facts(it)
        assert "nginx: worker" not in facts(it)  # that is of now
        then = chart.plain
        assert "90.0ms" not in then
        assert "1.00ms" in then
        await it.press("h")
        assert chart.plain == now


async def test_a_connection_that_has_ended_stays_beside_its_line(stage: Open) -> None:
    async with stage(WIDE) as it:
        await it.show(row(1), row(2))
        await it.press("down")
        await it.show(row(1, closed=True), row(2), step=1)
        assert " CLOSED " in it.main.query_one(TitleLines).plain


async def test_beside_the_table_in_ascii(stage: Open) -> None:
    async with stage(WIDE, glyphs=ASCII) as it:
        await it.show(row(1), row(2))
        await it.press("down")
        await it.show(row(1), row(2), step=1, trace=trace_of(1, *range(1000, 40_000, 1000)))
        assert it.screen_text.isascii()
        assert "d Beside" in it.main.query_one(KeyLine).plain


async def test_without_traces_it_shows_what_there_is(stage: Open) -> None:
    async with stage(WIDE, capabilities=frozenset({Capability.REFRESH})) as it:
        await it.show(row(1, cwnd=11))
        await it.press("d")
        assert "11 segments" in facts(it)
        assert "each ACK" in it.main.query_one(RttChart).plain
