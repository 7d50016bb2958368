"""The screen that says what bad connections have in common."""

from __future__ import annotations

from typing import Any

import pytest

from tcptop_rtt.screens.common import CommonScreen
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.view.kinds import KINDS
from tests.tui.conftest import Open
from tests.tui.feed import Stage
from tests.tui.side_tables import LISTENERS
from tests.unit.rows import row

TOLD = "27 of 31 bad ones go to 10.2.7.0/24; 4% of all do"


def rows(network: str = "10.2.7", bad: int = 27, also_loss: int = 4) -> list[dict[str, Any]]:
    """700 connections, 28 of them to one network, where some are slow; a few elsewhere lose segments."""
    found = []
    for number in range(700):
        fields: dict[str, Any] = {
            "srtt_us": 2000,
            "min_rtt_us": 1500,
            "rtt_age_ms": 5,
            "window_ms": 60_000,
            "raddr": f"172.{number % 11}.{number % 13}.{number % 200}",
            "rport": (80, 443, 5432)[number % 3],
            "comm": (b"app", b"nginx")[number % 2],
            "pid": 100 + number % 2,
            "direction": 1 + number % 2,
        }
        if number < 28:
            fields["raddr"] = f"{network}.{number}"
        if number < bad:
            fields |= {"srtt_us": 90_000, "min_rtt_us": 80_000}
        if 100 <= number < 100 + also_loss:
            fields |= {"retrans_1m": 20, "data_segs_out_1m": 1000}
        found.append(row(number + 1, **fields))
    return found


def common(it: Stage) -> CommonScreen:
    assert isinstance(it.app.screen, CommonScreen)
    return it.app.screen


def at_cursor(it: Stage) -> str:
    return next((line for line in it.screen_text.splitlines() if line.startswith("▸")), "")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48), (300, 80)])
async def test_c_says_what_the_bad_ones_share_in_a_sentence(stage: Open, size: tuple[int, int]) -> None:
    async with stage(size) as it:
        await it.show(*rows())
        await it.press("c")
        assert "31 of 700 connections have a WHY" in it.screen_text
        assert TOLD[: size[0] - 10] in at_cursor(it)
        assert "x22" in at_cursor(it)


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_esc_and_q_go_back_to_the_table(stage: Open, key: str) -> None:
    async with stage() as it:
        await it.show(*rows())
        await it.press("c", key)
        assert it.app.screen is it.main
        assert it.app.is_running
        assert it.main.filter.text == ""


async def test_enter_filters_by_the_line_and_a_filter_stays(stage: Open) -> None:
    async with stage() as it:
        await it.show(*rows())
        await it.press("c", "enter")
        assert it.app.screen is it.main
        assert it.main.filter.text == "remote:10.2.7.0/24"
        assert len(it.table.ids) == 28
        await it.press("slash", "end", *" rport:80", "enter")  # the line takes the text up
        assert it.main.filter.text == "remote:10.2.7.0/24 rport:80"
        await it.press("escape", "slash", *"nginx or app", "enter", "c", "enter")
        assert it.main.filter.text == "(nginx or app) remote:10.2.7.0/24"
        assert len(it.table.ids) == 28
        await it.press("slash", "end", *" rport:80", "enter")
        assert it.main.filter.text == "(nginx or app) remote:10.2.7.0/24 rport:80"
        await it.press("escape")
        assert it.table.shown == 700


async def test_enter_leads_from_listeners_to_the_connections_and_leaves_groups_where_they_are(
    stage: Open,
) -> None:
    async with stage() as it:
        await it.show(*rows(), listeners=LISTENERS)
        await it.press("shift+tab", "shift+tab")
        assert it.main.page.kind is KINDS[-2]
        await it.press("c", "enter")
        assert it.main.page.kind is None
        assert it.main.filter.text == "remote:10.2.7.0/24"
        assert it.table.lines == 28
        await it.press("escape", "tab", "c", "enter")
        assert it.main.page.kind is KINDS[0]
        assert it.table.lines == 28  # each is a host


async def test_it_looks_at_what_the_table_lists(stage: Open) -> None:
    async with stage(filter=Filter("rport:443")) as it:
        await it.show(*rows())
        await it.press("c")
        assert " of 233 connections have a WHY" in it.screen_text
        assert 'filter "rport:443"' in it.screen_text
        await it.press("escape", "escape", "tab", "tab", "tab", "p", "enter", "c")
        assert " of 350 connections have a WHY" in it.screen_text
        assert "processes > app 100" in it.screen_text


