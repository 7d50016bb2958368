"""Writes to the terminal in a separate thread, so that a slow or dead terminal never blocks the dashboard."""

from __future__ import annotations

import os
import select
import termios
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from tcptop_rtt.terminal.contents import Contents

MAX_WAITING_CHARACTERS = 1 << 20
"""More than a few full screens of a terminal of any size."""
_CHUNK_BYTES = 4096
_CUT_MS = 100
"""How often a terminal that takes no output is left for text that goes at once."""
_CANCEL = "\x18"
"""The control character CAN, which ends a partly written sequence."""


class Writer:
    """A bounded queue of output. Output that does not fit is dropped, and the screen is repainted later.

    :param fd: the terminal
    :param repaint: called in the writer's thread after a drop, when the terminal takes output again
    """

    def __init__(self, fd: int, encoding: str, repaint: Callable[[], None]) -> None:
        self._terminal = fd
        self._fd = _opened_without_blocking(fd)
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
        """Whether the current write is to stop at once."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="terminal-output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Queues text for writing. Never blocks."""
        with self._changed:
            if self._closed or self._dropped:
                return
            if self._waiting_characters + len(text) > MAX_WAITING_CHARACTERS:
                self._drop()
                return
            self._append(text)

    def forget(self) -> None:
        """Forgets what the terminal shows, for example after a resize."""
        with self._changed:
            self._forgotten = True

    def write_last(self, text: str, timeout_s: float) -> None:
        """Queues text, and waits until it is written. After the timeout it goes before the queue."""
        with self._changed:
            if self._waiting_characters > MAX_WAITING_CHARACTERS // 2:
                self._drop()
            if not self._write_out(text, timeout_s):
                self.write_at_once(text, timeout_s)

    def write_at_once(self, text: str, timeout_s: float) -> None:
        """Writes text in place of the queue, of the rest of the current write and of what the kernel holds.

        Waits until it is written, or the timeout has passed. A signal handler that has interrupted another
        method may call it.
        """
        with self._changed:
            self._drop()
            self._cut = True
            self._write_out(_CANCEL + text, timeout_s)

    def close(self) -> None:
        """Drops the queued output and all later output."""
        with self._changed:
            self._closed = True
            self._pieces.clear()
            self._changed.notify_all()

    def _write_out(self, text: str, timeout_s: float) -> bool:
        self._append(text)
        return self._changed.wait_for(lambda: self._closed or not (self._pieces or self._busy), timeout_s)

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
                    os.close(self._fd)
                    return
                text = "".join(self._pieces)
                self._pieces.clear()
                self._waiting_characters = 0
                forgotten, self._forgotten = self._forgotten, False
                # Repaint when the queue is empty: the terminal has then taken all earlier output.
                repaint, self._dropped = self._dropped and not text, self._dropped and bool(text)
                self._busy = True
                cut, self._cut = self._cut, False
            if repaint:
                self._repaint()
            if forgotten:
                self._contents.forget()
            if cut:
                with suppress(termios.error):  # even a slow terminal has room for it then
                    termios.tcflush(self._terminal, termios.TCOFLUSH)
            try:
                self._send((text if cut else self._contents.update(text)).encode(self._encoding, "replace"))
            except OSError:
                self.close()  # the terminal is gone, which the keyboard's thread reports

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while view and not (self._closed or self._cut):
            if not poll.poll(_CUT_MS) or self._cut:
                continue
            try:
                view = view[os.write(self._fd, view[:_CHUNK_BYTES]) :]
            except BlockingIOError:
                time.sleep(_CUT_MS / 1000)  # there is room, but not for a line end, which are two characters


def _opened_without_blocking(fd: int) -> int:
    """Opens a terminal once more, as a descriptor made non-blocking would be so for other processes too."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:  # such as the terminal of another user
        return os.dup(fd)
