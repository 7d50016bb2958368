"""A key that does nothing says why; one that ends the program does so in the table only."""

from __future__ import annotations

import pytest

from tcptop_rtt.model.fleet import nothing_yet
from tcptop_rtt.model.question import Question
from tcptop_rtt.screens.details import DetailsScreen
from tests.tui.conftest import Open
from tests.tui.feed import HandFeed, Stage, make_app
from tests.unit.rows import row

NO_LINE = "there is no line to choose"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["x"], "x does nothing here; ? shows the keys"),
        (["ctrl+x"], "Ctrl-X does nothing here; ? shows the keys"),
        (["f7"], "F7 does nothing here"),
        (["z"], "z works in the details of a connection only"),
        (["left_square_bracket"], "[ works in the details of a connection only"),
        (["escape"], "Esc: there is no filter to clear, and no group to leave"),
        (["plus"] * 4, "+: it does not refresh any less often"),
        (["minus"] * 4, "-: it does not refresh any more often"),
        (["tab", "y"], "y: the address of a connection: Enter shows those of the group"),
        (["left"], "Left: in the past only: h goes there"),
        (["comma"], ",: in the past only: h goes there"),
        (["full_stop"], ".: in the past only: h goes there"),
        (["shift+tab", "r"], "r: this table has no such column"),  # failed connects
        (["shift+tab", "l"], "l: this table has no such column"),
        (["enter", "x"], "x does nothing here; ? shows the keys"),
        (["enter", "tab"], "Tab works in the table only"),
        (["enter", "o"], "o works in the table only"),
        (["enter", "left_square_bracket"], "this is the first line of the table"),
        (["enter", "right_square_bracket", "right_square_bracket"], "this is the last line of the table"),
    ],
)
async def test_a_key_that_does_nothing_says_why(stage: Open, keys: list[str], says: str) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        await it.press(*keys[:-1])
        assert says not in it.screen_text
        await it.press(keys[-1])
        assert says in it.screen_text


@pytest.mark.parametrize(("key", "name"), [("enter", "Enter"), ("f", "f"), ("y", "y"), ("Y", "Y")])
async def test_without_a_line_there_is_nothing_to_choose(stage: Open, key: str, name: str) -> None:
    async with stage() as it:
        await it.show()
        await it.press(key)
        assert f"{name}: {NO_LINE}" in it.screen_text
        assert not it.main.follow
        await it.show(row(1), step=1)
        await it.press("f")
        await it.show(step=2)
        await it.press("f")
        assert not it.main.follow  # what is on can be turned off


class _FleetFeed(HandFeed):
    question = Question()


@pytest.mark.parametrize("key", sorted("hmcdnyYR,."))
async def test_what_only_connections_have_a_fleet_says_it_has_not(key: str) -> None:
    feed = _FleetFeed()
    app = make_app(feed, theme="dark")
    async with app.run_test(size=(160, 48)) as pilot:
        it = Stage(pilot, app, feed)
        feed.step(nothing_yet(feed.question))
        await it.press(key)
        assert f"{key}: single connections are not known here" in it.screen_text


async def test_keys_that_do_something_say_nothing(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        for key in ("j", "k", "G", "home", "s", "S", "space", "l", "f", "tab", "shift+tab", "w"):
            await it.press(key)
            assert it.main.message == "", key
        await it.press("slash", "ctrl+x", "x", "q", "f7")
        assert it.main.message == ""


async def test_the_message_goes_away_and_not_before_its_time(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcptop_rtt.screens.live.MESSAGE_S", 0.5)
    async with stage() as it:
        await it.show(row(1))
        await it.press("x")
        first = it.main._silencer
        await it.press("z")
        assert first is not it.main._silencer  # that of the first message would end the second one early
        assert it.main.message.startswith("z works")
        await it.until(lambda: not it.main.message, "the message gone")
        assert "z works" not in it.screen_text


async def leaves(it: Stage, *keys: str) -> bool:
    await it.show(row(1), row(2))
    await it.press(*keys)
    return it.app._exit


async def test_q_goes_back_from_the_details_and_ends_in_the_table(stage: Open) -> None:
    async with stage() as it:
        assert not await leaves(it, "enter")
        assert it.app.screen is not it.main
        await it.press("q")
        assert it.app.screen is it.main
        assert not it.app._exit
        await it.press("enter", "question_mark", "q")
        assert isinstance(it.app.screen, DetailsScreen)
        await it.press("q", "q")
        assert it.app._exit


async def test_ctrl_c_ends_it_from_the_details(stage: Open) -> None:
    async with stage() as it:
        assert await leaves(it, "enter", "ctrl+c")


async def test_m_says_whose_the_mouse_is(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        await it.press("M")
        assert "the mouse is the terminal's: it selects text" in it.screen_text
        await it.press("M")
        assert "the mouse works in this program again" in it.screen_text
