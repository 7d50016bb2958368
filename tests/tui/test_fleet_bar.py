"""The screen of a fleet: the lines above its table, and the way into a row and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from textual.app import App, ComposeResult

from tcptop_rtt.model.fleet import FLEET_ROW, FleetSnapshot, nothing_yet
from tcptop_rtt.model.question import LABELS, Question
from tcptop_rtt.model.snapshot import SPARK_CELLS
from tcptop_rtt.screens.fleet import FleetScreen
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.widgets.fleet_bar import OLD_S, FleetBar
from tests.tui.feed import START_NS, HandFeed, Stage, make_app


class _Bar(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.bar = FleetBar(UNICODE)

    def compose(self) -> ComposeResult:
        yield self.bar


async def test_the_first_line_says_whose_answer_it_is_how_old_and_what_it_took() -> None:
    app = _Bar()
    async with app.run_test(size=(120, 10)):
        app.bar.tell(nothing_yet(Question()), 0)
        assert "asking the server" in app.bar.plain
        answer = replace(nothing_yet(Question()), time_ns=10**18, answered_ns=1, hosts=3, took_s=0.25)
        app.bar.tell(answer, OLD_S - 1)
        assert "250ms to answer" in app.bar.plain
        assert " old" not in app.bar.plain
        app.bar.tell(answer, OLD_S)
        assert f"{OLD_S}s old" in app.bar.plain


def _answer(question: Question, rows: int) -> FleetSnapshot:
    """The slower, the higher their number."""
    groups = np.zeros(rows, FLEET_ROW)
    groups["id"] = np.arange(1, rows + 1)
    groups["name"] = [f"name{number}".encode() for number in groups["id"]]
    groups["p99_us"] = 1000 * groups["id"]
    labels = tuple(tuple(f"{label}{number}" for label in LABELS[question.table]) for number in groups["id"])
    history_us = np.full((SPARK_CELLS, rows), 1000, np.float32)
    first = replace(nothing_yet(question), time_ns=START_NS, answered_ns=1)
    return replace(first, groups=groups, labels=labels, history_us=history_us, hosts=rows)


async def test_one_of_a_thing_is_not_called_by_its_plural() -> None:
    app = _Bar()
    async with app.run_test(size=(120, 10)):
        answer = _answer(Question("processes"), 1)
        for connections, words in ((1, "1 host  1 process  1 connection "), (2, "1 process  2 connections ")):
            answer.groups["connections"] = connections
            app.bar.tell(answer, 0)
            assert words in app.bar.plain


async def test_a_filter_that_hides_the_one_row_says_so_of_one() -> None:
    feed = _FleetFeed()
    app = make_app(feed, theme="dark")
    async with app.run_test(size=(160, 20)) as pilot:
        it = Stage(pilot, app, feed)
        feed.step(_answer(Question(), 1))
        await it.press("slash", *"absent", "enter")
        assert "none of 1 host matches the filter" in it.screen_text


class _FleetFeed(HandFeed):
    question = Question()


async def test_esc_goes_back_to_the_row_that_was_opened() -> None:
    feed = _FleetFeed()
    app = make_app(feed, theme="dark")
    async with app.run_test(size=(160, 20)) as pilot:
        it = Stage(pilot, app, feed)
        assert isinstance(it.main, FleetScreen)

        async def answer(rows: int) -> None:
            assert isinstance(it.main, FleetScreen)
            feed.step(_answer(it.main.question, rows))
            await pilot.pause()

        await answer(5)
        assert it.table.ids == [5, 4, 3, 2, 1]
        await it.press("slash", *"name", "enter", "down", "down", "down")
        assert it.table.cursor_id == 2
        await it.press("enter")
        await answer(3)
        assert it.table.pinned is None
        await it.press("escape")
        feed.step(nothing_yet(it.main.question))  # the server has not answered yet
        await pilot.pause()
        await answer(5)
        assert it.main.filter.text == "name"
        assert it.table.cursor_id == it.table.pinned == 2
        await it.press("up")
        await answer(5)
        assert it.table.cursor_id == 3
        await it.press("enter", "escape", "tab")
        await answer(5)
        assert it.table.pinned is None
