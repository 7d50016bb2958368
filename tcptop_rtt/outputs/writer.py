"""Writes lines to a file descriptor: waits for its reader, but not for ever once asked to stop."""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress

PATIENCE_S = 1.0
"""How long to wait for a reader that takes nothing, once the program has been asked to stop."""
PATIENCE_IN_ALL_S = 10.0
"""How long to wait in total for a reader that takes a little now and then."""

_CHUNK_BYTES = 1 << 16
_SLICE_MS = 100
"""The interval, while waiting, of checks whether to stop."""
_PTMX = os.makedev(5, 2)
"""/dev/ptmx, which must not be opened again: that makes a new terminal."""


class Writer:
    """Writes text, and counts the lines that it cannot write.

    No write blocks in the kernel, where a signal would not end it. The descriptor's mode is not changed, as
    other processes share it.

    :param stopped: whether the program has been asked to stop
    """

    def __init__(
        self,
        fd: int,
        stopped: Callable[[], bool],
        encoding: str = "utf-8",
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._fd = fd
        self._stopped = stopped
        self._encoding = encoding
        self._patience_s = self._left_s = patience_s
        self._left_in_all_s = PATIENCE_IN_ALL_S
        self._try_to_write = _without_waiting(fd)
        self._pending = bytearray()
        self.failure = ""
        """Why nothing is written any more; empty if all is well, or nobody reads any more."""
        self.gone = False
        """Whether nobody reads any more: the reader has closed its end, or the terminal is gone."""
        self.unwritten = 0
        """The number of lines that were not written completely."""

    def write(self, text: str) -> None:
        """Buffer text; it is written by the next :meth:`flush`, or before."""
        self.write_bytes(text.encode(self._encoding, "replace"))

    def write_bytes(self, data: bytes) -> None:
        """Buffer encoded text, likewise."""
        self._pending += data
        if len(self._pending) >= _CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the buffer; if that fails, count its lines as unwritten."""
        while self._pending and not self.failure and not self.gone:
            try:
                written = self._try_to_write(self._pending[:_CHUNK_BYTES])
            except BlockingIOError:
                self._wait()
            except OSError as error:
                if error.errno == errno.EPIPE or hung_up(self._fd):
                    self.gone = True
                else:
                    self.failure = error.strerror or str(error)
            else:
                del self._pending[:written]
                self._left_s = self._patience_s
        self.unwritten += self._pending.count(b"\n")
        self._pending.clear()

    def _wait(self) -> None:
        began = time.monotonic()
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll(_SLICE_MS)
        if self._stopped():
            waited_s = time.monotonic() - began
            self._left_s -= waited_s
            self._left_in_all_s -= waited_s
            if min(self._left_s, self._left_in_all_s) <= 0:
                self.failure = "its reader takes too little"


def hung_up(*fds: int, timeout_ms: float | None = 0) -> bool:
    """Return whether the other end of a descriptor is gone.

    :param timeout_ms: how long to wait for that; None for no limit
    """
    poll = select.poll()
    for fd in fds:
        poll.register(fd, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(timeout_ms))


def _without_waiting(fd: int) -> Callable[[bytes | bytearray], int]:
    """Return a function that writes what there is room for. It raises BlockingIOError if there is none."""
    status = os.fstat(fd)
    if stat.S_ISSOCK(status.st_mode):
        connection = socket.socket(fileno=os.dup(fd))
        return lambda data: connection.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    if not _may_stall(fd):
        return lambda data: os.write(fd, data)
    try:
        own = _opened_again(fd)
    except OSError:
        return lambda data: write_a_little(fd, data)
    return lambda data: os.write(own, data)


def keep_from_waiting(*fds: int) -> None:
    """Make writes to the descriptors non-blocking, while the program still has the rights to reopen them."""
    for fd in fds:
        with suppress(OSError):
            if _may_stall(fd):
                own = _opened_again(fd)
                os.dup2(own, fd, inheritable=False)
                os.close(own)


def _may_stall(fd: int) -> bool:
    status = os.fstat(fd)
    return stat.S_ISFIFO(status.st_mode) or (os.isatty(fd) and status.st_rdev != _PTMX)


def _opened_again(fd: int) -> int:
    """Open the same file again, for a non-blocking descriptor with a mode of its own."""
    return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def write_a_little(fd: int, data: bytes | bytearray) -> int:
    """Write at most PIPE_BUF bytes: a pipe that poll() reports as writable has room for that.

    :raises BlockingIOError: there is no room
    """
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(fd, data[: select.PIPE_BUF])
