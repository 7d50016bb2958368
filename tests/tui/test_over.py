"""What lies over the table for a moment: the letters of its columns, and what the program costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.screen import Screen

from tcptop_rtt.feeds.base import Capability
from tcptop_rtt.model.snapshot import Health, OwnCost, ProgramCost
from tcptop_rtt.screens.over import HealthScreen, OverLines, SortScreen
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.view.group_fields import TABLES
from tcptop_rtt.view.table import Table
from tcptop_rtt.widgets.order import Order, letters
from tests.tui.conftest import Open
from tests.tui.feed import Stage
from tests.unit.rows import row


@pytest.mark.parametrize("table", [CONNECTIONS, *TABLES.values()], ids=lambda table: table.name)
def test_every_column_has_a_letter_of_its_own(table: Table) -> None:
    found = letters(table)
    assert [column.key for column in found.values()] == list(table.sorts)
    assert all(len(letter) == 1 and letter.isalnum() for letter in found)
    assert (found["r"].key, found["p"].key, found["w"].key) == ("rtt", "process", "why")  # as without o


@pytest.mark.parametrize("size", [(160, 48), (80, 24), (60, 20)])
async def test_o_and_a_letter_sort_by_any_column(stage: Open, size: tuple[int, int]) -> None:
    async with stage(size) as it:
        await it.show(row(1), row(2))
        for letter, column in letters(CONNECTIONS).items():
            if column.key == "host":
                continue  # there is one host
            await it.press("o")
            assert is_on(it, SortScreen)
            assert f" {letter} {column.title}" in it.screen_text
            await it.press(letter)
            assert it.app.screen is it.main
            assert it.main.order == Order.first_of(column)


def is_on(it: Stage, screen: type[Screen[Any]]) -> bool:
    return isinstance(it.app.screen, screen)


async def test_o_in_a_table_of_groups_has_its_columns(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        await it.press("tab", "o")
        assert " n N " in it.screen_text
        assert "JITTER" not in it.screen_text
        await it.press("n")
        assert it.main.order.key == "count"


async def test_esc_keeps_the_order_and_an_unknown_letter_says_so(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        before = it.main.order
        await it.press("o", "z")
        assert "no column has the key z" in it.screen_text
        await it.press("question_mark")
        assert "no column has the key ?" in it.screen_text
        await it.press("down")
        assert "no column has the key down" in it.screen_text
        await it.press("escape")
        assert (it.app.screen, it.main.order) == (it.main, before)
        await it.press("o", "z", "j")
        assert (it.app.screen, it.main.order.key) == (it.main, "jitter")


BAD = Health(
    hook="tcp_probe",
    hook_note="fentry [refused]\x1b",
    samples_per_s=15_000.0,
    dropped_records=17,
    cpu_percent=42.25,
    untracked=4,
    problem="ring [gone]",
    lacking=frozenset({"rto_us", "mss"}),
    records_per_s=2400.0,
    report_interval_s=0.4,
    scan_s=0.0123,
    scan_pause_s=2.5,
    rss_bytes=91_000_000,
)


async def test_i_tells_all_of_the_programs_health_live(stage: Open) -> None:
    async with stage((80, 24), glyphs=ASCII) as it:
        await it.show(row(1))
        await it.press("i")
        assert isinstance(it.app.screen, HealthScreen)
        assert "1.5% of one" in it.screen_text
        assert "there was none yet" in it.screen_text
        await it.show(row(1), health=BAD, step=1)
        for part in (
            "tcp_probe",
            "fentry [refused]?",
            "ring [gone]",
            "15k per second",
            "2.4k per second",
            "in 400ms",
            "17 since the start",
            "4 connections",
            "12.3ms of a processor, one every 2.5s",
            "42.2% of one",
            "91MB",
            "mss, rto_us",
        ):
            assert part in it.screen_text
        assert it.screen_text.isascii()
        lines = it.app.screen.query_one(OverLines)._lines
        assert len([text for line in lines for text, style in line if style == "bad"]) == 4
        await it.show(row(1), health=replace(BAD, untracked=1), step=2)
        assert "1 connection in the kernel" in it.screen_text


async def test_what_is_long_goes_on_in_the_next_line_where_there_is_room(stage: Open) -> None:
    unknown = frozenset(f"a_field_with_a_long_name_{number}" for number in range(5))
    for size, is_whole in (((80, 24), True), ((80, 13), False)):
        async with stage(size) as it:
            await it.show(row(1), health=Health("tcp_probe", lacking=unknown))
            await it.press("i")
            assert "WHAT THIS PROGRAM COSTS" in it.screen_text
            assert ("a_field_with_a_long_name_4" in it.screen_text) is is_whole


async def test_without_bpf_it_says_what_is_not_seen_and_has_no_samples(stage: Open) -> None:
    async with stage((80, 24)) as it:
        await it.show(row(1), health=Health("sock_diag", "run sudo tcptop-rtt", missed="spikes are missed"))
        await it.press("i")
        for part in (
            "sock_diag",
            "run sudo tcptop-rtt",
            "spikes are missed",
            "none: scans read the smoothed",
        ):
            assert part in it.screen_text
        assert "read by this process" not in it.screen_text


@pytest.mark.parametrize("key", ["i", "escape", "q", "enter"])
async def test_it_closes_and_the_table_goes_on(stage: Open, key: str) -> None:
    async with stage() as it:
        await it.show(row(1))
        await it.press("i")
        await it.show(row(1), row(2), step=1)
        await it.press(key)
        assert it.app.screen is it.main
        assert it.table.ids == [2, 1]
        assert not it.app._exit


COST = OwnCost(
    1_700_000_000_000_000_000,
    1.002,
    0.62,
    0.21,
    (
        ProgramCost("on_segment", 19_800.0, 92.4, False),
        ProgramCost("on_set_state", 30.0, 1200.0, False),
        ProgramCost("on_[destroy]\x1b", 10.0, 700.0, False),
        ProgramCost("on_retransmit", 0.5, 900.0, False),
        ProgramCost("bpf_iter__task_file", 2000.0, 180.0, True),
        ProgramCost("bpf_iter__tcp", 40.0, 250.0, True),
    ),
)


async def test_m_measures_what_it_costs_and_tells_it_when_it_comes(stage: Open) -> None:
    async with stage((80, 24), glyphs=ASCII) as it:
        await it.show(row(1))
        await it.press("i")
        assert "m: measure it" in it.screen_text
        assert it.feed.measured == 0
        await it.press("m")
        assert it.feed.measured == 1
        assert "measuring for a second" in it.screen_text
        await it.show(row(1), step=1)  # not there yet
        assert "measuring for a second" in it.screen_text
        await it.show(row(1), step=2, health=BAD, cost=COST)
        assert "measuring" not in it.screen_text
        assert "m: measure it" in it.screen_text
        for part in (
            "WHAT THIS PROGRAM COSTS",
            "for 1.0s until ",
            "0.62%",
            "0.21% at the hooks, on the traffic's time",
            "0.18%: 20k runs per second, 92 ns each",
            "on_[destroy]?",
            "0.036%, part of here: 2.0k runs per second, 180 ns each",
        ):
            assert part in it.screen_text
        assert it.screen_text.isascii()
        await it.press("i", "i")  # it stays
        assert "92 ns each" in it.screen_text


async def test_where_the_kernel_counts_nothing_it_says_why(stage: Open) -> None:
    async with stage((80, 24)) as it:
        note = "the kernel cannot count the cost: Operation not permitted"
        refused = OwnCost(1, 1.0, 0.62, None, note=note)
        await it.show(row(1), cost=refused)
        await it.press("i")
        assert "0.62%" in it.screen_text
        assert "the kernel cannot count the cost: Operation not permitted" in it.screen_text


async def test_what_cannot_be_measured_is_not_offered(stage: Open) -> None:
    async with stage((80, 24), capabilities=frozenset({Capability.PLAY})) as it:
        await it.show(row(1))
        await it.press("i", "m")
        assert "measure it" not in it.screen_text
        assert it.feed.measured == 0
        assert isinstance(it.app.screen, HealthScreen)


SPARED = Health(
    "tcp_probe",
    report_interval_s=4.0,
    scan_pause_s=60.0,
    refresh_s=2.5,
    budget_percent=0.5,
    cost_percent=0.4,
    kernel_percent=0.08,
    spaced=frozenset({"records", "scans"}),
)


async def test_all_of_it_finds_room_on_a_small_terminal(stage: Open) -> None:
    async with stage((80, 24)) as it:
        await it.show(row(1), health=SPARED, cost=COST)
        await it.press("i")
        lines = it.screen_text.splitlines()
        assert "WHAT THIS PROGRAM COSTS" in lines[0]
        assert "bpf_iter__tcp" in lines[-1]


async def test_the_header_says_what_a_budget_has_given_up(stage: Open) -> None:
    async with stage((160, 24)) as it:
        await it.show(row(1), health=SPARED)
        assert "budget 0.5%: records every 4.0s, scans every 1m" in it.screen_text.splitlines()[1]
        await it.press("i")
        assert "0.5% of a processor: records every 4.0s, scans every 1m" in it.screen_text
        assert "0.4% lately, 0.08% of it at the hook" in it.screen_text
        await it.press("i")
        over = replace(SPARED, cost_percent=0.9, kernel_percent=0.8, spaced=frozenset({"refreshes"}))
        await it.show(row(1), health=over, step=1)
        header = it.screen_text.splitlines()[1]
        assert "budget 0.5%: refreshes every 2.5s" in header
        assert "hook alone costs 0.8%: over the budget of 0.5%" in header
        await it.show(row(1), health=Health("tcp_probe"), step=2)
        assert "budget" not in it.screen_text
