"""The details and the help."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tcptop_rtt.model.snapshot import Changes, Health, NamedProcess
from tcptop_rtt.screens.details import DetailsScreen
from tcptop_rtt.screens.help import HelpScreen
from tcptop_rtt.screens.whose_block import HOLDERS
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import ASCII, UNICODE, Glyphs
from tcptop_rtt.view.plot import MARGIN, NAMES
from tcptop_rtt.widgets.facts import Block, Fact, FactPanel, arrange
from tcptop_rtt.widgets.rtt_chart import RttChart
from tests.tui.conftest import Open
from tests.tui.feed import HOSTILE, START_NS, Stage, trace_of
from tests.unit.rows import row


def facts(it: Stage) -> str:
    return it.app.screen.query_one(FactPanel).plain


async def test_enter_opens_the_selected_connection_with_its_chart(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2, comm=b"nginx"), row(3))
        await it.press("down", "enter")
        assert isinstance(it.app.screen, DetailsScreen)
        assert it.feed.traced == [2]
        await it.show(row(1), row(2, comm=b"nginx"), step=1, trace=trace_of(2, 1000, 40_000, 2000))
        text = it.screen_text
        assert "nginx 1002  192.0.2.1:40002" in text
        assert "198.51.100.2:443" in text
        assert "each ACK" in text
        assert fmt.clock(START_NS / 1e9 + 1) in text
        assert any("\u2800" < char <= "\u28ff" for char in text)


async def test_of_a_frozen_line_whose_connection_is_gone_it_shows_what_was(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2, cwnd=77))
        await it.press("space")
        await it.show(row(1, cwnd=55), step=30)
        await it.press("enter")
        assert " CLOSED " in it.screen_text
        assert "proc2 1002  192.0.2.1:40002" in it.screen_text
        assert "77 segments" in facts(it)
        await it.press("escape", "down", "enter")
        assert " CLOSED " not in it.screen_text
        assert "55 segments" in facts(it)  # of now


async def test_the_chart_is_not_empty_before_the_first_trace(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        await it.press("enter")
        assert any("\u2800" < char <= "\u28ff" for char in it.screen_text)
        assert "p50 1m" not in facts(it)


async def test_z_shows_all_that_is_known_and_the_last_minute_again(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(2))
        await it.press("enter")
        await it.show(row(2), step=1, trace=trace_of(2, *[1000] * 250))
        five_minutes_ago = fmt.clock(START_NS / 1e9 - 200)
        assert five_minutes_ago not in it.screen_text
        await it.press("z")
        assert five_minutes_ago in it.screen_text
        await it.press("z")
        assert five_minutes_ago not in it.screen_text


async def test_the_neighbours_chart_shows_as_much(stage: Open) -> None:
    async with stage() as it:
        shown = row(1), row(2)
        await it.show(*shown)
        await it.press("enter", "z", "right_square_bracket")
        await it.show(*shown, step=1, trace=trace_of(1, *[1000] * 250))
        assert "proc1 1001" in it.screen_text
        assert clock(-200) in it.screen_text
        await it.press("z", "left_square_bracket")
        await it.show(*shown, step=2, trace=trace_of(2, *[1000] * 250))
        assert "proc2 1002" in it.screen_text
        assert clock(-200) not in it.screen_text


async def test_a_key_for_the_neighbour_that_comes_behind_the_one_that_leaves_does_nothing(
    stage: Open,
) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        await it.press("enter")
        screen = it.app.screen
        assert isinstance(screen, DetailsScreen)
        screen.action_leave()
        it.app.post_message(DetailsScreen.NeighbourWanted(1, False))
        await it.pilot.pause()
        assert it.app.screen is it.main


@pytest.mark.parametrize("clock_set_s", [3600, -3600, 30 * 365 * 86400])
async def test_the_chart_does_not_notice_that_the_wall_clock_is_set(stage: Open, clock_set_s: int) -> None:
    times = re.compile(r" *\d\d:\d\d:\d\d *")
    async with stage() as it:
        await it.show(row(2))
        await it.press("enter", "z")
        trace = trace_of(2, *[1000] * 250)
        await it.show(row(2), step=300, trace=trace)
        before = [times.sub("", line) for line in it.screen_text.splitlines()]
        await it.show(row(2), step=300, trace=trace, clock_set_s=clock_set_s)
        assert [times.sub("", line) for line in it.screen_text.splitlines()] == before
        assert fmt.clock(START_NS / 1e9 + 300 + clock_set_s) in it.screen_text


async def test_z_leaves_a_frozen_chart_where_it_is(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(2))
        await it.press("enter")
        await it.show(row(2), step=1, trace=trace_of(2, *range(1000, 1050)))
        await it.press("space")
        before = it.screen_text
        await it.show(row(2), step=21, trace=trace_of(2, *range(1000, 1070)))
        await it.press("z", "z")
        assert it.screen_text == before


def reading(it: Stage) -> str:
    """The chart's first line."""
    return it.app.screen.query_one(RttChart).plain.splitlines()[0].strip()


