"""Connections between two hosts that are both looked at: one line for both ends."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tcptop_rtt.screens.details import DetailsScreen
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.waits import PARTS
from tcptop_rtt.widgets.facts import FactPanel
from tests.tui.conftest import Open
from tests.tui.feed import Stage
from tests.unit.rows import row

CALLS: dict[str, Any] = {
    "host": b"web1", "laddr": "10.0.0.1", "lport": 4000, "raddr": "10.0.0.2", "rport": 5432, "direction": 1,
    "comm": b"python", "answers": 9, "answers_1m": 2, "answer_sum_us_1m": 140_000, "window_ms": 9000,
    "srtt_us": 50_000, "min_rtt_us": 40_000,
}  # fmt: skip
CALLED: dict[str, Any] = {
    "host": b"db1", "laddr": "10.0.0.2", "lport": 5432, "raddr": "10.0.0.1", "rport": 4000, "direction": 2,
    "comm": b"postgres", "replies": 9, "replies_1m": 2, "reply_sum_us_1m": 40_000, "window_ms": 9000,
    "srtt_us": 51_000, "min_rtt_us": 41_000,
}  # fmt: skip
NAMED = {"db1": "peer", "web1": "ours"}
"""What the parts of the hosts are called where one end alone is seen."""
ALONE = row(3, host=b"web1", comm=b"curl", srtt_us=1000)


def lines_with(it: Stage, text: str) -> list[str]:
    return [line for line in it.screen_text.splitlines() if text in line]


async def test_one_line_has_both_hosts_and_says_at_which_of_them_it_is_held_up(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, **CALLS), row(2, **CALLED, recv_q_bytes=2 << 20), ALONE)
        (line,) = lines_with(it, ":5432")
        for text in ("web1 > db1", "python", "10.0.0.2:5432", "db1: not read", "50.0ms"):
            assert text in line
        assert "postgres" not in it.screen_text
        assert it.table.total == 2
        assert lines_with(it, "2 connections")


async def test_the_details_of_it_name_the_part_of_each_host(stage: Open) -> None:
    async with stage((160, 60)) as it:
        await it.show(row(1, **CALLS), row(2, **CALLED), ALONE)
        await it.press("enter")
        assert isinstance(it.app.screen, DetailsScreen)
        facts = it.app.screen.query_one(FactPanel).plain
        assert "THE OTHER END" in facts
        assert "WHAT A REQUEST WAITS FOR" in facts
        for part, time in (("path", "40.0ms"), ("queue", "10.0ms"), ("db1", "20.0ms"), ("web1", "-")):
            assert re.search(
                rf"{re.escape(UNICODE.waits[PARTS.index(NAMED.get(part, part))])} {part} +{time}", facts
            )


@pytest.mark.parametrize("far_first", [False, True])
async def test_the_cursor_goes_with_an_end_to_the_line_that_shows_it(stage: Open, far_first: bool) -> None:
    first = row(2, **CALLED) if far_first else row(1, **CALLS)
    async with stage() as it:
        await it.show(first, ALONE, row(4, host=b"web1", srtt_us=90_000))
        await it.press("down")
        assert it.table.cursor_id == first["id"]
        await it.show(row(1, **CALLS), row(2, **CALLED), ALONE, row(4, host=b"web1", srtt_us=90_000), step=1)
        assert it.table.cursor_id == it.table.pinned == 1
        await it.show(row(1, **CALLS), ALONE, row(4, host=b"web1", srtt_us=90_000), step=2)
        assert it.table.cursor_id == 1
        assert not lines_with(it, "web1 > db1")


async def test_in_the_past_it_is_one_line_too(stage: Open) -> None:
    async with stage() as it:
        for step in range(3):
            await it.show(row(1, **CALLS), row(2, **CALLED), ALONE, step=step)
        await it.press("h")
        assert "PAST" in it.screen_text
        assert len(lines_with(it, "web1 > db1")) == len(lines_with(it, ":5432")) == 1


async def test_processes_of_both_ends_are_listed_and_open_the_same_line(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, **CALLS), row(2, **CALLED), ALONE)
        await it.press("tab", "tab", "tab")
        assert lines_with(it, "python")
        assert lines_with(it, "postgres")
        it.main.put_filter(Filter("proc:postgres"))
        await it.press("enter")
        assert len(lines_with(it, "web1 > db1")) == 1


async def test_a_moment_of_the_other_end_leads_to_the_line(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, **CALLS), row(2, **CALLED), ALONE)
        it.main.show_row("connections", 2)
        assert it.table.cursor_id == 1
        assert "the filter hides it" not in it.screen_text
