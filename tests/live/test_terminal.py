"""The dashboard in a real terminal: tmux stands for the terminal and for the one who types."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live.program import END_S, PROGRAM, START_S
from tests.live.test_cli import kernel_objects, remaining
from tests.live.test_layout import renamed
from tests.waiting import becomes

WIDE, NARROW = (160, 48), (80, 24)
DRAW_S = 30.0
PROMPT = "ready> "
HOSTILE = b"[/red]$(x)\x1b[31m"

TALK = """
import ctypes, socket, sys, time
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)
slow = sys.argv[2] == "slow"
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
print(client.getsockname()[1], server.getsockname()[1], flush=True)
while True:
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    client.send(b"x")
    server.recv(1)
    if not slow:
        server.send(b"y")
        client.recv(1)
    time.sleep(0.1)
"""
"""A process that talks to itself. The slow one gives no answer, so that each ACK is delayed: by 40 ms."""


class Talker(NamedTuple):
    """A process with both ends of a busy connection."""

    pid: int
    client: str
    server: str


@contextlib.contextmanager
def talker(name: bytes, pace: str = "fast") -> Iterator[Talker]:
    with subprocess.Popen(
        [sys.executable, "-c", TALK, name.hex(), pace], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        client, server = (f"127.0.0.1:{port}" for port in process.stdout.readline().split())
        try:
            yield Talker(process.pid, client, server)
        finally:
            process.kill()


class Terminal:
    """A shell in a terminal of its own; gone, with all that runs in it, at the end.

    :param environment: of the shell, besides what the tests have themselves
    """

    def __init__(self, directory: Path, size: tuple[int, int], environment: dict[str, str]) -> None:
        self._socket = str(directory / "tmux")
        names = [
            name
            for name in os.environ
            if name.startswith(("LC_", "LANG", "TMUX", "TERM_", "COLUMNS", "LINES"))
        ]
        clean = ["env", *(f"--unset={name}" for name in names), f"PS1={PROMPT}"]
        variables = {"LC_ALL": "C.UTF-8", **environment}
        shell = [*clean, *(f"{name}={value}" for name, value in variables.items()), "sh"]
        width, height = map(str, size)
        self._tmux("new-session", "-d", "-x", width, "-y", height, *shell)
        self.wait_for(PROMPT.strip())

    def _tmux(self, *command: str) -> str:
        return subprocess.run(
            ["tmux", "-u", "-S", self._socket, "-f", os.devnull, *command],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        ).stdout

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def state(self, *flags: str) -> list[str]:
        """tmux's variables of the terminal."""
        return self._tmux("display-message", "-p", " ".join(f"#{{{flag}}}" for flag in flags)).split()

    @property
    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    @property
    def text_with_escapes(self) -> str:
        return self._tmux("capture-pane", "-p", "-e")

    def line_with(self, *parts: str) -> str:
        """The first line with all these parts, or an empty one."""
        lines = self.text.splitlines()
        return next((line for line in lines if all(part in line for part in parts)), "")

    def expect(self, condition: Callable[[], bool], what: str, timeout_s: float = DRAW_S) -> None:
        """Fails with a picture of the screen."""
        if not becomes(condition, timeout_s):
            pytest.fail(f"not within {timeout_s} s: {what}; the screen is:\n{self.text}")

    def wait_for(self, *parts: str, timeout_s: float = DRAW_S) -> str:
        """Until there is a line with all these parts; the line."""
        self.expect(lambda: self.line_with(*parts) != "", f"a line with {parts}", timeout_s)
        return self.line_with(*parts)

    def wait_for_change(self, *keys: str) -> None:
        """Until another picture has answered to these keys."""
        before = self.text
        if keys:
            self.press(*keys)
        self.expect(lambda: self.text != before, f"an answer to {keys}")

    # The dashboard

    def start(self, arguments: str = "") -> int:
        """Type the command; its PID once the table is there."""
        self.type(f"{PROGRAM} {arguments}; echo code=$?; stty -a\n")
        self.wait_for("PROCESS", timeout_s=START_S)
        return self.child

    @property
    def child(self) -> int:
        """The PID of what the shell runs."""
        (shell,) = self.state("pane_pid")
        (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(child)

    def row(self, remote: str) -> str:
        """The row of the connection to this endpoint."""
        rows: list[str] = []

        def is_there() -> bool:
            rows[:] = [line for line in self.text.splitlines() if _is_to(line, remote)]
            return bool(rows)

        self.expect(is_there, f"a row to {remote}")
        return rows[0]

    def marked(self) -> str:
        """The row with the cursor."""
        return next((line for line in self.text.splitlines() if line[:1] in ("▸", ">")), "")

    def select(self, remote: str) -> None:
        """Move the cursor to the connection to this endpoint."""
        self.row(remote)
        self._move_cursor("Down")  # until it is moved, it stays on the first line
        for _ in range(100):
            lines = self.text.splitlines()
            cursor, wanted = _cursor(lines), _find(lines, lambda line: _is_to(line, remote))
            if cursor == wanted:
                return
            self._move_cursor("Down" if cursor < wanted else "Up")
        pytest.fail(f"the cursor never came to {remote}:\n{self.text}")

    def _move_cursor(self, key: str) -> None:
        """Returns when it has moved; at an end of the table it does not, which takes a second to tell."""
        before = _cursor(self.text.splitlines())
        self.press(key)
        becomes(lambda: _cursor(self.text.splitlines()) != before, 1)

    def expect_selected(self, remote: str) -> None:
        self.expect(lambda: _is_to(self.marked(), remote), f"the cursor on the connection to {remote}")

    def filter(self, text: str) -> None:
        self.type(f"/{text}\r")  # at once: no key may get past the line that opens
        self.wait_for(f'filter "{text}"')
        self.expect(lambda: not self.line_with("Esc clears"), "the filter line closed")

    def order(self, *remotes: str) -> list[str]:
        """These endpoints as they stand from top to bottom."""
        text = self.text
        return sorted((remote for remote in remotes if f" {remote} " in text), key=text.index)

    def expect_order(self, *remotes: str) -> None:
        self.expect(lambda: self.order(*remotes) == list(remotes), f"the order {remotes}")

    def check_restored(self, code: int = 0) -> None:
        """The shell is back, and the terminal is as it was."""
        self.wait_for(f"code={code}", timeout_s=END_S)
        settings = self.wait_for("isig", "icanon")
        assert "-isig" not in settings
        assert "-icanon" not in settings
        assert re.search(r"(?<!-)\becho\b", self.text)
        assert re.search(r"(?<!-)\bicrnl\b", self.text)
        assert "Traceback" not in self.text
        assert self.state("alternate_on", "cursor_flag", "mouse_any_flag", "wrap_flag") == [
            "0",
            "1",
            "0",
            "1",
        ]
        self.type("echo still $((6 * 7))\n")
        self.wait_for("still 42")


def _find(lines: list[str], condition: Callable[[str], bool]) -> int:
    return next((at for at, line in enumerate(lines) if condition(line)), 0)


def _is_to(line: str, remote: str) -> bool:
    """The row of its other end has this endpoint, too: first, as the local one."""
    return re.findall(r"\S+:\d+", line)[-1:] == [remote]


def _cursor(lines: list[str]) -> int:
    return _find(lines, lambda line: line.startswith(("▸", ">")))


class Terminals:
    """Opens terminals for one test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: list[Terminal] = []

    def __call__(self, size: tuple[int, int] = WIDE, **environment: str) -> Terminal:
        directory = self._directory / str(len(self._open))
        directory.mkdir()
        terminal = Terminal(directory, size, environment)
        self._open.append(terminal)
        return terminal

    def close(self) -> None:
        for terminal in self._open:
            terminal.close()


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    opener = Terminals(tmp_path)
    yield opener
    opener.close()


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
        first = terminal.row(slow.server)
        (rtt_ms,) = re.findall(r" (\d+\.\d+)ms", first)[:1]
        assert float(rtt_ms) > 20
        sparks = {_spark(first)}

        def has_moved() -> bool:
            sparks.add(_spark(terminal.row(slow.server)))
            return len(sparks) >= 3

        terminal.expect(has_moved, "three different sparklines")
        assert len(terminal.text.splitlines()) == size[1]
        terminal.press("q")
        terminal.check_restored()


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
    terminal.type(f"{PROGRAM} {redirection}; echo code=$?; stty -a\n")
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
