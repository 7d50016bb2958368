"""Reads recordings: the frames of a file, and the lines of each frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tcptop_rtt.recording.frames import Contents, Frame, contents
from tcptop_rtt.recording.zstd import ExpansionError, ZstdError, bounded, decompressed

MOST_LINE_BYTES = 1 << 26
"""The program writes no longer lines."""
_READ_BYTES = 1 << 18
_FIND_BYTES = 1 << 20

Complain = Callable[[str], None]
"""Called with a text that says what cannot be read, and where."""


class _Bytes:
    """The bytes of a file, read on access. OSError if the file has become shorter meanwhile."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size
        self._window, self._at = b"", 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, key: int | slice) -> Any:
        if isinstance(key, int):
            return self._read(key, 1)[0]
        start, stop, _ = key.indices(self._size)
        return self._read(start, max(0, stop - start))

    def _read(self, start: int, length: int) -> bytes:
        begin = start - self._at
        if not 0 <= begin <= begin + length <= len(self._window):
            # Blocks are small and consecutive, so that the next header is often in the same window.
            self._window, self._at, begin = os.pread(self._fd, max(length, 4096), start), start, 0
        found = self._window[begin : begin + length]
        if len(found) < length:
            raise OSError("the file has become shorter")
        return found

    def find(self, wanted: bytes, start: int) -> int:
        """The first place of some bytes from ``start`` on; -1 if there is none."""
        while start < self._size:
            part = os.pread(self._fd, _FIND_BYTES, start)
            if not part:
                break
            at = part.find(wanted)
            if at >= 0:
                return start + at
            start += max(1, len(part) - len(wanted) + 1)
        return -1


class RecordingReader:
    """Reads one file.

    :param fd: the descriptor, which the reader closes
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._contents: Contents = contents(_Bytes(fd))

    @property
    def frames(self) -> list[Frame]:
        """All frames, in the order of the file."""
        return self._contents.frames

    @property
    def moments(self) -> tuple[Mapping[str, Any], ...]:
        """All moments in the heads and the index."""
        return self._contents.moments

    @property
    def problem(self) -> str:
        """What in the file cannot be read; empty if everything can."""
        return self._contents.problem

    def lines(self, number: int, complain: Complain) -> Iterator[bytes]:
        """Yield the lines of a frame, without newlines.

        :param complain: called if the frame cannot be read any further
        """
        frame = self.frames[number]
        yield from split(_decompressed(self._fd, frame, complain), complain, whole=frame.whole)

    @property
    def end(self) -> int:
        """Where the last whole frame ends."""
        return self._contents.end

    def begin_of(self, number: int) -> int:
        """Where the head of a frame begins: where the frame before it ends."""
        before = self.frames[:number][-1:]
        return before[0].at + before[0].size if before else 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def split(chunks: Iterator[bytes], complain: Complain, whole: bool = True) -> Iterator[bytes]:
    """Split data into lines, without newlines; empty lines are left out.

    A chunk of nothing says that nothing has come for a moment, and so does the empty line that is made of it.

    :param whole: the data are complete: what follows the last newline is a line, too
    """
    begun: list[bytes] = []  # of the line that goes on: to join them at each chunk would take ever longer
    size = 0
    for chunk in chunks:
        if not chunk:
            yield chunk
            continue
        first, *others = chunk.split(b"\n")
        begun.append(first)
        size += len(first)
        if others:
            *lines, last = (b"".join(begun), *others)
            yield from filter(None, lines)
            begun, size = [last], len(last)
        if size > MOST_LINE_BYTES:
            complain(f"a line of more than {MOST_LINE_BYTES:,} bytes: the rest is left out")
            return
    if size and whole:
        yield b"".join(begun)


def _decompressed(fd: int, frame: Frame, complain: Complain) -> Iterator[bytes]:
    parts = decompressed(_chunks(fd, frame.at, frame.at + frame.size))
    try:
        yield from bounded(parts, lambda: frame.size)
    except ExpansionError:
        complain(f"the frame at byte {frame.at:,} expands too much: the rest of it is left out")
    except ZstdError:
        complain(f"the frame at byte {frame.at:,} is damaged: the rest of it is left out")


def _chunks(fd: int, at: int, end: int) -> Iterator[bytes]:
    """Yield a part of a file in chunks."""
    while at < end and (data := os.pread(fd, min(_READ_BYTES, end - at), at)):
        at += len(data)
        yield data