def clock(step: float) -> str:
    return fmt.clock(START_NS / 1e9 + step)


async def test_the_cursor_reads_time_and_value_of_its_place(stage: Open) -> None:
    # Columns of a second.
    async with stage((60 + MARGIN + NAMES, 48)) as it:
        await it.show(row(2))
        await it.press("enter")
        changes = Changes(np.array([-50.0, -7.0]), np.array([4, 6], np.uint32), np.zeros(2, bool))
        trace = trace_of(2, *range(1000, 61_000, 1000), changes=changes)
        await it.show(row(2), step=1, trace=trace)
        legend = reading(it)
        assert "each ACK" in legend
        await it.press("left")
        assert reading(it) == f"{clock(1)}  highest 60.0ms  srtt 60.0ms"
        await it.press("left", "left")
        assert reading(it) == f"{clock(-1)}  highest 58.0ms  srtt 58.0ms"
        await it.press("shift+left", "right", "right", "right", "right", "right")
        assert reading(it) == f"{clock(-6)}  highest 53.0ms  srtt 53.0ms  retransmitted 2"
        await it.press("shift+right", "shift+right")
        assert reading(it).startswith(clock(1))
        await it.press(*["shift+left"] * 9)
        assert reading(it).startswith(clock(-58))
        await it.press("escape")
        assert isinstance(it.app.screen, DetailsScreen)
        assert reading(it) == legend
        await it.press("escape")
        assert it.app.screen_stack == [it.main]


async def test_the_cursor_stays_at_its_moment_until_that_has_left_the_chart(stage: Open) -> None:
    async with stage((60 + MARGIN + NAMES, 48)) as it:
        await it.show(row(2))
        await it.press("enter")
        await it.show(row(2), step=1, trace=trace_of(2, *range(1000, 61_000, 1000)))
        await it.press(*["shift+left"] * 3)
        before = reading(it)
        assert before.startswith(clock(-19))
        later = trace_of(2, *range(1000, 71_000, 1000))
        await it.show(row(2), step=11, trace=later)
        assert reading(it) == before
        await it.press("z")
        assert reading(it)[: len(clock(0))] in (clock(-19), clock(-20))  # a column of two seconds
        await it.press("z")
        assert reading(it) == before
        await it.show(row(2), step=81, trace=trace_of(2, *range(1000, 141_000, 1000)))
        assert reading(it).startswith(clock(22))


async def test_a_click_puts_the_cursor_into_the_chart(stage: Open) -> None:
    async with stage((60 + MARGIN + NAMES, 48)) as it:
        await it.show(row(2))
        await it.press("enter")
        await it.show(row(2), step=1, trace=trace_of(2, *range(1000, 61_000, 1000)))
        chart = it.app.screen.query_one(RttChart)
        await it.pilot.click(chart, offset=(3, 3))
        assert not chart.has_cursor
        await it.pilot.click(chart, offset=(MARGIN + 9, 3))
        assert reading(it).startswith(clock(-49))
        await it.pilot.click(chart, offset=(MARGIN + 9, 4))
        assert not chart.has_cursor


