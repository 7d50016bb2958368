"""The terminal's answer about its background is told from keys, wherever reads have cut it."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest
from textual import constants
from textual.events import Key
from textual.message import Message

from tcptop_rtt.terminal import background
from tcptop_rtt.terminal.background import Answers, BackgroundReported
from tcptop_rtt.terminal.keyboard import Keyboard
from tests.waiting import ENOUGH_S

WHITE, DARK = (1.0, 1.0, 1.0), (0.0, 0.2, 1.0)
ANSWERS = {
    "\x1b]11;rgb:ffff/ffff/ffff\x1b\\": WHITE,
    "\x1b]11;rgb:ff/ff/ff\x07": WHITE,
    "\x1b]11;rgba:0000/3333/ffff/ffff\x1b\\": DARK,
    "\x1b]11;rgb:0/3/f\x07": DARK,
    "\x1b]11;what?\x07": None,
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_taken_wherever_it_is_cut(answer: str) -> None:
    text = f"r{answer}p"
    for cut in range(len(text)):
        told: list[BackgroundReported] = []
        answers = Answers(told.append)
        keys = answers.take(text[:cut]) + answers.take(text[cut:])
        assert (keys, answers.waits_s) == ("rp", 0), cut
        assert [message.rgb for message in told] == [rgb for rgb in [ANSWERS[answer]] if rgb], cut


def test_what_is_none_is_typed() -> None:
    told: list[BackgroundReported] = []
    answers = Answers(told.append)
    for keys in ("\x1b[A", "\x1b]12;x", "\x1bO", "]11;x", "q"):
        assert answers.take(keys) + answers.give_up() == keys
    assert not told


def test_one_without_end_is_dropped_after_a_while() -> None:
    answers = Answers(lambda _: None)
    assert answers.take("\x1b]11;rgb:" + "f" * 10_000) == ""
    assert answers.take("q") == "q"
    assert answers.take("\x1b]11;rgb:ff") == ""
    assert answers.waits_s > constants.ESCAPE_DELAY
    assert answers.give_up() == ""
    assert answers.take("q") == "q"


class Typist:
    """Types at a keyboard that reads from a pipe."""

    def __init__(self) -> None:
        ours, self._fd = os.pipe()
        self.messages: queue.Queue[Message] = queue.Queue()
        self.keyboard = Keyboard(
            ours, self.messages.put, lambda: True, lambda: None, lambda: None, self.messages.put
        )

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def next(self) -> Any:
        return self.messages.get(timeout=30)


@pytest.fixture
def typist() -> Iterator[Typist]:
    typist = Typist()
    yield typist
    typist.keyboard.stop()


@pytest.mark.parametrize("pause_s", [0.0, 1.5 * constants.ESCAPE_DELAY])
def test_of_an_answer_that_comes_in_parts_no_part_is_a_key(
    typist: Typist, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    monkeypatch.setattr(background, "REST_S", ENOUGH_S)  # a pause may last longer than it should
    for part in ("r\x1b]", "11", ";rgb:ffff/", "ffff/ffff\x1b", "\\p"):
        typist.type(part)
        time.sleep(pause_s)
    messages = [typist.next() for _ in range(3)]
    assert [message.key for message in messages if isinstance(message, Key)] == ["r", "p"]
    assert [message.rgb for message in messages if isinstance(message, BackgroundReported)] == [WHITE]


def test_escape_alone_is_a_key_even_if_the_answer_stops_behind_it(typist: Typist) -> None:
    typist.type("\x1b")
    assert typist.next().key == "escape"
    typist.type("]11;rgb:ffff/ffff/ffff\x07q")
    assert typist.next().rgb == WHITE
    assert typist.next().key == "q"