async def test_tab_asks_for_others_and_the_filter_against_all(stage: Open) -> None:
    async with stage(filter=Filter("remote:10.2.7.0/24")) as it:
        await it.show(*rows())
        await it.press("c")
        assert "27 of 28 connections" in it.screen_text
        assert "[bad 27]  filter 28" in it.screen_text
        await it.press("shift+tab")
        assert "28 of 700 connections match the filter" in it.screen_text
        assert "28 of 28 that match the filter go to 10.2.7.0/24; 4% of all do" in at_cursor(it)
        await it.press("enter")  # nothing new
        assert it.main.filter.text == "remote:10.2.7.0/24"
        await it.press("escape", "c")
        assert "[bad 31]  retransmitting 4   loss 4 " in it.screen_text
        await it.press("tab")
        assert "4 of 700 connections have sent something again" in it.screen_text
        await it.press("tab")
        assert "4 of 700 connections have the WHY loss" in it.screen_text
        assert "[loss 4]" in it.screen_text
        await it.press("tab")
        assert "[bad 31]" in it.screen_text


async def test_it_follows_and_the_cursor_stays_with_its_line(stage: Open) -> None:
    async with stage() as it:
        await it.show(*rows())
        await it.press("c")
        both = [*rows(), *(dict(one, id=one["id"] + 700, raddr="203.0.113.5") for one in rows()[:10])]
        await it.show(*both, step=1)
        text = it.screen_text
        assert text.index("10.2.7.0/24") < text.index("203.0.113.5")
        await it.press("down")
        assert "203.0.113.5" in at_cursor(it)
        more = [*both, *(dict(one, id=one["id"] + 800, raddr="203.0.113.5") for one in rows()[:27] * 2)]
        for number, one in enumerate(more):
            one["id"] = number + 1
        await it.show(*more, step=2)
        text = it.screen_text
        assert text.index("203.0.113.5") < text.index("10.2.7.0/24")  # it has risen, and the cursor with it
        assert "203.0.113.5" in at_cursor(it)
        await it.press("enter")
        assert it.main.filter.text == "remote:203.0.113.5"


async def test_frozen_it_stays_as_it_is(stage: Open) -> None:
    async with stage() as it:
        await it.show(*rows())
        await it.press("space", "c")
        await it.show(*rows("10.9.9"), step=1)
        assert "FROZEN" in it.screen_text
        assert "10.2.7.0/24" in it.screen_text
        await it.press("space")
        assert "10.9.9.0/24" in it.screen_text


@pytest.mark.parametrize(
    ("bad", "loss", "said"),
    [
        (0, 0, "nothing to compare: it is true of none of 700"),
        (2, 0, "too few to compare: 2 of 700"),
        (0, 4, "nothing in particular: what these 4 of 700 share, the others share, too"),
    ],
)
async def test_where_there_is_nothing_to_say_it_says_so(stage: Open, bad: int, loss: int, said: str) -> None:
    async with stage((80, 24)) as it:
        await it.show(*rows(bad=bad, also_loss=loss))
        await it.press("c")
        assert said in it.screen_text
        await it.press("enter", "down", "G")  # there is nothing to choose
        assert common(it)
        await it.show(*rows(), step=1)
        assert "10.2.7.0/24" in at_cursor(it)


async def test_all_bad_no_connection_and_an_ascii_terminal(stage: Open) -> None:
    async with stage(glyphs=ASCII) as it:
        await it.press("c")
        assert "none of 0" in it.screen_text
        await it.show(*rows()[:27])
        assert "nothing to compare with: it is true of all 27" in it.screen_text
        await it.show(*rows(), step=1)
        assert it.screen_text.isascii()
        assert TOLD in it.screen_text


async def test_what_others_have_named_is_shown_harmless_and_says_so_where_no_filter_can(stage: Open) -> None:
    hostile = rows()
    for number in range(27):
        hostile[number] |= {"unit": b'[/b]"\x1b[31m', "raddr": hostile[number + 300]["raddr"]}
    async with stage() as it:
        await it.show(*hostile)
        await it.press("c")
        assert 'run in [/b]"\ufffd[31m' in at_cursor(it)
        await it.press("enter")
        assert "no filter can say this" in it.screen_text
        assert it.main.filter.text == ""


async def test_a_click_chooses_and_two_filter(stage: Open) -> None:
    async with stage() as it:
        await it.show(*rows())
        await it.press("c")
        await it.pilot.click("LineList", offset=(12, 0), times=2)
        await it.pilot.pause()
        assert it.main.filter.text == "remote:10.2.7.0/24"
