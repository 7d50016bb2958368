"""The messages between the asking process and the helper: a question is one message, an answer one or more.

A question is a word, whole numbers, and perhaps a descriptor. An answer is a value or an error, and perhaps a
descriptor. The channel is of type SOCK_SEQPACKET, so that each message arrives whole.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any, NamedTuple

from tcptop_rtt.helper import received

_QUESTION_BYTES = 256
_PART_BYTES = 1 << 15
_MORE, _LAST = b"+", b"."
_MOST_NUMBER = 1 << 64


class Question(NamedTuple):
    """A question to the helper."""

    word: str
    numbers: tuple[int, ...] = ()
    descriptor: int | None = None


class Answer(NamedTuple):
    """The answer to a question."""

    value: Any = None
    descriptor: int | None = None
    error: tuple[int, str] | None = None
    """Number and text of the error."""


def ask(channel: socket.socket, question: Question) -> Answer:
    """Send a question, and wait for its answer. The caller closes both descriptors.

    :raises OSError: the helper does not answer, or no descriptor is free
    :raises ValueError: the message is no answer
    """
    text = json.dumps([question.word, *question.numbers]).encode()
    socket.send_fds(channel, [text], _some(question.descriptor))
    parts = []
    while True:
        part, descriptors = received(channel, _PART_BYTES + 1, 1)
        if not part:
            raise BrokenPipeError
        parts.append(part[1:])
        if part[:1] == _LAST:
            break
    value, error = json.loads(b"".join(parts))
    return Answer(value, descriptors[0] if descriptors else None, tuple(error) if error else None)


def question_from(channel: socket.socket) -> Question | None:
    """Receive the next question; None if the asking process has ended.

    :raises ValueError: the message is no question
    :raises OSError: no descriptor is free
    """
    text, descriptors = received(channel, _QUESTION_BYTES, 1)
    if not text:
        return None
    descriptor = descriptors[0] if descriptors else None
    try:
        word, *numbers = json.loads(text)
        if not isinstance(word, str) or not all(map(_is_number, numbers)):
            raise ValueError("words and numbers are expected")
    except (ValueError, TypeError, RecursionError) as error:
        if descriptor is not None:
            os.close(descriptor)
        raise ValueError(str(error)) from None
    return Question(word, tuple(numbers), descriptor)


def answer(channel: socket.socket, given: Answer) -> None:
    """Send an answer, and close its descriptor."""
    text = json.dumps([given.value, given.error]).encode()
    parts = [text[at : at + _PART_BYTES] for at in range(0, len(text), _PART_BYTES)]
    try:
        for part in parts[:-1]:
            channel.send(_MORE + part)
        socket.send_fds(channel, [_LAST + parts[-1]], _some(given.descriptor))
    finally:
        for descriptor in _some(given.descriptor):
            os.close(descriptor)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST_NUMBER


def _some(descriptor: int | None) -> list[int]:
    return [] if descriptor is None else [descriptor]
