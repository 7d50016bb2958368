"""Lines of the stream that are no recording: from a file, or from a pipe that still brings more.

The lines are kept, compressed, in a file without a name, so that they can be read again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from tcptop_rtt.feeds.replay.footage import Start
from tcptop_rtt.feeds.stream.decoder import MOST_BYTES, StreamDecoder
from tcptop_rtt.recording.reader import Complain
from tcptop_rtt.recording.zstd import ZstdCompressor, ZstdDecompressor

FRAME_BYTES = 1 << 20
MOST_UNREADABLE = 100_000
"""Lines in a row: a file with more is no stream."""
_AT_ONCE_BYTES = 1 << 16
CHECKPOINTS = 64
"""At most so many decoders are kept, each from before a frame. Beyond that, every other one is dropped."""


class _Frame(NamedTuple):
    time_ns: int  # the time of the frame's first snapshot
    at: int
    size: int


class LinesFootage:
    """Makes frames as lines come.

    :param lines: blocks until there is a line
    :param complain: called with what cannot be read, only when lines are read for the first time
    :param spool: an empty file, to keep the lines in
    """

    moments: Sequence[Mapping[str, Any]] = ()

    def __init__(self, lines: Iterator[bytes], complain: Complain, spool: IO[bytes]) -> None:
        self._complain = complain
        self._ended = False
        self._lines = lines
        self._kept = spool
        self._frames: list[_Frame] = []
        self._ahead = StreamDecoder(complain)  # has decoded all frames so far
        self._checkpoints: dict[int, StreamDecoder] = {}
        self._every = 1
        self._span_ns = (0, 0)

    @property
    def span_ns(self) -> tuple[int, int]:
        return self._span_ns

    def start_before(self, time_ns: int, complain: Complain) -> Start:  # noqa: ARG002
        while not self._ended and (not self._frames or self._span_ns[1] <= time_ns):
            self._more()
        before = [number for number in self._checkpoints if self._frames[number].time_ns <= time_ns]
        number = max(before, default=0)
        decoder = self._checkpoints.get(number)
        return Start(number, decoder.copy(_say_nothing) if decoder else StreamDecoder(_say_nothing))

    def lines(self, frame: int, complain: Complain) -> Iterator[bytes]:  # noqa: ARG002
        if frame >= len(self._frames) and not self._more():
            return iter(())
        kept = self._frames[frame]
        data = os.pread(self._kept.fileno(), kept.size, kept.at)
        return filter(None, ZstdDecompressor().decompress(data).split(b"\n"))

    def begins_anew(self, frame: int) -> bool:
        return frame == 0

    def after(self, frame: int) -> int | None:
        if frame + 1 < len(self._frames) or self._more():
            return frame + 1
        return None

    def has_ended(self) -> bool:
        return self._ended

    def close(self) -> None:
        self._kept.close()

    def _more(self) -> bool:
        """Keep the next lines as a frame; return False if there are none."""
        if self._ended:
            return False
        decoder, packed, size = self._ahead, _Packed(), 0
        number, first_ns = len(self._frames), 0
        before = decoder.copy(_say_nothing) if number % self._every == 0 else None
        for line in self._lines:
            packed.add(line)
            size += len(line) + 1
            snapshot = decoder.take(line)
            if snapshot is not None:
                first_ns = first_ns or snapshot.time_ns
                self._span_ns = (self._span_ns[0] or snapshot.time_ns, snapshot.time_ns)
                if size >= FRAME_BYTES or not self._frames:
                    break
            if decoder.unreadable >= MOST_UNREADABLE or size > MOST_BYTES:
                self._complain(f"line {decoder.line:,}: nothing before it can be shown: reading stops")
                self._ended = True
                break
        else:
            self._ended = True
        if not size:
            return False
        data = packed.data()
        at = self._kept.seek(0, os.SEEK_END)
        self._kept.write(data)
        self._kept.flush()
        self._frames.append(_Frame(first_ns or self._span_ns[1], at, len(data)))
        if before is not None:
            self._checkpoints[number] = before
        if len(self._checkpoints) > CHECKPOINTS:
            self._every *= 2
            self._checkpoints = {at: kept for at, kept in self._checkpoints.items() if at % self._every == 0}
        return True


class _Packed:
    """Compresses lines as they come, as there may be very many before a snapshot."""

    def __init__(self) -> None:
        self._compressor = ZstdCompressor(level=1)
        self._parts: list[bytes] = []
        self._lines: list[bytes] = []
        self._size = 0

    def add(self, line: bytes) -> None:
        """Add a line, without its newline."""
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size >= _AT_ONCE_BYTES:
            self._parts.append(self._compressor.compress(self._taken()))

    def data(self) -> bytes:
        """Return all lines, compressed."""
        last = self._compressor.compress(self._taken(), ZstdCompressor.FLUSH_FRAME)
        return b"".join((*self._parts, last))

    def _taken(self) -> bytes:
        text = b"".join(line + b"\n" for line in self._lines)
        self._lines, self._size = [], 0
        return text


def _say_nothing(_: str) -> None:
    """Ignore a problem that was reported when the lines were read for the first time."""
