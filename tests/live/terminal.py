"""A real terminal: tmux stands for it and for the one who types."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live.program import END_S, PROGRAM, START_S, children
from tests.waiting import ENOUGH_S, becomes

WIDE = (160, 48)
PROMPT = "ready> "

_TALK = """
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
def talker(name: bytes, pace: str = "fast", *more: str) -> Iterator[Talker]:
    """One of this name, ``fast`` or ``slow``, with these arguments, too."""
    with subprocess.Popen(
        [sys.executable, "-", name.hex(), pace, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(_TALK)
        process.stdin.close()
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

    def expect(self, condition: Callable[[], bool], what: str, timeout_s: float = ENOUGH_S) -> None:
        """Fails with a picture of the screen."""
        if not becomes(condition, timeout_s):
            pytest.fail(f"not within {timeout_s} s: {what}; the screen is:\n{self.text}")

    def wait_for(self, *parts: str, timeout_s: float = ENOUGH_S) -> str:
        """Until there is a line with all these parts; the line."""
        self.expect(lambda: self.line_with(*parts) != "", f"a line with {parts}", timeout_s)
        return self.line_with(*parts)

    def wait_for_change(self, *keys: str) -> None:
        """Until another picture has answered to these keys."""
        before = self.text
        if keys:
            self.press(*keys)
        self.expect(lambda: self.text != before, f"an answer to {keys}")

    def run(self, command: str) -> None:
        """Type a command; :meth:`check_restored` reads what follows it."""
        self.type(f"{command}; echo code=$?; stty -a\n")

    # The dashboard

    def start(self, arguments: str = "") -> int:
        """Type the command; its PID once the table is there."""
        self.run(f"{PROGRAM} {arguments}")
        self.wait_for("PROCESS", timeout_s=START_S)
        return self.child

    @property
    def child(self) -> int:
        """The PID of what the shell runs."""
        (shell,) = self.state("pane_pid")
        (child,) = children(int(shell))
        return child

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
