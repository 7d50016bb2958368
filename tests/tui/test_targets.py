"""The table of targets that connecting to fails."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tui.conftest import Open
from tests.tui.feed import HOSTILE, snapshot
from tests.tui.side_tables import TARGETS
from tests.unit.rows import row, target, targets_of


def rows() -> list[dict[str, Any]]:
    """One that tries again, one that has just been refused, and one to elsewhere."""
    to_target = {"raddr": "198.51.100.2", "rport": 80, "comm": b"curl"}
    refused = row(2, **to_target, closed=True, state=7, connect_error=1)
    return [row(1, **to_target, state=2), refused, row(3, raddr="198.51.100.2", rport=443, comm=b"curl")]


def _line(text: str, word: str) -> list[str]:
    return next(line for line in text.splitlines() if word in line).split()


async def test_what_fails_most_comes_first_and_tells_how_often(stage: Open) -> None:
    async with stage((160, 20)) as it:
        it.feed.step(snapshot(*rows(), targets=TARGETS))
        await it.press()
        assert set(it.table.ids) == {1, 3}  # the refused one is counted, and not listed
        header = it.screen_text.splitlines()[0]
        assert "2 connections" in header
        assert "900 failed connects/s" in header
        await it.press("shift+tab")
        assert it.table.ids == [2, 3, 1]
        text = it.screen_text
        assert _line(text, ".2:80")[1:] == [
            "curl", "9", "50000", "900", "0s", "50000", "0", "0", "0", "0", "0", "refused", "900/s",
        ]  # fmt: skip
        assert _line(text, ".1:443")[1:6] == ["curl", "?", "7", "0", "20s"]
        assert _line(text, ".1:443")[-2:] == ["timed", "out"]
        assert _line(text, ".3:80")[-2:] == ["given", "up"]
        await it.press("enter")
        assert "failed connects > 198.51.100.2:80" in it.screen_text
        assert it.table.ids == [1]
        await it.press("escape", "slash", *"port:443", "enter")
        assert it.table.ids == [1]
        await it.press("slash", *" x", "enter")
        assert "none of the failed connects matches the filter" in it.screen_text


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (300, 80)])
async def test_what_tells_targets_apart_stays_on_the_screen(stage: Open, size: tuple[int, int]) -> None:
    async with stage(size) as it:
        it.feed.step(snapshot(targets=TARGETS))
        await it.press("shift+tab")
        for words in (".2:80", "curl", "50000", "refused 900/s", "timed out"):
            assert words in it.screen_text
        it.feed.step(snapshot(targets=targets_of(target(1, comm=HOSTILE, raddr="198.51.100.9"))))
        await it.press()
        assert "\x1b" not in it.screen_text
        it.feed.step(snapshot())
        await it.press()
        assert "no connect has failed since tcptop-rtt was started" in it.screen_text


async def test_a_filter_asks_for_the_way_to_fail(stage: Open) -> None:
    async with stage((160, 20)) as it:
        it.feed.step(snapshot(targets=TARGETS))
        await it.press("shift+tab", "slash", *"why:timed-out or why:given-up", "enter")
        assert set(it.table.ids) == {1, 3}
