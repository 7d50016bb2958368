"""Back in time: the table as it was, and the log of moments."""

from __future__ import annotations

from typing import Any

import pytest

from tcptop_rtt.screens.moments import MomentsScreen
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.view.listener_list import LISTENERS
from tcptop_rtt.widgets.key_line import KeyLine
from tests.tui.conftest import Open
from tests.tui.feed import START_NS, Stage
from tests.unit.rows import listener, listeners_of, row

STALLED = {"stalled": True, "retransmits": 2, "last_ack_ms": 3000}


async def seconds(it: Stage, count: int, **fields: Any) -> None:
    """A connection whose RTT is 1 ms in the first second, 2 ms in the next ..."""
    for second in range(count):
        await it.show(row(1, srtt_us=1000 * (second + 1), **fields), row(2, srtt_us=1), step=second)


def clock(step: int) -> str:
    return fmt.clock(START_NS / 1e9 + step)


def keys(it: Stage) -> list[str]:
    return it.app.screen.query_one(KeyLine).keys


async def test_h_shows_the_table_as_it_was_and_the_header_says_of_when(stage: Open) -> None:
    async with stage() as it:
        await seconds(it, 5)
        assert "5.00ms" in it.screen_text
        assert "PAST" not in it.screen_text
        await it.press("h")
        assert f"PAST {clock(3)}, 1s ago" in it.screen_text
        assert "4.00ms" in it.screen_text
        await it.press("left", "comma")
        assert f"PAST {clock(1)}, 3s ago" in it.screen_text
        assert "2.00ms" in it.screen_text
        await it.show(row(1, srtt_us=77_000), row(8), row(9, **STALLED), step=200)
        assert " 2 connections " in it.screen_text
        assert "1 stalled" not in it.screen_text
        assert f"PAST {clock(1)}, 3m 19s ago" in it.screen_text
        assert "2.00ms" in it.screen_text
        assert it.table.ids == [1, 2]
        await it.press("right")
        assert f"PAST {clock(2)}, 3m 18s ago" in it.screen_text
        await it.press("h")
        assert "PAST" not in it.screen_text
        assert clock(200) in it.screen_text
        assert " 3 connections " in it.screen_text
        assert "77.0ms" in it.screen_text


async def test_esc_goes_back_to_now_before_it_clears_the_filter(stage: Open) -> None:
    async with stage() as it:
        await seconds(it, 3)
        await it.press("slash", *"proc1", "enter", "h", "left")
        assert it.table.ids == [1]
        assert "1.00ms" in it.screen_text
        await it.press("escape")
        assert "PAST" not in it.screen_text
        assert "3.00ms" in it.screen_text
        assert it.main.filter.text == "proc1"
        await it.press("escape")
        assert it.main.filter.text == ""


async def test_after_the_last_second_kept_comes_now(stage: Open) -> None:
    async with stage() as it:
        await seconds(it, 3)
        await it.press("h", "full_stop")
        assert f"PAST {clock(2)}, 0s ago" in it.screen_text
        await it.press("right")
        assert "PAST" not in it.screen_text
        assert not it.main.travelling


async def test_before_the_first_second_there_is_nothing_and_it_says_so(stage: Open) -> None:
    async with stage() as it:
        await it.press("h")
        assert "nothing earlier is kept" in it.screen_text
        await it.show(row(1))
        await it.press("h")
        assert not it.main.travelling
        await it.show(row(1), step=1)
        await it.press("h", "left")
        assert f"PAST {clock(0)}, 1s ago" in it.screen_text
        assert "nothing earlier is kept" in it.screen_text


async def test_the_keys_that_step_are_offered_in_the_past_only(stage: Open) -> None:
    async with stage((220, 48)) as it:
        await seconds(it, 3)
        assert not {"left", "right"} & set(keys(it))
        await it.press("left", "right")
        assert not it.main.travelling
        await it.press("h")
        assert {"left", "right", "escape"} <= set(keys(it))
        await it.press("slash")
        assert keys(it) == ["escape", "ctrl+p"]
        await it.press("h", "m", "left", "escape")
        assert it.main.travelling
        await it.press("h")
        assert not {"left", "right"} & set(keys(it))