async def test_without_any_sample_there_is_no_cursor(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=0))
        await it.press("enter")
        await it.show(row(1, srtt_us=0), step=40, trace=trace_of(1))
        await it.press("left", "right", "shift+left")
        assert not it.app.screen.query_one(RttChart).has_cursor


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (300, 80), (20, 6)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
async def test_the_chart_is_readable_at_any_size(stage: Open, size: tuple[int, int], glyphs: Glyphs) -> None:
    async with stage(size, glyphs=glyphs) as it:
        await it.show(row(2))
        await it.press("enter")
        await it.show(row(2), step=1, trace=trace_of(2, *range(1000, 61_000, 1000)))
        chart = it.app.screen.query_one(RttChart)
        lines = chart.plain.splitlines()
        if size[0] < MARGIN + NAMES + 8:
            assert lines == []
            return
        assert len(lines) == chart.size.height >= 8
        assert clock(1) in lines[-1]
        assert any("ms" in line for line in lines[1:-2])
        assert any(glyphs.line[0] in line for line in lines[1:-2])
        await it.pilot.resize_terminal(size[0] + 10, size[1])
        await it.pilot.pause()
        assert max(map(len, chart.plain.splitlines()[1:])) == size[0] + 10


async def test_what_the_details_say(stage: Open) -> None:
    async with stage() as it:
        shown = row(
            2,
            cwnd=77,
            ssthresh=0x7FFFFFFF,
            rto_us=204_000,
            congestion_control=b"bbr",
            bytes_acked=1_500_000,
            recv_q_bytes=3,
            busy_us=1_000_000,
            window_ms=59_000,
            busy_us_1m=1_000_000,
            rwnd_limited_us_1m=500_000,
            retrans=107,
            retrans_1m=7,
            data_segs_out=9106,
            data_segs_out_1m=700,
            last_ack_ms=0xFFFFFFFF,
        )
        await it.show(shown)
        await it.press("enter")
        await it.show(shown, step=1, trace=trace_of(2, 1000, 2000, 40_000))
        text = facts(it)
        for part in (
            "p50 1m        2.00ms",
            "highest       40.0ms",
            "77 segments",
            "ssthresh      -",
            "204ms",
            "bbr",
            "1.5MB acknowledged",
            "nginx: worker",
            "www-data",
            "nginx 1001, nginx 1002",
            "/web.slice/nginx",
            "50% of sending",
            "retransmits   7 in 59s",
            "in all        107",
            "1.0% of data segments",
            "in 59s        700 out",
            "ACK           never",
            "peer: reads too slowly",
        ):
            assert part.replace(" ", "") in text.replace(" ", "").replace("\n", ""), part


async def test_an_unknown_owner_says_why(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, pid=0, comm=b""))
        await it.press("enter")
        unknown = trace_of(
            1, 1000, holders=(), holder_note="the kernel's own", process=None, cgroup_path=None
        )
        await it.show(row(1, pid=0, comm=b""), step=1, trace=unknown)
        assert "the kernel's own" in facts(it)
        assert "cgroup        ?" in facts(it)


async def test_of_many_holders_the_first_are_named_and_the_others_counted(stage: Open) -> None:
    holders = tuple(NamedProcess(10_000 + number, b"worker") for number in range(HOLDERS + 4321))
    async with stage() as it:
        await it.show(row(1))
        await it.press("enter")
        await it.show(row(1), step=1, trace=trace_of(1, 1000, holders=holders))
        text = " ".join(facts(it).split())
    assert all(str(10_000 + number) in text for number in range(HOLDERS))
    assert str(10_000 + HOLDERS) not in text
    assert "4,321 more" in text


