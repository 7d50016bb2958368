"""The table: order, cursor, filter, freeze, follow, columns."""

from __future__ import annotations

import asyncio
import errno
import gc
import re
from typing import Any

import numpy as np
import pytest
from textual.geometry import Region, Size
from textual.widget import Widget
from textual.widgets import Input

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.screens.help import HelpScreen
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.widgets import status_bar
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.table_lines import Frame
from tests.tui.conftest import Open
from tests.tui.feed import HOSTILE, HandFeed, make_app, snapshot
from tests.tui.side_tables import LISTENERS
from tests.unit.rows import row


async def test_rows_are_on_the_screen_with_the_first_snapshot(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, comm=b"nginx", pid=4242, srtt_us=1240))
        line = it.screen_text.splitlines()[3]
        assert line[0] == "▸"
        for text in ("nginx", "4242", ":40001", "198.51.100.1:443", "1.24ms", "5s"):
            assert text in line
        assert "ESTAB" not in line  # as almost all are
        await it.show(row(1, state=8), step=1)
        assert "CLOSE-WAIT" in it.screen_text


async def test_slowest_first_and_r_says_the_same_however_often(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=10), row(2, srtt_us=30), row(3, srtt_us=20), row(4, srtt_us=0))
        assert it.table.ids == [2, 3, 1, 4]
        await it.press("r", "r")
        assert it.table.ids == [2, 3, 1, 4]
        await it.press("S")
        assert it.table.ids == [1, 3, 2, 4]
        await it.press("r")
        assert it.table.ids == [2, 3, 1, 4]


async def test_p_sorts_by_process(stage: Open) -> None:
    async with stage() as it:
        await it.show(
            row(1, comm=b"zsh"), row(2, comm=b"Nginx"), row(3, comm=b"bash"), row(4, comm=b"", pid=0)
        )
        await it.press("p", "p")
        assert it.table.ids == [3, 2, 1, 4]
        await it.press("S")
        assert it.table.ids == [1, 2, 3, 4]
        await it.press("r")
        assert it.main.order == ("rtt", True)


async def test_what_holds_connections_up_is_a_column_sorted_worst_first_and_filtered(stage: Open) -> None:
    lossy = {"retrans_1m": 7, "data_segs_out_1m": 630, "window_ms": 60_000, "retrans": 7}
    async with stage((80, 24)) as it:
        await it.show(
            row(1),
            row(2, **lossy),
            row(3, stalled=True, retransmits=2, last_ack_ms=4200),
            row(4, stalled=True, retransmits=2, closed=True),
        )
        assert "loss 1.1%" in it.screen_text
        assert "silent 4.2s" in it.screen_text
        assert it.screen_text.count("silent") == 1  # what is closed has no need of a reason
        await it.press("w")
        assert it.table.ids[:2] == [3, 2]
        await it.press("slash", *"why", "colon", *"loss", "enter")
        assert it.table.ids == [2]


async def test_s_goes_through_the_columns_and_capital_s_reverses(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, rttvar_us=5), row(2, rttvar_us=9))
        for key in ("mean", "p50", "p95", "peak", "jitter"):
            await it.press("s")
            assert it.main.order.key == key
        assert it.table.ids == [2, 1]
        await it.press("S")
        assert it.table.ids == [1, 2]


async def test_s_comes_back_to_the_first_column_and_the_header_line_goes_along(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        keys = [key for key in CONNECTIONS.sorts if key != "host"]  # there is one
        after = keys.index("rtt") + 1
        for key in (*keys[after:], *keys[:after]):
            await it.press("s")
            assert it.main.order.key == key
            assert f"sort {CONNECTIONS.column[key].title} " in it.screen_text


async def test_header_click_sorts_and_again_reverses(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, pid=7), row(2, pid=9), row(3, pid=8))
        x = it.screen_text.splitlines()[2].index("PID")
        await it.pilot.click(it.table, offset=(x, 0))
        assert it.table.ids == [2, 3, 1]
        assert "▼PID" in it.screen_text
        await it.pilot.click(it.table, offset=(x, 0))
        assert it.table.ids == [1, 3, 2]
        assert "▲PID" in it.screen_text


