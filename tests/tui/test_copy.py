"""Copying, going from one connection to the next, and the sentences of an empty table."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from tcptop_rtt.screens.details import DetailsScreen
from tcptop_rtt.view.filter import Filter
from tests.tui.conftest import Open
from tests.tui.feed import HEALTH, Stage
from tests.tui.side_tables import TARGETS
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


@pytest.mark.parametrize("opened", [False, True], ids=["table", "details"])
async def test_the_command_enters_the_network_namespace_of_the_connection(stage: Open, opened: bool) -> None:
    health, lossy = dataclasses.replace(HEALTH, netns=8), {"retrans_1m": 7, "data_segs_out_1m": 630}
    async with stage((160, 40)) as it:
        await it.show(row(1, **ENDS, **lossy, window_ms=60_000, netns=7, pid=4), health=health)
        if opened:
            await it.press("enter")
            assert re.search(r"to check +nsenter -t 4 -n ss ", it.screen_text)
        await it.press("Y")
        assert it.app.clipboard == "nsenter -t 4 -n ss -tinmo src 192.0.2.1:22 dst 198.51.100.2:40000"


@pytest.mark.parametrize("opened", [False, True], ids=["table", "details"])
async def test_no_command_shows_what_is_closed(stage: Open, opened: bool) -> None:
    async with stage((120, 30)) as it:
        await it.show(row(1, **ENDS, closed=True))
        if opened:
            await it.press("enter")
        await it.press("Y")
        assert "it is closed: no command shows it any more" in it.screen_text
        assert it.app.clipboard == ""


async def test_a_link_local_address_is_copied_with_its_interface(stage: Open) -> None:
    async with stage((120, 30)) as it:
        await it.show(row(1, family=6, laddr="fe80::2", raddr="fe80::1", ifindex=2, interface=b"eth0"))
        await it.press("y")
        assert it.app.clipboard == "fe80::1%eth0"


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


async def test_brackets_go_to_the_neighbour_of_now(stage: Open) -> None:
    async def neighbour(it: Stage, key: str, *now: dict[str, Any]) -> int:
        await it.show(*now, step=1)
        await it.press(key)
        assert isinstance(it.app.screen, DetailsScreen)
        return it.app.screen.connection_id

    below, above = "right_square_bracket", "left_square_bracket"
    one, two, three = row(1, srtt_us=3000), row(2, srtt_us=2000), row(3, srtt_us=1000)
    last, new = two | {"srtt_us": 10}, row(4, srtt_us=2500)
    for key, now, expected in (
        (below, (one, two, three), 3),
        (above, (one, two, three, new), 4),
        (above, (one, last, three), 3),
        (below, (one, last, three), 2),  # it is the last line
        (below, (one, three), 3),  # it has ended
        (above, (one, three), 1),
        (above, (one,), 1),
        (below, (one,), 2),
    ):
        async with stage((120, 30)) as it:
            await it.show(one, two, three)
            await it.press("down", "enter")
            assert await neighbour(it, key, *now) == expected, (key, now)
    async with stage((120, 30)) as it:
        await it.show(one, two, three)
        await it.press("space", "down", "enter")
        assert await neighbour(it, above, one, last, three) == 1  # the table is frozen


async def test_an_empty_table_says_why(stage: Open) -> None:
    async with stage((120, 30)) as it:
        await it.show()
        assert "there is no TCP connection on this machine" in it.screen_text
        await it.show(row(1), step=1)
        await it.press("slash", *"zzz")
        assert "no connection matches the filter: Esc clears it" in it.screen_text
        await it.press("enter", "tab", "tab", "tab")
        assert "none of the processes matches the filter: Esc clears it" in it.screen_text
        await it.press("tab", "tab", "tab")
        await it.show(targets=TARGETS, step=2)
        assert "none of the failed connects matches the filter: Esc clears it" in it.screen_text
        await it.show(step=3)
        assert "no connect has failed since" in it.screen_text
        await it.press("escape", "tab", "tab")
        await it.show(row(1), step=4)
        await it.press("enter")
        await it.show(row(2, raddr="203.0.113.99"), step=5)
        assert "no connection of this group is left: Esc goes back to the groups" in it.screen_text
    async with stage((120, 30), filter=Filter(lport=1)) as it:
        await it.show(row(1))
        assert "no connection matches the options of the command line" in it.screen_text
        await it.press("tab")
        assert "none of the hosts matches the options of the command line" in it.screen_text
