"""The dashboard on a terminal that misbehaves, and under signals that nobody plans for."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.live.held import LEFT, Open, Pty
from tests.live.kernel_objects import kernel_objects, remaining
from tests.live.loaders import stopped_loader
from tests.live.pairs import connected, port_of, talking
from tests.live.program import END_S, PROGRAM, START_S, mounted
from tests.waiting import becomes


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# Too little of something


@pytest.mark.parametrize("limit", range(18, 36, 2))
def test_with_too_few_descriptors_the_screen_works_or_the_limit_is_named(terminal: Open, limit: int) -> None:
    it = terminal("sh", "-c", f'ulimit -n {limit}; exec "$0" "$@"', PROGRAM)
    it.expect(lambda: b"PROCESS" in it.output or it.process.poll() is not None, "rows, or its end")
    if it.process.poll() is None:
        it.type(b"q")
        assert it.ended() == 0
    else:  # before the screen opens, or soon after, as the source opens meanwhile
        assert it.process.returncode == 1
        it.wait_for(b"Too many open files: run ulimit -n 1024 first\r\n")
    assert b"Traceback" not in it.output
    assert termios.tcgetattr(it.theirs) == it.attributes
    if b"\x1b[?1049h" in it.output:
        it.check_restored()


# What is typed


@pytest.mark.parametrize(
    "keys",
    [
        b"\xff",
        b"\xe9a",
        b"\xed\xa0\x80",
        b"\xe6\x97",
        b"\x1b[M \xc8\x30",
        b"\x1b[200~" + bytes(range(128, 256)) + b"\x1b[201~",
        b"\x1b[48;60000;60000;60000;60000t",
    ],
    ids=repr,
)
def test_no_key_ends_it_however_broken(terminal: Open, keys: bytes) -> None:
    it = terminal().started()
    it.type(keys)
    time.sleep(0.3)  # longer than a sequence may pause
    it.check_keys()
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()


@pytest.mark.parametrize(
    "keys",
    [
        b"jk" * 200_000,
        b"\x1b[" + b"1;" * 50_000,
        b"\x1b]0;" + b"x" * 100_000,
        b"/\x1b[200~" + b"abc " * 100_000 + b"\x1b[201~\x1b",
        b"\x1b[200~" + b"x" * 400_000,
        b"\x1b" * 10_000,
    ],
    ids=["letters", "CSI", "OSC", "paste", "endless paste", "escapes"],
)
def test_much_input_is_survived_and_q_leaves_afterwards(terminal: Open, keys: bytes) -> None:
    it = terminal().started()
    it.type_much(keys)
    time.sleep(3)  # so long an endless paste may pause
    assert becomes(lambda: _gets_through(it), START_S)
    it.type(b"?")
    it.check_keys()
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()


def _gets_through(it: Pty) -> bool:
    """Whether Esc leaves what is open, and the help opens: on a busy machine, what was typed may wait."""
    it.type(b"\x1b")
    time.sleep(1)  # followed at once by another key, it is none by itself
    since = len(it.output)
    it.type(b"?")
    return becomes(lambda: b"slowest first" in it.output[since:], 3)


def test_ctrl_c_does_not_wait_behind_input(terminal: Open) -> None:
    it = terminal().started()
    flood = threading.Thread(target=lambda: _flood(it), daemon=True)
    flood.start()
    assert it.ended() == 0
    flood.join(END_S)
    it.check_restored()


def _flood(it: Pty) -> None:
    with suppress(OSError):
        it.type_much(b"jk" * 50_000 + b"\x03")


def test_keys_in_the_burst_of_the_filters_enter_are_commands(terminal: Open) -> None:
    it = terminal().started()
    since = len(it.output)
    it.type(b"/zz-none\r?")
    it.wait_for(b"slowest first", since)
    it.type(b"?")
    it.wait_for(b'"zz-none"', since)
    it.type(b"q")
    assert it.ended() == 0
    assert b"zz-none?" not in it.output


def test_what_is_pasted_presses_no_key(terminal: Open) -> None:
    it = terminal().started()
    it.type(b"\x1b[200~q\x1bq\x1b[q\x1b[201~")
    time.sleep(0.3)
    it.check_keys()
    it.type(b"q")
    assert it.ended() == 0


# The terminal goes away


@pytest.mark.parametrize("controlling", [True, False], ids=["controlling", "not controlling"])
@pytest.mark.parametrize("before", [b"", b"\r", b"/x"], ids=["table", "chart", "filter"])
def test_it_ends_when_its_terminal_is_gone(terminal: Open, controlling: bool, before: bytes) -> None:
    it = terminal(controlling=controlling).started()
    objects = kernel_objects(it.pid)
    assert objects
    if before:
        it.type(before)
        time.sleep(0.5)
    it.hang_up()
    it.ended()
    assert becomes(lambda: not remaining(objects))


def held_up(terminal: Open) -> Pty:
    """On a terminal that takes nothing any more."""
    it = terminal(paused=True)
    assert becomes(lambda: termios.tcgetattr(it.theirs) != it.attributes, START_S)
    time.sleep(1)  # it is drawing
    it.fill()
    return it


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nor_does_one_that_takes_none_from_the_start(terminal: Open, number: int) -> None:
    it = terminal(paused=True)
    it.fill()
    assert becomes(lambda: kernel_objects(it.pid) != set(), START_S)
    it.process.send_signal(number)
    assert it.ended() in (0, 128 + signal.SIGINT)
    assert termios.tcgetattr(it.theirs) == it.attributes


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGUSR1, -signal.SIGUSR1)]
)
def test_a_terminal_that_takes_no_output_does_not_hold_up_leaving(
    terminal: Open, number: int, status: int
) -> None:
    it = held_up(terminal)
    it.process.send_signal(number)
    assert it.ended() == status
    assert termios.tcgetattr(it.theirs) == it.attributes


def test_after_a_pause_of_the_terminal_the_whole_picture_is_there(terminal: Open) -> None:
    it = held_up(terminal)
    time.sleep(2)  # it draws a clock at least
    it.read()
    it.started()
    it.check_keys()
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()


# Signals


@pytest.mark.parametrize(
    "number",
    [signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPROF, signal.SIGRTMIN],
)
def test_a_signal_that_kills_restores_the_terminal_first(terminal: Open, number: int) -> None:
    it = terminal().started()
    objects = kernel_objects(it.pid)
    it.process.send_signal(number)
    assert it.ended() == -number
    it.check_restored()
    assert becomes(lambda: not remaining(objects))


def test_a_terminal_that_is_slow_to_take_the_last_picture_is_restored_before_it_dies(terminal: Open) -> None:
    it = held_up(terminal)
    it.process.send_signal(signal.SIGUSR1)
    it.read()
    assert it.ended() == -signal.SIGUSR1
    it.check_restored()


@pytest.mark.parametrize("leave", [b"\x03", signal.SIGTERM])
def test_a_slow_terminal_is_restored_when_the_program_is_left(terminal: Open, leave: bytes | int) -> None:
    it = terminal(lines=100).started()
    time.sleep(1)
    it.slow_down(1000)
    it.fill()
    it.type(b"?")  # the help takes many seconds, more than leaving waits
    time.sleep(0.5)
    if isinstance(leave, bytes):
        it.type(leave)
    else:
        it.process.send_signal(leave)
    assert it.ended() == 0
    it.check_restored()


def test_one_that_comes_while_a_slow_terminal_is_given_back_restores_it_too(terminal: Open) -> None:
    it = held_up(terminal)
    it.type(b"q")
    time.sleep(0.5)  # so long it waits at least
    it.process.send_signal(signal.SIGUSR1)
    assert it.ended() in (0, -signal.SIGUSR1)
    assert termios.tcgetattr(it.theirs) == it.attributes


def test_stopped_and_continued_it_has_no_more_threads_and_draws_again(terminal: Open) -> None:
    it = terminal().started()
    it.check_keys()
    before = threads(it.pid)
    for _ in range(3):
        it.process.send_signal(signal.SIGSTOP)
        it.expect(lambda: state(it.pid) == "T", "stopped")
        since = len(it.output)
        it.process.send_signal(signal.SIGCONT)
        it.wait_for(b"PROCESS", since)
        it.wait_for(b"Quit", since)  # of the last line, and whether or not there is a connection
        it.expect(lambda: threads(it.pid) == before, "no more threads than before")
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()


@pytest.mark.parametrize("delay_s", [0.1, 0.4, 0.7, 1.0, 1.3])
def test_stopped_and_continued_while_it_starts_q_leaves(terminal: Open, delay_s: float) -> None:
    it = terminal()
    time.sleep(delay_s)
    it.process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    it.process.send_signal(signal.SIGCONT)
    it.started()
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()


def test_a_session_that_nobody_could_continue_is_not_stopped(terminal: Open) -> None:
    it = terminal().started()  # it leads its session, so there is no shell
    it.type(b"\x1a")
    it.wait_for(LEFT)
    time.sleep(1)  # keys on the way to a stopped program belong to the shell
    it.check_keys()
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()


@pytest.mark.parametrize("options", [[], ["--json"], ["--count", "9999"]], ids=["screen", "json", "plain"])
def test_a_hang_up_that_was_ignored_stays_so(terminal: Open, options: list[str]) -> None:
    it = terminal("sh", "-c", 'trap "" HUP; exec "$0" "$@"', PROGRAM, *options)
    it.wait_for(b"header" if "--json" in options else b"PROCESS")
    it.process.send_signal(signal.SIGHUP)
    since = len(it.output)
    if options:
        with connected() as pair, talking(pair):
            it.wait_for(f"{port_of(pair[0])}".encode(), since)
    else:
        it.check_keys()
    it.process.send_signal(signal.SIGTERM)
    assert it.ended() == 0


def test_the_mouse_can_be_left_to_the_terminal_and_stays_so_after_a_stop(terminal: Open) -> None:
    def last(mode: bytes) -> bytes:
        return bytes(it.output[it.output.rindex(b"\x1b[?" + mode) :][len(mode) + 3 :][:1])

    it = terminal().started()
    assert last(b"1003") == b"h"
    it.type(b"M")
    it.expect(lambda: last(b"1003") == b"l", "no mouse")
    shown = it.output.count(b"\x1b[?1049h")
    os.kill(it.pid, signal.SIGCONT)
    it.expect(lambda: it.output.count(b"\x1b[?1049h") > shown and last(b"1003") == b"l", "no mouse again")
    it.type(b"M")
    it.expect(lambda: last(b"1003") == b"h", "the mouse")
    assert last(b"1000") == last(b"1006") == b"h"
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()


# The start


@pytest.mark.parametrize("term", [None, "", "dumb"], ids=repr)
def test_a_terminal_without_escape_sequences_gets_tables(terminal: Open, term: str | None) -> None:
    it = terminal(term=term)
    it.wait_for(b"samples/s")
    it.process.send_signal(signal.SIGINT)
    assert it.ended() == 0
    assert b"\x1b" not in it.output


def test_it_says_what_it_waits_for_before_the_first_rows(terminal: Open) -> None:
    it = terminal(*mounted(), PROGRAM)
    loader = stopped_loader(it.pid)
    it.wait_for(b"compiling the BPF program")
    it.wait_for(b"Quit")  # with all the frame
    assert b"PROCESS" not in it.output
    os.kill(loader, signal.SIGCONT)
    it.started()


def test_the_terminals_background_decides_on_the_theme_and_its_answer_is_no_key(terminal: Open) -> None:
    it = terminal(*mounted(), PROGRAM)
    loader = stopped_loader(it.pid)
    it.wait_for(b"\x1b]11;?\x1b\\")
    it.wait_for(b"Quit")  # nothing has waited for the answer
    assert not re.search(rb"48;(5;231|2;251;251;251)m", it.output)
    for part in (b"\x1b]11;rg", b"b:ffff/ff", b"ff/ffff\x1b", b"\\"):
        it.type(part)
        time.sleep(0.2)  # longer than a sequence may pause
    it.expect(lambda: re.search(rb"48;(5;231|2;251;251;251)m", it.output) is not None, "a light theme")
    os.kill(loader, signal.SIGCONT)
    it.started()
    assert b"does nothing here" not in it.output
    it.check_keys()
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()


def test_a_theme_that_is_named_asks_the_terminal_nothing(terminal: Open) -> None:
    it = terminal(PROGRAM, "--theme", "dark").started()
    it.type(b"q")
    assert it.ended() == 0
    assert b"\x1b]11;" not in it.output


def test_what_fails_once_the_screen_is_open_is_told_in_one_line(terminal: Open) -> None:
    it = terminal(*mounted(), PROGRAM, "--source", "fentry")
    loader = stopped_loader(it.pid)
    it.wait_for(b"Quit")
    os.kill(loader, signal.SIGKILL)
    assert it.ended() == 1
    it.check_restored()
    _, _, after = bytes(it.output).rpartition(LEFT)
    (line,) = re.findall(rb"tcptop-rtt: .*", after)
    assert b"was ended by SIGKILL" in line


_BROKEN = """
import sys
from tcptop_rtt import cli
from tcptop_rtt.widgets.connection_table import ConnectionTable
def show(self, snapshot):
    raise KeyError("a\\x1b[31mname")
ConnectionTable.show = show
sys.exit(cli.main())
"""


def test_a_failure_of_the_dashboard_is_one_line_and_exit_code_1(terminal: Open) -> None:
    it = terminal(sys.executable, "-c", _BROKEN)
    assert it.ended() == 1
    it.check_restored()
    _, _, after = bytes(it.output).rpartition(b"\x1b[?7h")
    (line,) = after.split(b"\r\n")[:-1]
    assert line.startswith(b"tcptop-rtt: the dashboard has failed, please report it: KeyError: ")
    assert b"\x1b" not in line
