"""The command palette."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList

from tcptop_rtt.screens.details import DetailsScreen
from tcptop_rtt.screens.help import HelpScreen
from tcptop_rtt.screens.palette import Palette
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.glyphs import ASCII
from tests.tui.conftest import Open
from tests.tui.feed import Stage
from tests.unit.rows import row

OF_A_CONNECTION = {"Copy", "Copy command"}
EVERYWHERE = {"Freeze", "Help", "Theme", "Own cost", "Mouse", "Quit", "Suspend"} | OF_A_CONNECTION
ORDERS = {"Next column", "Previous column", "Reverse", "Scale"}
IN_THE_TABLE = {
    "Beside",
    "Details",
    "Groups",
    "Groups before",
    "Filter",
    "Common",
    "Follow",
    "Slower",
    "Faster",
    "Past",
    "Moments",
} | ORDERS
KEYS = {" ": "space", "/": "slash"}
SORTED = {
    f"Sort by {column.title}" for column in CONNECTIONS.columns if column.sort and not column.may_be_empty
}


async def offers(it: Stage, typed: str = "") -> dict[str, str]:
    """Open the palette and type; what it offers, by name, the best match first."""
    await it.press("ctrl+p")
    assert isinstance(it.app.screen, Palette)
    await it.press(*(KEYS.get(character, character) for character in typed))
    await it.app.workers.wait_for_complete()
    await it.pilot.pause()
    options = it.app.screen.query_one(OptionList).options
    pairs = [str(option.prompt).partition("\n") for option in options]
    return {name: text for name, _, text in pairs}


async def run(it: Stage, name: str) -> None:
    """Run a command of the palette."""
    assert next(iter(await offers(it, name.lower()))) == name
    await it.press("enter")
    await it.pilot.pause()


async def test_it_offers_what_can_be_done_in_the_table_and_nothing_of_textuals(stage: Open) -> None:
    async with stage() as it:
        assert (await offers(it)).keys() == (EVERYWHERE | IN_THE_TABLE | SORTED) - {
            "Details",
            "Follow",
        } - OF_A_CONNECTION
        await it.press("escape")
        await it.show(row(1))
        found = await offers(it)
        assert found.keys() == EVERYWHERE | IN_THE_TABLE | SORTED
        assert found["Slower"] == "Refresh less often"
        assert found["Sort by AGE"] == CONNECTIONS.column["age"].meaning.partition(";")[0]
        await it.press("escape", *["plus"] * 9, "slash", "p", "r")
        assert (await offers(it)).keys() == (EVERYWHERE | IN_THE_TABLE | SORTED | {"Back"}) - {"Slower"}


async def test_it_offers_what_can_be_done_in_the_details(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        await it.press("enter")
        assert (await offers(it)).keys() == EVERYWHERE | {"Back", "Zoom", "Previous", "Next"}
        await it.press("escape")
        await run(it, "Back")
        assert it.app.screen is it.main


@pytest.mark.parametrize("key", ["rtt", "in", "age"])
async def test_it_sorts_by_a_column(stage: Open, key: str) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        await it.press("S")
        await run(it, f"Sort by {CONNECTIONS.column[key].title}")
        assert it.app.screen is it.main
        assert it.main.order.key == key


async def test_its_commands_run_where_it_was_opened(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        await run(it, "Freeze")
        assert it.main.frozen
        await run(it, "Filter")
        await it.press("4", "0", "0", "0", "2")
        assert it.table.ids == [2]
        await run(it, "Details")  # ends the typing, and keeps the filter
        assert isinstance(it.app.screen, DetailsScreen)
        assert it.feed.traced == [2]
        await run(it, "Help")
        assert isinstance(it.app.screen, HelpScreen)
        await it.press("ctrl+p")
        assert isinstance(it.app.screen, HelpScreen)
        await it.press("escape")
        await run(it, "Quit")
    assert it.feed.finished.is_set()


async def test_a_page_before_anything_is_laid_out_is_survived(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        await offers(it)
        await it.pilot.resize_terminal(1, 1)
        await it.press("pagedown", "pageup", "end", "home")
        assert it.app.problem is None


async def test_what_comes_meanwhile_is_shown_afterwards(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        await offers(it)
        await it.show(row(1), row(2), step=1)
        await it.press("escape")
        assert it.table.ids == [2, 1]


async def test_it_is_ascii_where_the_terminal_is(stage: Open) -> None:
    async with stage((100, 30), glyphs=ASCII) as it:
        await it.show(row(1))
        await offers(it)
        assert "Freeze or resume the display" in it.screen_text
        assert it.screen_text.isascii()


@pytest.mark.parametrize("size", [(12, 6), (26, 9), (60, 20)])
async def test_nothing_that_is_cut_off_ends_in_a_character_beyond_ascii(
    stage: Open, size: tuple[int, int]
) -> None:
    async with stage(size, glyphs=ASCII) as it:
        await it.show(row(1))
        for keys in (("question_mark", "G"), ("ctrl+p",), ("slash",), ("enter",)):
            await it.press(*keys)
            await it.app.workers.wait_for_complete()
            await it.pilot.pause()
            assert it.screen_text.isascii(), keys
            await it.press("escape")


async def test_nothing_writes_a_file(stage: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with stage() as it:
        await it.show(row(1))
        names = await offers(it)
        await it.press("escape")
        # The orders are those of the table, so the tables are changed last, and back.
        others = sorted(names.keys() - {"Quit", "Suspend", "Groups", "Groups before"})
        for name in (*others, "Groups", "Groups before"):
            await run(it, name)
            await it.press("escape")
    assert list(tmp_path.rglob("*")) == []


async def test_a_second_escape_that_is_already_on_its_way_leaves_nothing_but_the_palette(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        await it.press("ctrl+p")
        palette = it.app.screen
        assert isinstance(palette, Palette)
        palette._action_escape()
        palette._action_escape()
        await it.pilot.pause()
        assert it.app.screen is it.main
