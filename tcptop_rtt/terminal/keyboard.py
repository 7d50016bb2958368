"""Reads keys, mouse events and pastes from the terminal, even if they are too many, broken or endless."""

from __future__ import annotations

import os
import select
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from functools import partial

from textual import constants
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.events import Key, Paste
from textual.message import Message

from tcptop_rtt.model.outside import harmless
from tcptop_rtt.terminal.background import Answers, BackgroundReported

MAX_PASTE_CHARACTERS = 4096
PASTE_SILENCE_S = 2.0
"""A paste ends after a pause of this length, even if the terminal never sends the end mark."""
_READ_BYTES = 4096
_PARSED_CHARACTERS = 256
"""Characters parsed at a time: the parser takes some 60 microseconds for each."""
_CTRL_C = "\x03"
_CTRL_C_KITTY = "\x1b[99;5u"


class Keyboard:
    """A thread that reads input until it is stopped or the terminal is gone.

    :param take: called with every message
    :param has_room: returns whether messages are taken now; input is dropped while they are not
    :param leave: called as soon as Ctrl-C is read, ahead of all waiting input
    :param gone: called when the terminal is gone
    :param report_background: called with the background colour that the terminal reports
    """

    def __init__(
        self,
        fd: int,
        take: Callable[[Message], None],
        has_room: Callable[[], bool],
        leave: Callable[[], None],
        gone: Callable[[], None],
        report_background: Callable[[BackgroundReported], object],
    ) -> None:
        self._fd = fd
        self._take = take
        self._has_room = has_room
        self._leave = leave
        self._gone = gone
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._answers = Answers(report_background)
        self._parser = XTermParser()
        self._paste: str | None = None
        self._held = ""
        """The end of the last input, if it may be the beginning of a paste mark."""
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name="terminal-input", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops reading, and leaves later input to other programs."""
        os.write(self._stop_writer, b"x")
        self._thread.join()
        os.close(self._stop_reader)
        os.close(self._stop_writer)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._stop_reader, select.POLLIN)
        while True:
            ready = dict(poll.poll(self._timeout_ms()))
            if self._stop_reader in ready:
                return
            if not ready:
                self._silence()
            elif not self._read():
                self._gone()
                return

    def _timeout_ms(self) -> float | None:
        if self._answers.waits_s:
            return self._answers.waits_s * 1000
        if self._paste is not None:
            return PASTE_SILENCE_S * 1000
        if self._held or self._parser._timeout_time is not None:
            return constants.ESCAPE_DELAY * 1000
        return None

    def _read(self) -> bool:
        """Reads and handles the available input. Returns False if the terminal is gone."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        text = self._decoder.decode(data)
        if text == _CTRL_C:  # also within a paste
            self._leave()
        else:
            self._split(self._answers.take(text))
        return bool(data)

    def _split(self, text: str) -> None:
        """Separates pastes from keys: Textual's parser limits no paste, and takes escapes in it for keys."""
        text, self._held = self._held + text, ""
        while text:
            mark = BRACKETED_PASTE_START if self._paste is None else BRACKETED_PASTE_END
            before, found, text = text.partition(mark)
            if not found:
                held = next(n for n in range(len(mark) - 1, -1, -1) if before.endswith(mark[:n]))
                before, self._held = before[: len(before) - held], before[len(before) - held :]
            if self._paste is None:
                self._parse(before)
                if found:
                    self._paste = ""
            else:
                self._paste = (self._paste + before)[:MAX_PASTE_CHARACTERS]
                if found:
                    self._end_paste()

    def _end_paste(self) -> None:
        if self._paste:
            self._take(Paste("\n".join(map(harmless, self._paste.splitlines()))))
        self._paste = None

    def _silence(self) -> None:
        """Ends an unfinished answer, paste or key sequence after a pause."""
        rest = self._answers.give_up()
        if self._paste is not None:
            if rest:
                self._split(rest)
                return
            self._end_paste()
        held, self._held = self._held, ""
        self._parse(held + rest)
        self._parser._timeout_time = 0.0 if self._parser._timeout_time is not None else None
        self._hand_over(self._parser.tick)

    def _parse(self, text: str) -> None:
        if _CTRL_C in text or _CTRL_C_KITTY in text:
            self._leave()
            return
        for start in range(0, len(text), _PARSED_CHARACTERS):
            if not self._has_room():
                self._parser = XTermParser()  # the end of a begun sequence may be lost
                return
            part = text[start : start + _PARSED_CHARACTERS]
            self._hand_over(partial(self._parser.feed, part))

    def _hand_over(self, messages: Callable[[], Iterable[Message]]) -> None:
        try:
            for message in messages():
                if isinstance(message, Key) and message.is_printable:
                    message.character = harmless(message.character or "")  # an input line shows it
                self._take(message)
        except Exception:  # broken input must not affect the next key
            self._parser = XTermParser()
