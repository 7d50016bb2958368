"""Writes to the terminal in a thread of its own, so that a slow or dead one never holds the dashboard up."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable

from tcptop_rtt.terminal.contents import Contents

MAX_WAITING_CHARACTERS = 1 << 20
"""More than a terminal of any size takes for a few full pictures."""
_CHUNK_BYTES = 4096
_CANCEL = "\x18"
"""Ends a sequence that was written in part."""


class Writer:
    """A bounded queue before the terminal. What does not fit is dropped, and drawn again later.

    :param fd: the terminal
    :param repaint: called in a thread, when something was dropped and the terminal takes output again
    """

    def __init__(self, fd: int, encoding: str, repaint: Callable[[], None]) -> None:
        self._fd = fd
        self._encoding = encoding
        self._repaint = repaint
        self._contents = Contents()
        self._pieces: deque[str] = deque()
        self._waiting_characters = 0
        self._busy = False
        self._dropped = False
        self._forgotten = False
        self._closed = False
        self._cut = False
        """What is being written is to end where it is."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="terminal-output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Write soon; never blocks."""
        with self._changed:
            if self._closed or self._dropped:
                return
            if self._waiting_characters + len(text) > MAX_WAITING_CHARACTERS:
                self._drop()
                return
            self._append(text)

    def forget(self) -> None:
        """Take nothing as known of what the terminal shows, as after it has got another size."""
        with self._changed:
            self._forgotten = True

    def write_last(self, text: str, timeout_s: float) -> None:
        """Write now, and wait until it is out, or until that has taken too long."""
        with self._changed:
            if self._waiting_characters > MAX_WAITING_CHARACTERS // 2:
                self._drop()
            self._write_out(text, timeout_s)

    def write_at_once(self, text: str, timeout_s: float) -> None:
        """Write this instead of all that waits, and of the rest of what is being written.

        It waits as write_last() does, and may be called where a signal has interrupted anything else of this.
        """
        with self._changed:
            self._drop()
            self._cut = True
            self._write_out(_CANCEL + text, timeout_s)

    def close(self) -> None:
        """Drop what waits, and all that comes."""
        with self._changed:
            self._closed = True
            self._pieces.clear()
            self._changed.notify_all()

    def _write_out(self, text: str, timeout_s: float) -> None:
        self._append(text)
        self._changed.wait_for(lambda: self._closed or not (self._pieces or self._busy), timeout_s)

    def _append(self, text: str) -> None:
        self._pieces.append(text)
        self._waiting_characters += len(text)
        self._changed.notify_all()

    def _drop(self) -> None:
        self._dropped = True
        self._pieces.clear()
        self._waiting_characters = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._pieces or self._closed or self._dropped)
                if self._closed:
                    return
                text = "".join(self._pieces)
                self._pieces.clear()
                self._waiting_characters = 0
                # The screen before it is complete, so the terminal has room for a new one.
                forgotten, self._forgotten = self._forgotten, False
                repaint, self._dropped = self._dropped and not text, self._dropped and bool(text)
                self._busy = True
                cut, self._cut = self._cut, False
            if repaint:
                self._repaint()
            if forgotten:
                self._contents.forget()
            try:
                self._send((text if cut else self._contents.update(text)).encode(self._encoding, "replace"))
            except OSError:
                self.close()  # it is gone; whoever reads from it says so

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while view and not (self._closed or self._cut):
            poll.poll()  # somebody may have made the descriptor non-blocking
            if self._cut:
                return
            try:
                view = view[os.write(self._fd, view[:_CHUNK_BYTES]) :]
            except BlockingIOError:
                continue
