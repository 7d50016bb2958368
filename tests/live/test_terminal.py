"""The dashboard in a real terminal: tmux stands for the terminal and for the one who types."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.live.kernel_objects import kernel_objects, remaining
from tests.live.program import PROGRAM, START_S
from tests.live.renamed import renamed
from tests.live.terminal import WIDE, Terminals, talker
from tests.waiting import becomes

NARROW = (80, 24)
HOSTILE = b"[/red]$(x)\x1b[31m"


# What it shows


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=str)
def test_both_ends_have_a_row_that_moves(terminals: Terminals, size: tuple[int, int]) -> None:
    terminal = terminals(size)
    with talker(b"zz-slow", "slow") as slow:
        terminal.start("" if size == WIDE else f"--pid {slow.pid}")
        terminal.filter("zz-slow")  # others may have slower ones, enough to fill the screen
        for remote in (slow.server, slow.client):
            row = terminal.row(remote)
            assert "zz-slow" in row
            assert str(slow.pid) in row.split()
            assert "ESTAB" not in row  # as usual
        # Its RTT is that of delayed ACKs, and half a second later the sparkline has moved on.
        terminal.expect(lambda: _spark(terminal.row(slow.server)) != "", "a sparkline")
        # The smoothed RTT takes some samples to get there.
        terminal.expect(lambda: _rtt_ms(terminal.row(slow.server)) > 20, "the RTT of delayed ACKs")
        first = terminal.row(slow.server)
        sparks = {_spark(first)}

        def has_moved() -> bool:
            sparks.add(_spark(terminal.row(slow.server)))
            return len(sparks) >= 3

        terminal.expect(has_moved, "three different sparklines")
        assert len(terminal.text.splitlines()) == size[1]
        terminal.press("q")
        terminal.check_restored()


def _rtt_ms(row: str) -> float:
    return float(re.findall(r" (\d+\.\d+)ms", row)[0])


def _spark(row: str) -> str:
    return "".join(re.findall(r"[▁▂▃▄▅▆▇]", row))


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=str)
def test_one_that_is_followed_stays_selected_through_every_sort(
    terminals: Terminals, size: tuple[int, int]
) -> None:
    terminal = terminals(size)
    with talker(b"tt-a", "fast") as fast, talker(b"tt-b", "slow") as slow:
        terminal.start()
        terminal.filter("tt-")
        terminal.wait_for(f" {slow.server} ", "ms")
        terminal.expect_order(slow.server, fast.server)  # the slowest first
        terminal.select(fast.server)
        terminal.press("f")
        terminal.wait_for("FOLLOW")

        def is_selected_in(*order: str) -> None:
            terminal.expect_order(*order)
            terminal.expect_selected(fast.server)

        terminal.press("r")  # as it is
        is_selected_in(slow.server, fast.server)
        terminal.press("S")
        is_selected_in(fast.server, slow.server)
        terminal.press("p")
        is_selected_in(fast.server, slow.server)
        terminal.press("S")
        is_selected_in(slow.server, fast.server)
        terminal.press("f", "r")
        terminal.expect_order(slow.server, fast.server)
        terminal.expect_selected(slow.server)  # sorting shows the top
        terminal.press("q")
        terminal.check_restored()


def test_one_that_is_followed_stays_in_view_when_sorting_moves_it_off_the_screen(
    terminals: Terminals,
) -> None:
    terminal = terminals((100, 10))
    with contextlib.ExitStack() as stack:
        fast = stack.enter_context(talker(b"tt-a"))
        others = [stack.enter_context(talker(b"tt-b%d" % number)) for number in range(10)]
        terminal.start()
        terminal.press("p")
        terminal.wait_for("sort PROCESS ▲")
        terminal.filter("tt-")
        terminal.select(fast.server)
        assert terminal.order(others[0].server, fast.server) != [others[0].server, fast.server]
        terminal.press("f", "S")
        terminal.wait_for("sort PROCESS ▼")  # now it belongs to the bottom
        terminal.expect_order(others[0].server, fast.server)
        terminal.expect_selected(fast.server)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=str)
def test_enter_opens_the_chart_of_the_selected_connection_and_esc_leaves_it(
    terminals: Terminals, size: tuple[int, int]
) -> None:
    terminal = terminals(size)
    with talker(b"zz-slow", "slow") as slow:
        terminal.start(f"--pid {slow.pid}")
        terminal.select(slow.server)
        terminal.press("Enter")
        title = terminal.wait_for("zz-slow", slow.client, slow.server, " → ")
        assert str(slow.pid) in title.split()
        assert "PROCESS  " not in terminal.text
        for _ in range(3):
            terminal.wait_for_change()  # it moves
        terminal.press("Escape")
        terminal.wait_for("PROCESS", "REMOTE")
        terminal.expect_selected(slow.server)
        terminal.press("Enter")
        terminal.wait_for(slow.client, slow.server, " → ")
        terminal.press("q", "q")
        terminal.check_restored()


def test_a_hostile_process_name_is_shown_as_harmless_text(terminals: Terminals) -> None:
    terminal = terminals()
    with talker(HOSTILE) as hostile:
        terminal.start(f"--pid {hostile.pid}")
        shown = "[/red]$(x)\ufffd[31m"
        assert shown in terminal.row(hostile.server)
        assert "\x1b[31m" not in terminal.text_with_escapes
        terminal.select(hostile.server)
        terminal.press("Enter")
        terminal.wait_for(shown, hostile.client, hostile.server, " → ")
        assert "\x1b[31m" not in terminal.text_with_escapes
        terminal.press("Escape")
        terminal.wait_for("PROCESS", "REMOTE")
        terminal.press("/")
        terminal.type('"[/red]$(x)"')
        assert shown in terminal.row(hostile.server)
        terminal.press("C-c")
        terminal.check_restored()


@pytest.mark.parametrize(
    ("key", "small"),
    [("", "▼RTT"), ("Enter", " zz-slow"), ("?", "╰────────╯"), ("/", " / ")],
    ids=["table", "chart", "help", "filter"],
)
def test_a_terminal_of_ten_columns_and_three_lines_is_survived(
    terminals: Terminals, key: str, small: str
) -> None:
    terminal = terminals()
    with talker(b"zz-slow", "slow") as slow:
        pid = terminal.start(f"--pid {slow.pid}")
        terminal.select(slow.server)
        if key:
            terminal.wait_for_change(key)
        terminal.resize(10, 3)
        terminal.wait_for(small)
        terminal.resize(1, 1)
        terminal.resize(*WIDE)
        if key:
            terminal.press("Escape")
        terminal.row(slow.server)
        terminal.wait_for("PROCESS", "AGE")
        assert terminal.child == pid
        terminal.press("C-c")
        terminal.check_restored()


# How it ends


@pytest.mark.parametrize("before", ["", "Enter", "?", "/"], ids=["table", "chart", "help", "filter"])
def test_ctrl_c_leaves_from_everywhere(terminals: Terminals, before: str) -> None:
    terminal = terminals()
    with talker(b"zz-slow", "slow") as slow:
        objects = kernel_objects(terminal.start(f"--pid {slow.pid}"))
        assert objects
        terminal.row(slow.server)
        if before:
            terminal.wait_for_change(before)
        terminal.press("C-c")
        terminal.check_restored()
        assert becomes(lambda: not remaining(objects))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda it: it.name)
def test_a_signal_restores_the_terminal(terminals: Terminals, number: signal.Signals) -> None:
    terminal = terminals()
    pid = terminal.start()
    objects = kernel_objects(pid)
    assert objects
    os.kill(pid, number)
    terminal.check_restored()
    assert becomes(lambda: not remaining(objects))


def test_suspended_it_gives_the_shell_back_and_goes_on_in_the_foreground(terminals: Terminals) -> None:
    terminal = terminals()
    with talker(b"talker") as it:
        terminal.type(f"{PROGRAM} --pid {it.pid}\n")  # others may have enough rows to fill the screen
        terminal.wait_for("PROCESS", timeout_s=START_S)
        pid = terminal.child
        for _ in range(2):
            terminal.row(it.server)
            terminal.press("C-z")
            terminal.expect(lambda: terminal.state("alternate_on") == ["0"], "the shell's screen")
            terminal.type("echo still $((6 * 7))\n")
            terminal.wait_for("still 42")
            # Of a job that is stopped the kernel side counts on, and its records wait.
            assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
            assert kernel_objects(pid)
            terminal.type("fg\n")
            terminal.wait_for("PROCESS")
        terminal.row(it.server)
    terminal.press("q")
    terminal.expect(lambda: terminal.state("alternate_on") == ["0"], "the end")
    assert becomes(lambda: not Path(f"/proc/{pid}").exists())
    terminal.type("echo still $((6 * 7))\n")
    terminal.wait_for("still 42")


@pytest.mark.parametrize(
    "arguments", ["", "--json --lport 1", "--count 999 --lport 1"], ids=["dashboard", "json", "plain"]
)
def test_it_ends_with_its_terminal(terminals: Terminals, arguments: str) -> None:
    terminal = terminals()
    terminal.type(f"{PROGRAM} {arguments}\n")
    terminal.wait_for("header" if "--json" in arguments else "PROCESS", timeout_s=START_S)
    pid = terminal.child
    objects = kernel_objects(pid)
    assert objects
    terminal.close()
    assert becomes(lambda: not Path(f"/proc/{pid}").exists())
    assert becomes(lambda: not remaining(objects))


# Poor terminals


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "NO_COLOR": "1", "TERM": "vt100"},
    ],
    ids=str,
)
def test_without_utf_8_the_screen_is_ascii(terminals: Terminals, environment: dict[str, str]) -> None:
    terminal = terminals(WIDE, **environment)
    with talker("zz-grün".encode(), "slow") as slow:
        terminal.start(f"--pid {slow.pid}")
        terminal.select(slow.server)
        assert "zz-gr??n" in terminal.marked() or "zz-gr?n" in terminal.marked()
        for key in ("Enter", "?"):
            assert terminal.text.isascii()
            assert "\\u" not in terminal.text
            terminal.wait_for_change(key)
        assert terminal.text.isascii()
        terminal.press("C-c")
        terminal.check_restored()


def test_no_color_means_no_colour(terminals: Terminals) -> None:
    terminal = terminals(NO_COLOR="1")
    with talker(b"zz-slow", "slow") as slow:
        terminal.start(f"--pid {slow.pid}")
        terminal.row(slow.server)
        for red, green, blue in re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", terminal.text_with_escapes):
            assert red == green == blue
        assert not re.search(r"\x1b\[(?:\d+;)*[349][1-6]m", terminal.text_with_escapes)
        # Of the 256 colours these are black, white and the greys between.
        palette = {int(number) for number in re.findall(r"[34]8;5;(\d+)", terminal.text_with_escapes)}
        assert palette <= {0, 7, 8, 15, 16, 59, 102, 145, 188, 231, *range(232, 256)}


@pytest.mark.parametrize("redirection", ["</dev/null", "2>/dev/null"])
def test_without_keys_or_a_screen_it_writes_tables(terminals: Terminals, redirection: str) -> None:
    terminal = terminals()
    # With all connections of the machine the first line may have scrolled away.
    terminal.run(f"{PROGRAM} --lport 1 {redirection}")
    terminal.wait_for("samples/s", timeout_s=START_S)
    assert terminal.state("alternate_on") == ["0"]
    terminal.press("C-c")
    terminal.check_restored()


# Poor kernels


def test_the_drill_down_says_what_this_kernel_does_not_tell(terminals: Terminals, tmp_path: Path) -> None:
    terminal = terminals((160, 60))
    with talker(b"zz-slow", "slow") as slow:
        before = shlex.join(renamed("snd_wnd", tmp_path))
        terminal.type(f"{before} {PROGRAM} --pid {slow.pid}\n")
        terminal.wait_for("PROCESS", timeout_s=START_S)
        terminal.select(slow.server)
        terminal.press("Enter")
        terminal.wait_for("our window ")
        assert re.search(r"peer's window +\?", terminal.text)
        assert re.search(r"our window +\d", terminal.text)
        terminal.press("q", "q")
