"""The dashboard over a recording: the same text as live, and the keys that play it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tcptop_rtt.app import TcptopApp
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens.moments import MomentsScreen
from tcptop_rtt.screens.replay import SPEEDS, ReplayScreen
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import ASCII, UNICODE, Glyphs
from tcptop_rtt.view.preferences import Preferences
from tests.tui.conftest import Open
from tests.tui.feed import START_NS, Stage, snapshot
from tests.unit.recorded import record, replayed
from tests.unit.rows import listener, listeners_of, row

STALLED = {"stalled": True, "retransmits": 2, "last_ack_ms": 3000}
STEPS = 12

Replay = Callable[..., AbstractAsyncContextManager[Stage]]


def _snapshots() -> list[Snapshot]:
    """An RTT of 1 ms in the first second, 2 ms in the next; the third connection stalls in the fifth."""
    found = []
    for step in range(STEPS):
        stalls = STALLED if step == 5 else {}
        rows = [
            row(1, srtt_us=1000 * (step + 1), rtt_samples=1, rtt_hi_us=1000 * (step + 1), open_seen=True),
            row(2, srtt_us=1, comm=b"[red]\x1b[31m"),
            row(3, comm=b"stalls", raddr="192.0.2.7", **stalls),
        ]
        listeners = listeners_of(listener(1, queue=step, queue_limit=8, drops=step))
        found.append(snapshot(*rows, step=step, listeners=listeners))
    return found


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    made = tmp_path / "recording"
    record(made, _snapshots()).end(0)

    @asynccontextmanager
    async def opened(
        size: tuple[int, int] = (160, 48), at: int = 0, glyphs: Glyphs = UNICODE, recorded: Path | None = None
    ) -> AsyncIterator[Stage]:
        path = recorded or made
        when = fmt.moment(START_NS / 1e9 + at)
        feed = replayed(path, True, at=when)
        feed.open()
        app = TcptopApp(feed, Filter(), 0.0, glyphs, preferences=Preferences("dark"))
        async with app.run_test(size=size) as pilot:
            it = Stage(pilot, app, feed)  # type: ignore[arg-type]
            await it.until_shown("REPLAY")
            yield it
        feed.close()

    return opened


def _at(step: int) -> str:
    return f"REPLAY {fmt.moment(START_NS / 1e9 + step)}"


@pytest.mark.parametrize("at", [0, 5, 11])
async def test_the_table_is_text_for_text_what_it_was_live(stage: Open, replay: Replay, at: int) -> None:
    screens = []
    async with stage() as it:
        for one in _snapshots()[: at + 1]:
            it.feed.step(one)
        await it.pilot.pause()
        screens.append([it.screen_text.splitlines()])
        for key in ("w", "tab", "tab", "shift+tab", "shift+tab", "shift+tab", "shift+tab"):
            await it.press(key)
            screens[-1].append(it.screen_text.splitlines())
    async with replay(at=at) as it:
        screens.append([it.screen_text.splitlines()])
        for key in ("w", "tab", "tab", "shift+tab", "shift+tab", "shift+tab", "shift+tab"):
            await it.press(key)
            screens[-1].append(it.screen_text.splitlines())
    for live, again in zip(*screens, strict=True):
        # The header lines say that it is a recording, and the last lines have other keys.
        assert again[2:-2] == live[2:-2]
        assert live[0].partition(" connections")[2][:60] == again[0].partition(" connections")[2][:60]


async def test_keys_step_play_and_go_to_a_time(replay: Replay) -> None:
    async with replay() as it:
        assert f"{_at(0)} PAUSED" in it.screen_text
        assert "1.00ms" in it.screen_text
        await it.press("right")
        await it.until_shown(f"{_at(1)} PAUSED")
        assert "2.00ms" in it.screen_text
        await it.press("full_stop")
        await it.until_shown(_at(2))
        await it.press("comma")
        await it.until_shown(_at(1))
        await it.press("T", *"+6s", "enter")
        await it.until_shown(_at(7))
        assert "8.00ms" in it.screen_text
        await it.press("T", *fmt.clock(START_NS / 1e9 + 3), "enter")
        await it.until_shown(_at(3))
        await it.press("T", *"soon")
        assert "no time of this recording" in it.screen_text
        await it.press("enter", "escape")
        assert _at(3) in it.screen_text
        await it.press("plus", "plus", "plus", "plus", "plus", "space")
        await it.until_shown(f"{_at(11)} END")
        assert "12.0ms" in it.screen_text
        await it.press(*["minus"] * 8, "space")
        await it.until_shown(f"{_at(0)} x0.1")  # from the beginning again
        await it.press("plus")
        await it.until_shown("x0.25")
        assert isinstance(it.main, ReplayScreen)
        player = it.main.player
        for speed, key, says in (
            (SPEEDS[-1], "plus", "+: it plays no faster"),
            (SPEEDS[0], "minus", "-: it plays no more slowly"),
        ):
            player.set_speed(speed)
            await it.until(lambda speed=speed: player.playing.speed == speed, f"x{speed:g}")  # type: ignore[misc]
            await it.press(key)
            assert says in it.screen_text


async def test_the_moments_of_the_whole_recording_and_the_way_to_one(replay: Replay) -> None:
    async with replay() as it:
        line = it.screen_text.splitlines()[-2]
        assert line.split()[0] == fmt.clock(START_NS / 1e9)
        assert line.split()[-1] == fmt.clock(START_NS / 1e9 + STEPS - 1)
        assert UNICODE.rising in line
        await it.press("m")
        assert "silent 3.0s" in it.screen_text
        assert "192.0.2.7:443" in it.screen_text
        here = "▸ " + fmt.clock(START_NS / 1e9 + 5)
        for _ in range(4 * STEPS):
            if here not in it.screen_text:
                await it.press("down")
        assert here in it.screen_text
        await it.press("enter")
        await it.until_shown(f"{_at(5)} PAUSED")
        assert "STALLED" in it.screen_text
        assert it.table.cursor_id == 3


async def test_moments_before_and_after_what_is_shown_can_be_gone_to_alike(replay: Replay) -> None:
    async with replay(at=8) as it:
        await it.press("m")
        words = [
            line.split()[2:4] for line in it.screen_text.splitlines() if ":443  " in line or ":8001" in line
        ]
        assert ["+2s", "queue"] in words
        assert ["3s", "silent"] in words
        assert ["7s", "drops"] in words
        assert isinstance(it.app.screen, MomentsScreen)
        log = it.app.screen.list
        assert {log._line(number, 100)[0][1] for number in range(3)} == {"value"}


async def test_the_row_of_a_moment_is_selected_once_its_time_is_shown_and_not_before(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "later"
    later = [row(4, comm=b"later", open_seen=True, **STALLED)]
    record(path, [snapshot(row(1), *(later if step > 5 else []), step=step) for step in range(STEPS)]).end(0)
    async with replay(recorded=path) as it:
        player = it.app._feed.player
        assert player is not None
        asked: list[int] = []

        def stand_still(_: int) -> None:
            it.main.show(it.main._latest)  # it may still be on its way

        seek = player.seek
        monkeypatch.setattr(player, "seek", asked.append)
        monkeypatch.setattr(player, "step", stand_still)
        await it.press("m", "enter")
        await it.pilot.pause()
        assert _at(0) in it.screen_text
        assert it.main.message == ""
        seek(*asked)
        await it.until_shown(_at(6))
        assert it.table.cursor_id == 4


async def test_what_a_recording_has_not_says_so(replay: Replay) -> None:
    async with replay() as it:
        await it.press("h")
        assert "h: the whole recording is here" in it.screen_text
        await it.press("R")
        assert "R: this is a recording already" in it.screen_text


@pytest.mark.parametrize("size", [(80, 24), (60, 7), (300, 60)])
async def test_any_size_and_plain_characters(replay: Replay, size: tuple[int, int]) -> None:
    async with replay(size, glyphs=ASCII, at=5) as it:
        assert it.screen_text.isascii()
        assert "5.00ms" in it.screen_text or "6.00ms" in it.screen_text
        assert ("#" in it.screen_text.splitlines()[-2]) == (size[1] > 7)


async def test_a_click_on_the_time_line_goes_there(replay: Replay) -> None:
    async with replay() as it:
        await it.pilot.click("TimeLine", offset=(149, 0))
        await it.until_shown(f"{_at(11)} PAUSED")


async def test_details_are_of_then(replay: Replay) -> None:
    async with replay(at=4) as it:
        await it.press("enter")
        await it.pilot.pause()
        assert it.app.screen is not it.main
        assert "5.00ms" in it.screen_text
        await it.press("escape")
        assert it.app.screen is it.main