async def test_the_selected_connection_stays_selected_when_rows_move(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=10), row(2, srtt_us=30), row(3, srtt_us=20))
        await it.press("down")
        assert it.table.cursor_id == 3
        await it.show(row(1, srtt_us=10), row(2, srtt_us=30), row(3, srtt_us=40), step=1)
        assert it.table.ids == [3, 2, 1]
        assert it.table.cursor_id == 3
        assert it.screen_text.splitlines()[3].startswith("▸proc3")


async def test_sorting_shows_the_top_and_one_that_is_followed_stays_visible(stage: Open) -> None:
    many = [row(number, comm=f"p{number:03}".encode(), srtt_us=number) for number in range(1, 201)]
    async with stage((100, 20)) as it:
        await it.show(*many)
        await it.press("j", "j")
        assert it.table.cursor_id == 198
        await it.press("p")
        assert it.table.cursor_id == 1
        await it.press("end")
        assert it.table.cursor_id == 200
        await it.press("greater_than_sign")
        assert it.table.scroll_offset.y == 0
        await it.press("r", "j", "j", "f", "p")
        assert it.table.cursor_id == 198
        marked = [line for line in it.screen_text.splitlines() if line.startswith("▸")]
        assert [line[:5] for line in marked] == ["▸p198"]


async def test_before_the_user_moves_the_cursor_it_stays_on_the_first_line(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=10), row(2, srtt_us=20))
        assert it.table.cursor_id == 2
        await it.show(row(1, srtt_us=30), row(2, srtt_us=20), step=1)
        assert it.table.cursor_id == 1


@pytest.mark.parametrize("key", ["home", "g"])
async def test_home_unpins(stage: Open, key: str) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=10), row(2, srtt_us=20))
        await it.press("down", key)
        await it.show(row(1, srtt_us=30), row(2, srtt_us=20), step=1)
        assert it.table.cursor_id == 1


async def test_when_the_selected_connection_is_gone_the_cursor_stays_near(stage: Open) -> None:
    async with stage() as it:
        await it.show(*(row(number) for number in range(1, 6)))
        await it.press("down", "down")
        assert it.table.cursor_id == 3
        await it.show(row(1), row(2), row(4), row(5), step=1)
        assert it.table.cursor_id == 2
        await it.show(row(5, srtt_us=1), row(4, srtt_us=2), row(2, srtt_us=9), row(1, srtt_us=8), step=2)
        assert it.table.cursor_id == 2
        await it.show(step=3)
        assert it.table.cursor_id is None


async def test_keys_move_the_cursor(stage: Open) -> None:
    async with stage((100, 20)) as it:
        await it.show(*(row(number) for number in range(1, 101)))
        page = it.table.size.height - 1
        steps = (("j", 99), ("k", 100), ("pagedown", 100 - page), ("up", 101 - page), ("G", 1), ("end", 1))
        for key, expected in (*steps, ("pageup", 1 + page), ("home", 100)):
            await it.press(key)
            assert it.table.cursor_id == expected, key


async def test_follow_holds_the_connection_on_its_line(stage: Open) -> None:
    async with stage((100, 20)) as it:
        numbers = range(1, 101)
        await it.show(*(row(number, srtt_us=1000 + 10 * number) for number in numbers))
        await it.press(*["down"] * 5, "f")
        assert "FOLLOW" in it.screen_text
        at = next(y for y, line in enumerate(it.screen_text.splitlines()) if line.startswith("▸"))
        moved = [row(number, srtt_us=1000 + 10 * number) for number in numbers if number != 95]
        await it.show(*moved, row(95, srtt_us=1505), step=1)
        assert it.screen_text.splitlines()[at].startswith("▸proc95")
        await it.press("f")
        assert "FOLLOW" not in it.screen_text


async def test_scrolling_away_is_only_undone_by_follow(stage: Open) -> None:
    async with stage((100, 20)) as it:
        many = [row(number) for number in range(1, 201)]
        await it.show(*many)
        await it.press("down")
        it.table.scroll_to(y=100, animate=False)
        await it.show(*many, step=1)
        assert it.table.scroll_offset.y == 100
        await it.press("f")
        assert it.table.scroll_offset.y == 1