async def test_a_group_sort_cursor_and_verdict_of_then(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, **STALLED), row(2, srtt_us=9000, comm=b"a"), row(3, comm=b"b"), step=0)
        await it.show(row(1), row(2), row(3), step=1)
        await it.press("h", "w")
        assert it.table.ids[0] == 1
        assert "silent 3.0s" in it.screen_text
        await it.press("p", "pagedown")
        assert it.table.cursor_id == it.table.ids[-1]
        await it.press("tab")
        assert "hosts" in it.screen_text
        assert "silent" in it.screen_text
        await it.press("enter")
        assert it.table.lines == 1
        assert it.main.travelling
        await it.press("h", "tab")
        assert "silent" not in it.screen_text


async def test_there_are_no_details_of_the_past_and_enter_says_so(stage: Open) -> None:
    async with stage() as it:
        await seconds(it, 3)
        await it.press("h", "enter")
        assert it.app.screen is it.main
        assert "details are of now" in it.screen_text
        assert it.feed.traced == []


async def test_a_connection_that_has_gone_is_there_again_and_selected_as_long_as_it_is_looked_at(
    stage: Open,
) -> None:
    async with stage() as it:
        await it.show(row(1), row(2), row(3, comm=b"gone"), step=0)
        await it.show(row(1), row(2), step=1)
        await it.press("down")
        assert it.table.cursor_id == 1
        await it.press("h")
        assert it.table.cursor_id == 1
        assert "gone" in it.screen_text
        await it.press("home", "down", "up")
        assert it.table.cursor_id == 3
        await it.press("h")
        assert it.table.ids == [2, 1]
        assert it.table.cursor_id in (1, 2)


async def test_what_is_selected_stays_so_through_seconds_before_it_began(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2), row(9), step=0)
        await it.show(row(1), row(2), row(5), row(9), step=1)
        await it.show(row(1), row(2), row(5), row(9), step=2)
        await it.press("down")
        assert it.table.cursor_id == 5
        await it.press("h", "left")
        assert it.table.ids == [9, 2, 1]
        assert it.table.cursor_id == 2
        await it.press("right")
        assert it.table.cursor_id == 5
        await it.press("left", "h")
        assert it.table.cursor_id == 5
        await it.press("h", "left", "down", "right")
        assert it.table.cursor_id == 1
        await it.press("h")
        await it.show(row(2), row(5), row(9), step=3)
        assert it.table.cursor_id == 2  # of now it is gone for good


async def test_before_the_selected_one_began_the_cursor_stays_with_one_other(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=10), row(2, srtt_us=40), row(3, srtt_us=20), step=0)
        await it.show(row(1, srtt_us=10), row(2, srtt_us=20), row(3, srtt_us=40), step=1)
        later = row(1, srtt_us=10), row(2, srtt_us=20), row(3, srtt_us=40), row(9, srtt_us=30)
        await it.show(*later, step=2)
        await it.show(*later, step=3)
        await it.press("down")
        assert it.table.cursor_id == 9
        await it.press("h", "left")
        assert (it.table.ids, it.table.cursor_id) == ([3, 2, 1], 2)
        await it.press("left")
        assert (it.table.ids, it.table.cursor_id) == ([2, 3, 1], 2)
        await it.press("right", "right")
        assert it.table.cursor_id == 9


async def test_what_is_frozen_goes_on_from_its_own_second(stage: Open) -> None:
    async with stage() as it:
        await seconds(it, 4)
        await it.press("space")
        for second in range(4, 10):
            await it.show(row(1, srtt_us=500_000), step=second)
        assert "4.00ms" in it.screen_text
        await it.press("h")
        assert f"PAST {clock(2)}, 7s ago" in it.screen_text
        assert "FROZEN" not in it.screen_text
        assert "3.00ms" in it.screen_text
        await it.press("space")
        assert "PAST" not in it.screen_text
        assert "FROZEN" not in it.screen_text
        assert "500ms" in it.screen_text
        await it.show(row(1, srtt_us=600_000), step=10)
        assert "600ms" in it.screen_text


async def test_the_past_can_be_looked_at_after_the_feed_has_ended(stage: Open) -> None:
    async with stage() as it:
        await seconds(it, 3)
        it.feed.stop()
        it.feed.finished.wait(10)
        await it.pilot.pause()
        await it.press("h")
        assert f"PAST {clock(1)}, 1s ago" in it.screen_text


async def test_a_clock_that_was_set_back_shows_what_it_said_then(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=1000), step=0)
        await it.show(row(1, srtt_us=2000), step=1)
        await it.show(row(1, srtt_us=3000), step=2, clock_set_s=-3600)
        await it.press("h")
        assert f"PAST {clock(1)}, 1s ago" in it.screen_text
        await it.press("right")
        assert f"PAST {clock(-3598)}, 0s ago" in it.screen_text


