"""The thread that reads keys, with a pipe for the terminal."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from textual.events import Key, Paste
from textual.message import Message

from tcptop_rtt.terminal.keyboard import Keyboard
from tests.waiting import becomes


class Typed:
    """What has come of what is typed."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self.messages: list[Message] = []
        self.left = 0
        self.has_room = True

    def __call__(self, keys: bytes) -> None:
        os.write(self._writer, keys)
        assert becomes(lambda: not select.select([self._reader], [], [], 0)[0])  # so it is read by itself

    def leave(self) -> None:
        self.left += 1


@contextmanager
def keyboard() -> Iterator[Typed]:
    reader, writer = os.pipe()
    typed = Typed(reader, writer)
    it = Keyboard(
        reader,
        typed.messages.append,
        lambda: typed.has_room,
        typed.leave,
        lambda: None,
        lambda _: None,
    )
    try:
        yield typed
    finally:
        it.stop()
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("ctrl_c", [b"\x03", b"\x1b[99;5u"])
def test_ctrl_c_counts_behind_the_end_of_a_paste_however_much_waits(ctrl_c: bytes) -> None:
    with keyboard() as typed:
        typed.has_room = False
        typed(b"\x1b[200~a\x03b")
        typed(b"c\x1b[201~jk" + ctrl_c)
        assert becomes(lambda: typed.left == 1)
        (paste,) = typed.messages
        assert isinstance(paste, Paste)


def test_ctrl_c_is_text_within_a_paste_but_not_by_itself() -> None:
    with keyboard() as typed:
        typed(b"\x1b[200~a\x03b\x1b[201~k")
        assert becomes(lambda: len(typed.messages) == 2)
        assert typed.left == 0
        typed(b"\x1b[200~a\x1b[201~")
        assert becomes(lambda: len(typed.messages) == 3)
        typed(b"\x03")
        assert becomes(lambda: typed.left == 1)


def test_what_is_typed_and_pasted_is_seen() -> None:
    with keyboard() as typed:
        typed("e\u0301\u0489x".encode())
        typed("\x1b[200~e\u0301\u202e\x9b1m\nb\x1b[201~".encode())
        assert becomes(lambda: len(typed.messages) == 5)
        keys, paste = typed.messages[:-1], typed.messages[-1]
        assert [key.character for key in keys if isinstance(key, Key)] == ["e", "\ufffd", "\ufffd", "x"]
        assert isinstance(paste, Paste)
        assert paste.text == "é\ufffd\ufffd1m\nb"