async def test_filter_keeps_with_enter_and_clears_with_escape(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, comm=b"nginx"), row(2, comm=b"sshd"), row(3, comm=b"nginx", rport=8443))
        await it.press("slash", "n", "g", "i", "space", "8", "4", "4", "3")
        assert it.table.ids == [3]
        assert "1 of 3" in it.screen_text
        await it.press("enter")
        assert it.table.ids == [3]
        assert it.table.has_focus
        assert '"ngi 8443"' in it.screen_text
        await it.press("escape")
        assert it.table.ids == [3, 2, 1]


async def test_escape_while_typing_clears_and_returns_to_the_table(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, comm=b"nginx"), row(2, comm=b"sshd"))
        await it.press("slash", "s", "s")
        assert it.table.ids == [2]
        await it.press("escape")
        assert it.table.ids == [2, 1]
        assert it.table.has_focus
        await it.press("slash")
        assert it.app.query_one(Input).value == ""


async def test_every_key_is_a_character_while_the_filter_is_typed(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        keys = ["slash", "plus", "minus", "question_mark", "q", "r", "p", "f", "s", "S", "j"]
        await it.press("slash", *keys)
        assert it.app.query_one(Input).value == "/+-?qrpfsSj"
        assert it.feed.refreshes == []
        assert it.main.order.key == "rtt"


async def test_the_filter_of_the_command_line_survives_escape(stage: Open) -> None:
    async with stage(filter=Filter(pid=1001)) as it:
        await it.show(row(1), row(2))
        assert it.table.ids == [1]
        assert "pid 1001" in it.screen_text
        await it.press("escape")
        assert it.table.ids == [1]


async def test_a_connection_that_is_only_filtered_out_is_selected_again(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, comm=b"aa"), row(2, comm=b"bb"), row(3, comm=b"cc"))
        await it.press("down")
        assert it.table.cursor_id == 2
        await it.press("slash", "c", "c")
        assert it.table.cursor_id == 3
        await it.press("escape")
        assert it.table.cursor_id == 2


async def test_while_the_selected_connection_is_filtered_out_the_cursor_stays_with_one_other(
    stage: Open,
) -> None:
    others = {2: 40, 3: 30, 4: 20, 5: 10}
    async with stage() as it:

        async def show(srtt_us: dict[int, int], step: int, **one: Any) -> None:
            listed = (row(id_, comm=b"other", srtt_us=us) for id_, us in srtt_us.items())
            await it.show(row(1, **{"comm": b"one", "srtt_us": 35} | one), *listed, step=step)

        await show(others, 0)
        await it.press("down")
        assert it.table.cursor_id == 1
        await it.press("slash", *"other", "enter")
        stays = it.table.cursor_id
        assert stays == 3
        for step, srtt_us in enumerate(({**others, 5: 90}, {**others, 3: 5}, {**others, 3: 99}), 1):
            await show(srtt_us, step)
            assert it.table.cursor_id == stays
            (marked,) = [line for line in it.screen_text.splitlines() if line.startswith("▸")]
            await it.press("y")
            assert it.app.clipboard == f"198.51.100.{stays}"
            assert it.app.clipboard in marked
        await show({2: 40, 4: 20, 5: 10}, 4)  # it has ended, too: a neighbour takes its place
        assert it.table.cursor_id == 2
        await show({2: 1, 4: 20, 5: 10}, 5)
        assert it.table.cursor_id == 2
        await show({2: 1, 4: 20, 5: 10}, 6, comm=b"other")
        assert it.table.cursor_id == 1


async def test_space_freezes_what_is_shown_and_keys_still_work(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=10), row(2, srtt_us=20))
        await it.press("space")
        await it.show(row(1, srtt_us=10), row(2, srtt_us=20), row(3, srtt_us=30), step=1)
        assert "FROZEN" in it.screen_text
        assert it.table.ids == [2, 1]
        await it.press("S")
        assert it.table.ids == [1, 2]
        await it.press("space")
        assert "FROZEN" not in it.screen_text
        assert it.table.ids == [1, 2, 3]


async def test_the_header_counts_what_a_frozen_table_shows(stage: Open) -> None:
    stalled = {"stalled": True, "retransmits": 2}
    async with stage() as it:
        await it.show(row(1, srtt_us=200_000), row(2, **stalled))
        before = it.screen_text.splitlines()[0].rstrip()
        assert " 2 connections  1 stalled  1 slow " in before
        await it.press("space")
        await it.show(row(1), row(2), row(3, **stalled), row(4, **stalled), listeners=LISTENERS, step=30)
        assert it.screen_text.splitlines()[0].rstrip() == before
        await it.press("slash", *"proc1", "enter")
        filtered = before.replace("2 connections", "1 of 2 connections")
        assert it.screen_text.splitlines()[0].rstrip() == filtered
        await it.press("escape", "space")
        assert " 4 connections  1 queue full  2 stalled " in it.screen_text.splitlines()[0]