async def test_the_log_of_moments_and_the_way_to_one(stage: Open) -> None:
    async with stage() as it:
        await seconds(it, 3)
        await it.show(row(1, raddr="192.0.2.7", **STALLED), row(2), step=3)
        await it.show(row(1), row(2), step=4)
        await it.press("tab", "m")
        line = it.screen_text.splitlines()[7:9]
        assert any("silent 3.0s" in text and "proc1" in text and "192.0.2.7:443" in text for text in line)
        assert any(clock(3) in text and "1s" in text for text in line)
        await it.show(row(1), row(2, **STALLED), step=5)
        assert it.screen_text.count("silent 3.0s") == 2
        await it.press("down", "enter")
        assert f"PAST {clock(3)}, 2s ago" in it.screen_text
        assert it.main.page.kind is None
        assert it.table.cursor_id == 1
        assert "STALLED" in it.screen_text


async def test_a_full_queue_leads_to_the_listeners_of_then(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), listeners=listeners_of(listener(1), listener(2)))
        full = listeners_of(listener(1), listener(2, queue=129, drops=7))
        await it.show(row(1), listeners=full, step=1)
        await it.show(row(1), listeners=listeners_of(listener(1)), step=2)
        await it.press("m")
        assert "queue full, drops x7" in it.screen_text
        await it.press("enter")
        assert f"PAST {clock(1)}, 1s ago" in it.screen_text
        assert it.main.page.kind is LISTENERS
        assert it.table.cursor_id == 2
        assert "server2" in it.screen_text
        await it.press("h")
        assert "server2" not in it.screen_text


async def test_the_cursor_stays_with_its_moment_while_others_come(stage: Open) -> None:
    async with stage() as it:
        await it.show(*(row(id_) for id_ in range(1, 9)))
        for step in range(1, 4):
            await it.show(*(row(id_, **(STALLED if id_ <= step else {})) for id_ in range(1, 9)), step=step)
        await it.press("m", "down")
        await it.show(*(row(id_, **(STALLED if id_ <= 4 else {})) for id_ in range(1, 9)), step=4)
        await it.press("enter")
        assert f"PAST {clock(2)}, 2s ago" in it.screen_text
        assert it.table.cursor_id == 2


@pytest.mark.parametrize("key", ["escape", "m", "q"])
async def test_the_log_closes_without_going_anywhere(stage: Open, key: str) -> None:
    async with stage((80, 24), glyphs=ASCII) as it:
        await it.press("m")
        assert "nothing notable so far" in it.screen_text
        assert it.screen_text.isascii()
        await it.press("enter")
        assert isinstance(it.app.screen, MomentsScreen)
        await it.press(key)
        assert it.app.screen_stack == [it.main]
        assert not it.main.travelling


async def test_a_moment_that_the_filter_hides_says_so_and_one_that_is_too_old_does(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2), step=0)
        await it.show(row(1, **STALLED), row(2), step=1)
        await it.press("slash", *"proc2", "enter", "m", "enter")
        assert it.main.travelling
        assert it.table.ids == [2]
        assert "the filter hides it" in it.screen_text
        await it.press("h")
        await it.show(row(1), row(2), step=1000)
        await it.press("m", "enter")
        assert not it.main.travelling
        assert f"that is no longer kept; the oldest is of {clock(1000)}" in it.screen_text


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48), (300, 80)], ids=str)
async def test_the_log_tells_when_what_and_where_at_any_size(stage: Open, size: tuple[int, int]) -> None:
    peer = {"raddr": "203.0.113.255", "rport": 65535}
    async with stage(size) as it:
        await it.show(row(1, **peer))
        await it.show(row(1, **peer, **STALLED), step=1)
        await it.press("m")
        lines = it.screen_text.splitlines()
        (line,) = [line for line in lines if "silent 3.0s" in line and clock(1) in line]
        assert ":65535" in line
        assert ("203.0.113.255:65535" in line) == (size[0] > 60)
        assert ("proc1" in line.partition("silent")[2]) == (size[0] > 60)


async def test_hostile_names_are_harmless_in_the_log(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, comm=b"[red]\x1b[31m"))
        await it.show(row(1, comm=b"[red]\x1b[31m", **STALLED), step=1)
        await it.press("m")
        assert "[red]\ufffd[31m" in it.screen_text
        assert "\x1b" not in it.screen_text