async def test_escape_leaves_and_returns_to_the_newest_snapshot(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        await it.press("down", "enter")
        await it.show(row(1), row(2), row(3), step=1)
        assert it.table.ids == [2, 1]  # what is covered is not painted
        await it.press("escape")
        assert it.feed.traced == [1, None]
        assert it.table.ids == [3, 2, 1]
        assert it.table.cursor_id == 1


async def test_a_second_enter_does_not_stack_another(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        it.table.action_open_details()
        it.table.action_open_details()
        await it.pilot.pause()
        await it.press("enter", "enter")
        assert len(it.app.screen_stack) == 2
        assert it.feed.traced == [1]


async def test_double_click_opens_the_details(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2))
        await it.pilot.click(it.table, offset=(5, 2))
        assert it.table.cursor_id == 1
        assert it.app.screen is it.main
        await it.pilot.click(it.table, offset=(5, 2), times=2)
        await it.pilot.pause()
        assert isinstance(it.app.screen, DetailsScreen)
        assert it.feed.traced == [1]


async def test_until_an_ack_comes_the_quantiles_are_those_of_before(stage: Open) -> None:
    known = {"rtt_p50_us": 5000, "rtt_p95_us": 70_000}
    async with stage() as it:
        await it.show(row(1, **known))
        await it.press("enter")
        await it.show(row(1, **known), step=1, trace=trace_of(1))
        assert re.search(r"p50 1m +5\.00ms", facts(it))
        assert re.search(r"p95 1m +70\.0ms", facts(it))
        await it.show(row(1, **known), step=2, trace=trace_of(1, 2000))
        assert re.search(r"p95 1m +2\.00ms", facts(it))


async def test_it_stays_open_marked_closed_with_the_last_values(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, cwnd=55))
        await it.press("enter")
        await it.show(row(1, cwnd=55), step=1, trace=trace_of(1, 1000, 2000))
        assert "CLOSED" not in it.screen_text
        await it.show(row(1, cwnd=55, closed=True), step=2, trace=trace_of(1, 1000, 2000))
        assert "CLOSED" in it.screen_text
        before = it.screen_text
        await it.show(row(9), step=9)
        assert it.screen_text == before
        assert "55 segments" in facts(it)
        assert "p50 1m" in facts(it)


@pytest.mark.parametrize("seen", [True, False], ids=["seen closed", "gone at once"])
async def test_what_is_closed_is_accused_of_nothing_and_has_no_command(stage: Open, seen: bool) -> None:
    silent = row(1, stalled=True, retransmits=3, last_ack_ms=9000)
    async with stage() as it:
        await it.show(silent)
        await it.press("enter")
        assert "peer: silent" in facts(it)
        assert "to check" in facts(it)
        await it.show(*([silent | {"stalled": False, "closed": True}] if seen else []), step=1)
        assert "closed; until then peer: silent" in facts(it)
        assert "to check" not in facts(it)


async def test_one_segment_is_not_called_several(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, cwnd=1, in_flight=1))
        await it.press("enter")
        assert re.search(r"cwnd +1 segment\b", facts(it))
        assert re.search(r"in flight +1 segment\b", facts(it))


async def test_freeze_holds_the_details(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, cwnd=55))
        await it.press("enter", "space")
        await it.show(row(1, cwnd=66), step=1)
        assert "FROZEN" in it.screen_text
        assert "55 segments" in facts(it)
        await it.press("space")
        assert "66 segments" in facts(it)


async def test_hostile_text_is_literal_in_the_details(stage: Open) -> None:
    async with stage() as it:
        from tcptop_rtt.model.snapshot import NamedProcess, Process

        hostile = HOSTILE.decode()
        trace = trace_of(
            1,
            1000,
            user=hostile,
            process=Process(1, f"sh {hostile}", 1e9, 0.0, 0),
            holders=(NamedProcess(1, HOSTILE),),
            cgroup_path=f"/{hostile}",
            holder_note=hostile,
        )
        await it.show(row(1, comm=HOSTILE))
        await it.press("enter")
        await it.show(row(1, comm=HOSTILE), step=1, trace=trace)
        for text in (it.screen_text, facts(it)):
            assert "[/red]$(x)\ufffd[31m" in text
            assert not {char for char in text if not char.isprintable()} - {"\n"}