async def test_plus_and_minus_change_the_interval(stage: Open) -> None:
    async with stage() as it:
        await it.press("plus", "minus", "minus", *["minus"] * 9)
        assert it.feed.refreshes == [2.0, 1.0, 0.5, 0.25, 0.1]
        assert "every 0.1s" in it.screen_text


async def test_what_a_feed_cannot_do_is_not_offered(stage: Open) -> None:
    async with stage((220, 48), capabilities=frozenset()) as it:
        await it.show(row(1))
        assert "Slower" not in it.screen_text
        await it.press("plus", "minus")
        assert it.feed.refreshes == []
        assert "every 1s" in it.screen_text
    async with stage((220, 48)) as it:
        await it.show(row(1))
        assert "Slower" in it.screen_text


async def test_hostile_names_are_literal_and_carry_no_control(stage: Open) -> None:
    async with stage() as it:
        await it.show(
            row(1, comm=HOSTILE),
            row(2, comm=b"[fe80::1]:443", family=6, raddr="fe80::1", laddr="2001:db8::1"),
            row(3, comm=b"\xc2\x9b31m\xff\xe2\x80\xae"),
        )
        text = it.screen_text
        assert "[/red]$(x)\ufffd[31m" in text
        assert "[fe80::1]:443 " in text
        assert "[fe80::1]:443" in text.split("proc")[-1]
        assert "\ufffd31m\ufffd\ufffd" in text
        assert not {char for char in text if not char.isprintable()} - {"\n"}


async def test_wide_characters_do_not_move_the_columns(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, comm="日本語".encode()), row(2, comm=b"plain"))
        plain, wide = it.screen_text.splitlines()[3:5]
        # Three characters of two cells each stand before the rest of the line.
        assert wide.index("1001") + 3 == plain.index("1002")


async def test_a_stalled_connection_does_not_look_healthy(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=500, stalled=True, retransmits=3), row(2, srtt_us=90_000))
        first = it.screen_text.splitlines()[3]
        assert first.startswith("▸proc1")
        assert "STALLED" in first
        assert "no ACK" in first
        assert "0.500ms" not in first


async def test_closed_rows_say_so_and_stay_where_they_sort(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1), row(2, closed=True), row(3))
        assert it.table.ids == [3, 2, 1]
        assert "CLOSED" in it.screen_text.splitlines()[4]


async def test_unknown_owner_is_a_question_mark(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, comm=b"", pid=0))
        assert it.screen_text.splitlines()[3].split()[:2] == ["▸?", "?"]


async def test_80_columns_show_what_matters(stage: Open) -> None:
    async with stage((80, 24)) as it:
        await it.show(row(1, comm=b"fifteen-letters", pid=4194304, retrans=12345))
        header, line = it.screen_text.splitlines()[2:4]
        for title in ("PROCESS", "PID", "LOCAL", "REMOTE", "RTT", "24s", "WHY"):
            assert title in header
        for value in ("fifteen-l…", "4194304", ":40001", "198.51.100.1:443", "1.00ms"):
            assert value in line
        footer = it.screen_text.splitlines()[-1]
        for key in ("Enter", "Tab", "Groups", "Why", "Filter", "Freeze", "Help", "Quit"):
            assert key in footer
        assert footer.split()[-2:] == ["Ctrl-P", "More"]


async def test_wide_terminals_show_all_columns(stage: Open) -> None:
    async with stage((200, 48)) as it:
        await it.show(row(1))
        keys = it.screen_text.splitlines()[-1]
        assert "- Faster" in keys
        assert keys.count("Slower") == 1
        assert keys.split()[-2:] == ["Ctrl-P", "More"]
        header = it.screen_text.splitlines()[2]
        for title in ("LOCAL", "JITTER", "MIN", "IN b/s", "OUT b/s", "AGE"):
            assert title in header


