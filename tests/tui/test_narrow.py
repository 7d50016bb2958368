"""60 columns and 20 lines are enough for the table, the details and the help."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.cells import cell_len

from tcptop_rtt.model.rows import Holder
from tests.tui.conftest import Open
from tests.tui.feed import trace_of
from tests.unit.rows import row

SIZE = (60, 20)
SAME = [
    row(n, comm=b"nginx-worker-17", raddr="198.51.100.254", rport=54321, lport=50_000 + n, srtt_us=1000)
    for n in range(1, 40)
]
"""They differ in our port alone."""
WAITS_LONG = {"holder": Holder.LISTENER, "queue_full": True, "open_seen": False, "age_ns": 720_000_000_000}


async def test_the_table_tells_rows_apart_and_says_what_is_wrong(stage: Open) -> None:
    losing = row(
        50, comm=b"nginx", retrans=9, retrans_1m=9, data_segs_out_1m=90, window_ms=60_000, srtt_us=9000
    )
    async with stage(SIZE) as it:
        await it.show(*SAME, losing)
        lines = it.screen_text.splitlines()
        assert {cell_len(line) for line in lines} == {60}
        assert lines[2].split()[:5] == ["PROCESS", "LOCAL", "REMOTE", "\u25bcRTT", "WHY"]
        shown = [line[:58] for line in lines[3:-1]]
        assert len(set(shown)) == len(shown) == 16
        assert "loss 10%" in shown[0]
        assert all(":54321" in line and "1.00ms" in line for line in shown[1:])
        assert "?" in lines[-1]
        assert "Help" in lines[-1]


@pytest.mark.parametrize(
    ("held_up", "said"),
    [
        (
            {"direction": 1, "answers_1m": 90, "answer_sum_us_1m": 3_000_000, "slow_answers_1m": 9},
            "slow ans\u2026 10%",
        ),
        ({"busy_us_1m": 9_000_000, "sndbuf_limited_us_1m": 3_000_000}, "send buf\u2026 33%"),
        ({"snd_wnd_bytes": 0, "notsent_bytes": 70_000}, "peer not rea\u2026"),
        (WAITS_LONG, "queue f\u2026 >12m"),
    ],
)
async def test_what_is_wrong_keeps_its_number_where_its_words_do_not_fit(
    stage: Open, held_up: dict[str, Any], said: str
) -> None:
    async with stage((80, 24)) as it:
        await it.show(row(1, window_ms=60_000, **held_up))
        assert it.screen_text.splitlines()[3].rstrip().endswith(f" {said}")


async def test_what_the_table_is_sorted_by_is_in_sight(stage: Open) -> None:
    known = {"rtt_p95_us": 8000, "min_rtt_us": 900, "age_ns": 7_000_000_000, "in_bps": 900_000.0}
    async with stage(SIZE) as it:
        await it.show(row(1, **known), row(2, **known | {"rtt_p95_us": 70_000}))
        for title, letter in (("P95", "9"), ("MIN", "n"), ("AGE", "g"), ("IN", "I"), ("PID", "i")):
            assert title not in it.screen_text.splitlines()[2]
            await it.press("o", letter)
            lines = it.screen_text.splitlines()
            assert title in lines[2]
            assert {cell_len(line) for line in lines} == {60}
            assert all(part in lines[2] for part in ("PROCESS", "REMOTE", "RTT"))
        await it.press("o", "9")
        assert ["70.0ms" in line for line in it.screen_text.splitlines()[3:5]] == [True, False]


async def test_the_details_have_title_verdict_chart_and_facts(stage: Open) -> None:
    async with stage(SIZE) as it:
        await it.show(row(1))
        await it.press("enter")
        await it.show(row(1), step=1, trace=trace_of(1, *range(1000, 60_000, 1000)))
        lines = it.screen_text.splitlines()
        assert {cell_len(line) for line in lines} == {60}
        assert "192.0.2.1:40001" in lines[0]
        assert "198.51.100.1:443" in lines[0]
        assert "ESTAB" in lines[0]
        assert re.search(r"\d\d:\d\d:\d\d", it.screen_text)
        assert "NETWORK, PEER OR US?" in it.screen_text
        assert "Esc" in lines[-1]


async def test_the_help_is_whole_and_scrolls(stage: Open) -> None:
    async with stage(SIZE) as it:
        await it.show(row(1))
        await it.press("question_mark")
        seen = ""
        for _ in range(60):
            text = it.screen_text
            assert {cell_len(line) for line in text.splitlines()} == {60}
            seen += text
            await it.press("pagedown")
            if it.screen_text == text:
                break
        for part in ("IN THE TABLE", "IN THE DETAILS", "MOUSE", "FILTER", "COLUMNS", "RTT"):
            assert part in seen
