"""The table of listeners."""

from __future__ import annotations

from typing import Any

import pytest

from tcptop_rtt.model.rows import Holder
from tests.tui.conftest import Open
from tests.tui.feed import HOSTILE
from tests.tui.side_tables import LISTENERS
from tests.unit.rows import listener, listeners_of, row

TO_LISTENERS = ("shift+tab", "shift+tab")


def rows() -> list[dict[str, Any]]:
    """Two that wait at listener 2, one of them accepted at listener 1, and one of ours to elsewhere."""
    waiting = [
        row(at, holder=Holder.LISTENER, direction=2, lport=8002, age_ns=at * 10**9, comm=b"server2")
        for at in (4, 7)
    ]
    return [*waiting, row(8, lport=8001, direction=2), row(9, direction=1)]


def _line(text: str, word: str) -> list[str]:
    return next(line for line in text.splitlines() if word in line).split()


async def test_the_listener_in_trouble_comes_first_with_its_numbers(stage: Open) -> None:
    async with stage((160, 20)) as it:
        await it.show(*rows(), listeners=LISTENERS)
        await it.press(*TO_LISTENERS)
        assert it.table.ids == [2, 3, 1]
        text = it.screen_text
        assert _line(text, ":8002")[1:] == [
            "server2", "2002", "6", "5", "7s", "2.5", "40", "0", "web.service", "queue", "full",
        ]  # fmt: skip
        assert _line(text, ":8001")[1:] == ["server1", "2001", "0", "128", "-", "0", "0", "1"]
        assert "[2001:db8::1]:8003" in text
        assert "4 connections" in text


async def test_enter_opens_those_that_wait_and_esc_goes_back(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*rows(), listeners=LISTENERS)
        await it.press("p", *TO_LISTENERS, "enter")
        assert "listeners > 0.0.0.0:8002" in it.screen_text
        assert set(it.table.ids) == {4, 7}
        await it.press("escape")
        assert it.table.ids == [2, 3, 1]
        assert it.main.order.key == "why"
        await it.press("down", "enter")
        assert it.table.lines == 0
        assert "no connection waits to be accepted there: Esc goes back to the listeners" in it.screen_text
        await it.press("escape")
        assert it.table.cursor_id == 3
        await it.press("shift+tab")  # units, which have not been shown yet
        assert it.main.order.key == "rtt"
        await it.press("tab", "tab", "tab")  # the connections as they were
        assert it.main.order.key == "process"
        assert it.table.lines == 4


async def test_a_full_queue_stands_in_the_header_of_every_table(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*rows(), listeners=LISTENERS[[0, 2]])
        assert "full" not in it.screen_text
        await it.show(*rows(), step=1, listeners=LISTENERS)
        assert "1 queue full" in it.screen_text.splitlines()[0]


async def test_a_filter_asks_for_what_a_listener_has(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*rows(), listeners=LISTENERS)
        await it.press(*TO_LISTENERS, "slash", *"port:8003", "enter")
        assert it.table.ids == [3]
        await it.press("slash", *" rtt>1ms", "enter")
        assert it.table.ids == []
        assert "none of the listeners matches the filter: Esc clears it" in it.screen_text


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (300, 80)])
async def test_what_tells_listeners_apart_stays_on_the_screen(stage: Open, size: tuple[int, int]) -> None:
    hostile = listeners_of(listener(5, comm=HOSTILE, queue=2, read_ms=12_000))
    async with stage(size) as it:
        await it.show(listeners=LISTENERS)
        await it.press(*TO_LISTENERS)
        for words in (":8002", "server2", "6", "5", "QUEUE", "LIMIT", "2001:db8::1"):
            assert words in it.screen_text
        await it.show(step=1, listeners=hostile)
        assert "\x1b" not in it.screen_text
        assert it.table.lines == 1
        if size[0] >= 300:
            assert "12s" in it.screen_text
        await it.show(step=2)
        assert "nothing listens on this machine" in it.screen_text