async def test_without_bpf_the_chart_is_of_scans_and_no_sample_is_claimed(stage: Open) -> None:
    unknown = frozenset({"rtt_samples", "last_rtt_us", "peak_rtt_us", "connect_us"})
    health = Health("sock_diag", missed="spikes are missed", lacking=unknown)
    shown = row(1, last_rtt_us=1234, peak_rtt_us=5678, connect_us=9876)
    async with stage((160, 60)) as it:
        await it.show(shown, health=health)
        await it.press("enter")
        await it.show(shown, health=health, step=1, trace=trace_of(1, 1000, 2000))
        assert "each scan" in it.screen_text
        assert "each ACK" not in it.screen_text
        assert "2 smoothed ones" in facts(it)
        for number in ("1.23ms", "5.68ms", "9.88ms"):
            assert number not in it.screen_text


async def test_80x24_has_chart_verdict_and_a_body_to_scroll(stage: Open) -> None:
    async with stage((80, 24)) as it:
        await it.show(row(1))
        await it.press("enter")
        await it.show(row(1), step=1, trace=trace_of(1, 1000, 2000))
        assert "each ACK" in it.screen_text
        assert "healthy" in it.screen_text
        assert "p99" in it.screen_text
        assert "LAST ACTIVITY" not in it.screen_text
        await it.press("G")
        assert "LAST ACTIVITY" in it.screen_text


async def test_the_details_in_ascii(stage: Open) -> None:
    async with stage((100, 30), glyphs=ASCII) as it:
        await it.show(row(1))
        await it.press("enter")
        await it.show(row(1), step=1, trace=trace_of(1, 1000, 90_000, 2000))
        assert it.screen_text.isascii()
        assert "|" in it.screen_text
        assert "*" in it.screen_text


async def test_a_failure_shows_on_the_details_too(stage: Open) -> None:
    async with stage(failure=OSError("gone")) as it:
        await it.show(row(1))
        await it.press("enter")
        it.feed.stop()
        it.app.join_worker()
        await it.pilot.pause()
        assert "! OSError: gone" in it.screen_text


@pytest.mark.parametrize("key", ["escape", "question_mark", "q"])
async def test_help_opens_and_closes_over_either_screen(stage: Open, key: str) -> None:
    async with stage((100, 50)) as it:
        await it.show(row(1))
        await it.press("question_mark")
        assert isinstance(it.app.screen, HelpScreen)
        assert "Sort by process" in it.screen_text
        await it.press("G")
        assert "RETR" in it.screen_text
        await it.press(key)
        assert it.app.screen_stack == [it.main]
        await it.press("enter", "question_mark", key)
        assert isinstance(it.app.screen, DetailsScreen)


async def test_help_in_ascii(stage: Open) -> None:
    async with stage((80, 24), glyphs=ASCII) as it:
        await it.press("question_mark")
        assert it.screen_text.isascii()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": 2, "bytes_acked": 0, "scanned": False}, "waiting for the first RTT sample"),
        ({"bytes_acked": 1, "unacked_bytes": 100}, "waiting for the first RTT sample"),
        ({"bytes_acked": 1}, "nothing has been sent yet"),
        ({"bytes_acked": 1, "bytes_received": 9}, "it only receives"),
        ({"rtt_age_ms": 1_860_000}, "the latest one came 31m ago"),
        ({"closed": True, "bytes_acked": 0}, "no RTT sample was taken"),
    ],
)
async def test_a_sample_is_waited_for_only_where_one_may_come(
    stage: Open, fields: dict[str, int], words: str
) -> None:
    async with stage() as it:
        shown = row(1, **fields)
        await it.show(shown)
        await it.press("enter")
        empty = trace_of(1)
        for step in (40, 100):  # the sparkline of the beginning has gone by then
            await it.show(shown, step=step, trace=empty)
        assert words in it.screen_text


def test_blocks_fill_the_shortest_column() -> None:
    tall = Block("TALL", tuple(Fact("x", "1") for _ in range(5)))
    low = Block("LOW", (Fact("y", "2"),))
    lines = ["".join(text for text, _ in line) for line in arrange((tall, low, low), 80)]
    assert [line.split().count("LOW") for line in lines[:4]] == [1, 0, 0, 1]
    assert len({len(line) for line in lines}) == 1