@pytest.mark.parametrize("size", [(10, 3), (1, 1), (3, 2), (20, 5)])
async def test_tiny_terminals_do_not_crash(stage: Open, size: tuple[int, int]) -> None:
    async with stage((80, 24)) as it:
        await it.show(*(row(number) for number in range(1, 50)))
        await it.press("down")
        await it.pilot.resize_terminal(*size)
        await it.show(*(row(number) for number in range(1, 50)), step=1)
        await it.press("down", "slash", "p", "escape", "question_mark", "escape", "enter", "space", "escape")
        await it.pilot.resize_terminal(80, 24)
        await it.pilot.pause()
        assert "▸proc" in it.screen_text


async def test_ascii_mode_is_ascii(stage: Open) -> None:
    async with stage((100, 20), glyphs=ASCII) as it:
        await it.show(*(row(number, comm="é日".encode()) for number in range(1, 90)), row(99, comm=HOSTILE))
        await it.press("down")
        assert it.screen_text.isascii()
        assert "vRTT" in it.screen_text
        assert "[/red]$(x)?[31m" in it.screen_text


async def test_the_header_line_tells_of_the_program_only_what_matters(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        for part in ("tcp_probe", "fentry refused", "cpu", "lost", "memory"):
            assert part not in it.screen_text
        bad = Health("tcp_probe", "fentry refused", 15_000.0, 17, 42.25, 4, "ring [gone]")
        await it.show(row(1), health=bad, step=1)
        for part in (
            "1 connection ",
            "17 lost",
            "4 without memory",
            "! ring [gone]",
            "42% cpu",
            "15k samples/s",
        ):
            assert part in it.screen_text


async def test_the_header_says_how_far_it_is_behind(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_bar, "SILENT_S", 60.0)
    async with stage() as it:
        await it.show(row(1))
        assert "behind" not in it.screen_text
        await it.show(row(1), health=Health("tcp_probe", behind_s=12.4), step=1)
        assert "1 connection  behind by 12s" in it.screen_text.splitlines()[0]
        await it.show(row(1), step=2)
        assert "behind" not in it.screen_text
        # Nothing comes any more, and nothing says why.
        monkeypatch.setattr(status_bar, "SILENT_S", 0.5)
        while "behind by" not in it.screen_text:
            await asyncio.sleep(0.1)
            await it.pilot.pause()
        await it.show(row(1), step=3)
        assert "behind" not in it.screen_text


async def test_the_header_says_in_few_words_what_is_missed(stage: Open) -> None:
    async with stage((160, 24)) as it:
        await it.show(row(1))
        assert "no BPF" not in it.screen_text
        await it.show(row(1), health=Health("sock_diag", missed="short connections are missed"), step=1)
        assert "no BPF: short connections are missed" in it.screen_text.splitlines()[1]
        assert "samples/s" not in it.screen_text


async def test_the_header_line_answers_before_the_table_is_read(stage: Open) -> None:
    async with stage() as it:
        await it.show(
            row(1, srtt_us=200_000, out_bps=2e6, retrans_1m=120, window_ms=60_000, rtt_age_ms=5),
            row(2, srtt_us=1000, in_bps=3e6, rtt_age_ms=5),
            row(3, stalled=True, srtt_us=900_000),
            row(4, closed=True, srtt_us=200_000, stalled=False, rtt_age_ms=5, out_bps=1e6),
        )
        first = it.screen_text.splitlines()[0]
        assert "testhost" in first
        assert re.search(r"\d\d:\d\d:\d\d  4 connections  1 stalled  1 slow  200ms p95  2.0 retr/s", first)
        assert "3.0M in b/s  3.0M out b/s" in first
        assert " lost" not in first  # nothing is


async def test_a_feed_that_raises_leaves_the_app_up_and_says_why(stage: Open) -> None:
    async with stage(failure=RuntimeError("no [/more] records")) as it:
        await it.show(row(1))
        it.feed.stop()
        it.app.join_worker()
        await it.pilot.pause()
        assert "! RuntimeError: no [/more] records" in it.screen_text
        assert "proc1" in it.screen_text
        await it.press("p")
        assert it.main.order.key == "process"


@pytest.mark.parametrize("refusal", [TcptopError("no kernel here"), OSError(errno.EMFILE, "no descriptor")])
async def test_a_feed_that_cannot_open_ends_the_app_with_the_cause(refusal: Exception) -> None:
    feed = HandFeed()
    feed.refusal = refusal
    app = make_app(feed)
    async with app.run_test() as pilot:
        app.join_worker()
        await pilot.pause()
    assert app.problem is refusal
    assert not app.is_running


async def test_a_source_that_ends_says_so(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        it.feed.stop()
        it.app.join_worker()
        await it.pilot.pause()
        assert "! no more data: the source has ended" in it.screen_text
        assert "proc1" in it.screen_text
        await it.press("enter")
        assert "! no more data: the source has ended" in it.screen_text


async def test_a_quiet_table_draws_only_the_lines_that_changed(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage((140, 20)) as it:
        await it.show(*(row(number) for number in range(1, 11)))
        drawn: list[object] = []
        monkeypatch.setattr(it.table, "refresh", lambda *regions: drawn.extend(regions or ["all"]))
        it.table.show(snapshot(*(row(number) for number in range(1, 11)), step=1))
        await it.pilot.pause()
        assert drawn == []
        it.table.show(snapshot(*(row(number, retrans=number == 9) for number in range(1, 11)), step=2))
        await it.pilot.pause()
        assert [region.y for region in drawn if isinstance(region, Region)] == [2]


async def test_an_order_and_the_line_that_is_selected_with_it_are_drawn_once(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage((140, 20)) as it:
        await it.show(*(row(number) for number in range(1, 11)))
        await it.press("down")
        made: list[Frame] = []
        make = it.table._make_frame

        def counted(top: int, size: Size) -> Frame:
            made.append(make(top, size))
            return made[-1]

        monkeypatch.setattr(it.table, "_make_frame", counted)
        await it.press("p")
        assert len(made) == 1
        assert it.table._cursor == 0


async def test_leaving_stops_the_feed(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        await it.pilot.press("q")
    assert it.feed.finished.is_set()


async def test_the_footer_is_the_only_thing_that_leaves_a_tiny_terminal(stage: Open) -> None:
    async with stage((80, 5)) as it:
        await it.show(row(1))
        assert not it.app.screen.query_one(KeyLine).display
        assert "proc1" in it.screen_text


async def test_a_click_on_a_key_presses_it(stage: Open) -> None:
    async with stage((80, 24)) as it:
        await it.show(row(1), row(2))
        footer = it.screen_text.splitlines()[-1]
        await it.pilot.click(KeyLine, offset=(footer.index("Why") + 2, 0))
        await it.pilot.pause()
        assert it.main.order.key == "why"
        await it.pilot.click(KeyLine, offset=(footer.index("Help"), 0))
        await it.pilot.pause()
        assert isinstance(it.app.screen, HelpScreen)


async def test_filters_and_details_leave_nothing_behind(stage: Open) -> None:
    async def use() -> int:
        for _ in range(5):
            await it.press("slash", "4", "backspace", "enter")
            await it.press("enter")
            await it.press("escape")
        gc.collect()
        return sum(isinstance(one, Widget) for one in gc.get_objects())

    async with stage() as it:
        await it.show(row(1))
        first = await use()  # what is made once and kept
        assert await use() <= first


async def test_sparklines_have_their_own_scales_or_share_one(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1, srtt_us=1_000), row(2, srtt_us=1_010), row(3, srtt_us=100_000))
        lines = it.screen_text.splitlines()[3:6]
        glyphs = [next(char for char in line if "▁" <= char <= "▇") for line in lines]
        assert glyphs == ["▁", "▁", "▁"]
        assert "LAST 24s" in it.screen_text
        await it.press("l")
        lines = it.screen_text.splitlines()[3:6]
        glyphs = [next(char for char in line if "▁" <= char <= "▇") for line in lines]
        assert glyphs == ["▇", "▁", "▁"]
        assert "1-100ms" in it.screen_text


async def test_ten_thousand_rows_sort_and_filter(stage: Open) -> None:
    async with stage() as it:
        await it.show(*(row(number, rport=number % 7 + 1) for number in range(1, 10_001)))
        assert it.table.ids == np.arange(10_000, 0, -1).tolist()
        await it.press("slash", "colon", "7", "enter")
        assert all(id_ % 7 == 6 for id_ in it.table.ids) or it.table.shown < 10_000
