"""Copying, going from one connection to the next, and the sentences of an empty table."""

from __future__ import annotations

import pytest

from tcptop_rtt.screens.details import DetailsScreen
from tcptop_rtt.view.filter import Filter
from tests.tui.conftest import Open
from tests.unit.rows import row

ENDS = {"laddr": "192.0.2.1", "lport": 22, "raddr": "198.51.100.2", "rport": 40_000}


@pytest.mark.parametrize("opened", [False, True], ids=["table", "details"])
async def test_y_copies_the_peer_and_capital_y_the_command_that_shows_it(stage: Open, opened: bool) -> None:
    async with stage((120, 30)) as it:
        await it.show(row(1, **ENDS))
        if opened:
            await it.press("enter")
        await it.press("y")
        assert it.app.clipboard == "198.51.100.2"
        assert "copied: 198.51.100.2" in it.screen_text
        await it.press("Y")
        assert it.app.clipboard == "ss -tinmo src 192.0.2.1:22 dst 198.51.100.2:40000"
        assert f"copied: {it.app.clipboard}" in it.screen_text


async def test_without_a_connection_nothing_is_copied(stage: Open) -> None:
    async with stage((120, 30)) as it:
        await it.press("y", "Y")
        await it.show(row(1))
        await it.press("tab", "y")  # a group has no peer of its own
        assert it.app.clipboard == ""
        assert "copied" not in it.screen_text


async def test_brackets_go_to_the_details_of_the_line_above_and_below(stage: Open) -> None:
    async with stage((120, 30)) as it:
        await it.show(row(1, srtt_us=3000), row(2, srtt_us=2000), row(3, srtt_us=1000))
        await it.press("enter", "right_square_bracket")
        assert isinstance(it.app.screen, DetailsScreen)
        assert it.app.screen.connection_id == 2
        await it.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        assert it.app.screen.connection_id == 3  # the last one
        await it.press("left_square_bracket")
        assert it.app.screen.connection_id == 2
        assert it.feed.traced == [1, 2, 3, 2]
        await it.press("escape")
        assert it.main.is_current
        assert it.table.cursor_id == 2
        assert it.feed.traced[-1] is None


async def test_an_empty_table_says_why(stage: Open) -> None:
    async with stage((120, 30)) as it:
        await it.show()
        assert "there is no TCP connection on this machine" in it.screen_text
        await it.show(row(1), step=1)
        await it.press("slash", *"zzz")
        assert "no connection matches the filter: Esc clears it" in it.screen_text
        await it.press("escape", "tab", "enter")
        await it.show(row(2, raddr="203.0.113.99"), step=2)
        assert "no connection of this group is left: Esc goes back to the groups" in it.screen_text
    async with stage((120, 30), filter=Filter(lport=1)) as it:
        await it.show(row(1))
        assert "no connection matches the options of the command line" in it.screen_text
