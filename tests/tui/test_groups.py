"""Groups: what connections have in common."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tcptop_rtt.view.group_fields import TABLES
from tcptop_rtt.view.grouping import HOSTS, UNITS, Grouping
from tcptop_rtt.widgets.columns import fit_columns
from tests.tui.conftest import Open
from tests.unit.rows import row


def rows() -> list[dict[str, Any]]:
    """Three clients of one server of ours, and two connections of ours to a data base elsewhere."""
    ours = {
        "comm": b"nginx",
        "pid": 50,
        "unit": b"web.service",
        "lport": 443,
        "direction": 2,
        "rtt_age_ms": 5,
    }
    clients = [
        row(number, **ours, rport=40_000 + number, raddr=f"203.0.113.{number}", srtt_us=1000 * number)
        for number in (1, 2, 3)
    ]
    base = [
        row(number, comm=b"app", pid=60, lport=50_000 + number, rport=5432, raddr="198.51.100.7",
            direction=1, srtt_us=90_000, rtt_age_ms=5, retrans_1m=6, data_segs_out_1m=100, window_ms=60_000)
        for number in (4, 5)
    ]  # fmt: skip
    return [*clients, *base]


async def test_tab_goes_through_hosts_services_and_processes_and_back(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*rows())
        assert it.table.lines == 5
        await it.press("tab")
        text = it.screen_text
        assert "REMOTE HOST" in text
        assert it.table.lines == 4
        line = next(line for line in text.splitlines() if "198.51.100.7" in line)
        assert line.split()[1:5] == ["2", "0", "90.0ms", "90.0ms"]
        assert "loss" in line
        assert "0.2" in line.split()  # 12 in a minute
        await it.press("tab")
        assert "SERVICE" in it.screen_text
        services = [line for line in it.screen_text.splitlines() if ":443" in line or ":5432" in line]
        assert any("nginx :443" in line and " 3 " in line for line in services)
        assert any("→ :5432" in line and " 2 " in line for line in services)
        await it.press("tab")
        assert "nginx 50" in it.screen_text
        assert "app 60" in it.screen_text
        await it.press("tab")
        assert "UNIT" in it.screen_text
        line = next(line for line in it.screen_text.splitlines() if "web.service" in line)
        assert line.split()[1:3] == ["3", "0"]
        await it.press("tab", "tab")  # listeners and failed connects, of which there is none
        await it.press("tab")
        assert it.table.lines == 5
        await it.press("shift+tab", "shift+tab", "shift+tab", "shift+tab")
        assert "nginx 50" in it.screen_text


async def test_enter_opens_a_group_and_esc_goes_back_to_the_same_line(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*rows())
        await it.press("tab", "tab", "tab", "p", "down")
        assert it.table.lines == 2
        opened = it.table.cursor_id
        await it.press("enter")
        assert "processes > nginx 50" in it.screen_text
        assert set(it.table.ids) == {1, 2, 3}
        assert "3 of 5 connections" in it.screen_text
        await it.show(*rows(), step=1)
        assert set(it.table.ids) == {1, 2, 3}
        await it.press("slash", *"203", "enter", "down")
        selected = it.table.cursor_id
        await it.press("escape")  # the filter first
        assert it.table.cursor_id == selected
        await it.press("enter", "escape")  # and the details of one of them
        assert set(it.table.ids) == {1, 2, 3}
        await it.press("escape")
        assert it.table.lines == 2
        assert it.table.cursor_id == opened
        assert it.main.order.key == "process"


async def test_q_leaves_a_group_and_the_past_before_it_ends_the_program(stage: Open) -> None:
    async with stage((120, 20)) as it:
        for step in range(3):
            await it.show(*rows(), step=step)
        await it.press("tab", "tab", "tab", "enter", "h")
        assert it.main.travelling
        await it.press("q")
        assert not it.main.travelling
        assert "processes > " in it.screen_text
        await it.press("q")
        assert "processes > " not in it.screen_text
        assert not it.feed.finished.is_set()
        await it.pilot.press("q")
    assert it.feed.finished.is_set()


async def test_groups_keep_cursor_order_and_filter_through_refreshes(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*rows())
        await it.press("tab", "r", "down", "down")
        before = it.table.ids
        selected = it.table.cursor_id
        await it.show(*rows()[::-1], step=1)
        assert it.table.ids == before
        assert it.table.cursor_id == selected
        await it.press("slash", *"app", "enter")
        assert it.table.lines == 1
        await it.show(*rows(), step=2)
        assert it.table.lines == 1
        await it.press("escape")
        assert it.table.ids == before


async def test_a_group_whose_connections_are_gone_is_gone(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*rows())
        await it.press("tab", "tab", "tab")
        await it.show(*rows()[:3], step=1)
        assert it.table.lines == 1
        await it.show(step=2)
        assert it.table.lines == 0
        await it.press("enter", "down", "escape")  # nothing to open
        assert it.table.lines == 0


LONG_HOSTS = [f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:12{end}" for end in ("34", "35")]
LONG_UNITS = [f"kubepods-burstable-pod-of-{end}" for end in ("blue", "green")]


@pytest.mark.parametrize(("width", "whole"), [(120, False), (132, True), (160, True)])
async def test_hosts_and_units_with_long_names_are_told_apart(stage: Open, width: int, whole: bool) -> None:
    async with stage((width, 20)) as it:
        ends = zip(LONG_HOSTS, LONG_UNITS, strict=True)
        await it.show(
            *(row(at, family=6, raddr=host, unit=unit.encode()) for at, (host, unit) in enumerate(ends, 1))
        )
        await it.press("tab")
        for host in LONG_HOSTS:
            begin, end = host[:10], host[-10:]
            assert re.search(host if whole else f"{begin}.*{end} ", it.screen_text)
        await it.press("tab", "tab", "tab")
        for unit in LONG_UNITS:
            assert unit in it.screen_text


@pytest.mark.parametrize(
    ("grouping", "long_addresses", "first"),
    [(HOSTS, False, "spark"), (HOSTS, True, "process"), (UNITS, False, "process")],
)
def test_short_addresses_leave_their_room_to_the_sparkline(
    grouping: Grouping, long_addresses: bool, first: str
) -> None:
    table = TABLES[grouping].columns
    narrow, wide = ({one.column.key: one.width for one in fit_columns(table, cells, long_addresses, "")}
                    for cells in (112, 120))  # fmt: skip
    assert {key: wide[key] - width for key, width in narrow.items() if wide[key] > width} == {first: 8}
