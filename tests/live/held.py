"""A terminal whose other end the test holds: it sees each byte, and may do what no terminal should."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable

import pyte
import pytest

from tests.live.program import END_S, PROGRAM, START_S
from tests.waiting import becomes

COLUMNS = 140
LEFT = b"\x1b[?1049l"
MODES = [b"1049", b"1000", b"1003", b"1006", b"1015", b"2004", b"1004"]


class Pty:
    """The program on a terminal that the test holds the other end of.

    :param controlling: whether it is the program's controlling terminal
    """

    def __init__(
        self,
        *command: str,
        controlling: bool = True,
        term: str | None = "xterm-256color",
        paused: bool = False,
        lines: int = 40,
    ) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, COLUMNS, 0, 0))
        self.attributes = termios.tcgetattr(self.theirs)
        self.output = bytearray()
        self._screen = pyte.Screen(COLUMNS, lines)
        self._emulated = pyte.ByteStream(self._screen)
        self._drawn = 0
        """So many bytes of the output are on that screen."""

        def begin() -> None:
            os.setsid()
            if controlling:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        # Tests that run side by side have a size in theirs, which would count more than the terminal's.
        others = {"TERM", "COLUMNS", "LINES"}
        environment = {name: value for name, value in os.environ.items() if name not in others}
        self.process = subprocess.Popen(
            command or [PROGRAM],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            env=environment | ({"TERM": term} if term is not None else {}),
            preexec_fn=begin,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._closed = threading.Event()
        self._bytes_per_s = 0  # as fast as it comes
        if not paused:
            self.read()

    @property
    def pid(self) -> int:
        return self.process.pid

    def read(self) -> None:
        """Take what the program writes, from now on."""
        self._reader.start()

    def slow_down(self, bytes_per_s: int) -> None:
        """Take no more than that."""
        self._bytes_per_s = bytes_per_s

    def fill(self) -> None:
        """Have it take nothing more until it is read."""
        end = os.open(os.ttyname(self.theirs), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(end, b" " * 1024)
        os.close(end)

    def _read(self) -> None:
        while not self._closed.is_set():
            if select.select([self.ours], [], [], 0.1)[0]:
                self.output += os.read(self.ours, self._bytes_per_s // 10 or 65536)
                if self._bytes_per_s:
                    time.sleep(0.1)

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def type_much(self, keys: bytes) -> None:
        """As fast as the program takes it."""
        os.set_blocking(self.ours, False)
        while keys:
            assert select.select([], [self.ours], [], START_S)[1], "it takes no more"
            with contextlib.suppress(BlockingIOError):
                keys = keys[os.write(self.ours, keys[:4096]) :]

    def expect(self, condition: Callable[[], bool], what: str, timeout_s: float = START_S) -> None:
        if not becomes(condition, timeout_s):
            pytest.fail(f"not within {timeout_s} s: {what}; the last output: {bytes(self.output[-3000:])!r}")

    def wait_for(self, text: bytes, since: int = 0) -> None:
        self.expect(lambda: text in self.output[since:], f"{text!r} on the screen")

    @property
    def shown(self) -> str:
        """What stands on the screen. Of a text in place of another one only what differs is written."""
        drawn, self._drawn = self._drawn, len(self.output)
        self._emulated.feed(bytes(self.output[drawn : self._drawn]))
        return "\n".join(self._screen.display)

    def wait_for_shown(self, text: str) -> None:
        self.expect(lambda: text in self.shown, f"{text!r} on the screen")

    def started(self) -> Pty:
        self.wait_for(b"PROCESS")
        return self

    def check_keys(self) -> None:
        """They still do what they do: here, open the help and close it."""
        since = len(self.output)
        self.type(b"?")
        self.wait_for(b"slowest first", since)
        since = len(self.output)
        self.type(b"?")
        self.expect(lambda: len(self.output) > since, "the help closed")

    def ended(self) -> int:
        return self.process.wait(END_S)

    def check_restored(self) -> None:
        assert termios.tcgetattr(self.theirs) == self.attributes
        self.wait_for(LEFT)
        for mode in MODES:
            # It may have left before, and entered again; the last of its output may not be read yet.
            self._expect_last(b"\x1b[?%sl" % mode, b"\x1b[?%sh" % mode)
        self._expect_last(b"\x1b[?25h", b"\x1b[?25l")
        assert b"Traceback" not in self.output, bytes(self.output[-3000:])

    def _expect_last(self, last: bytes, before: bytes) -> None:
        self.expect(lambda: self.output.rfind(last) > self.output.rfind(before), f"{last!r} after {before!r}")

    def hang_up(self) -> None:
        """The terminal goes away."""
        self._closed.set()
        if self._reader.is_alive():
            self._reader.join()
        os.close(self.theirs)
        os.close(self.ours)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if not self._closed.is_set():
            self.hang_up()


Open = Callable[..., Pty]
