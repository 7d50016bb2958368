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

MOST_UNREADABLE = 100_000
"""Lines in a row: a file with more is no stream."""
_AT_ONCE_BYTES = 1 << 16
CHECKPOINT_BYTES = 1 << 20
CHECKPOINTS = 64
"""At most so many decoders are kept, each from before a frame: at first one for each CHECKPOINT_BYTES. Beyond
that, every other one is dropped."""


class _Frame(NamedTuple):
    time_ns: int  # the time of the frame's snapshot
    at: int
    size: int


class LinesFootage:
    """Makes a frame of the lines of each snapshot, as soon as they have come.

    :param lines: brings an empty line if none has come for a moment
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
        self._packed = _Packed()  # the lines of the next frame that have come so far
        self._ahead = StreamDecoder(complain)  # has decoded all lines so far
        self._checkpoints: dict[int, StreamDecoder] = {0: self._ahead.copy(_say_nothing)}
        self._every_bytes = CHECKPOINT_BYTES
        self._bytes = 0  # of the lines since the latest checkpoint
        self._span_ns = (0, 0)

    @property
    def span_ns(self) -> tuple[int, int]:
        return self._span_ns

    def start_before(self, time_ns: int, complain: Complain) -> Start:  # noqa: ARG002
        while (not self._frames or self._span_ns[1] <= time_ns) and self._more():
            pass
        come = [number for number in self._checkpoints if number < len(self._frames)]
        number = max((number for number in come if self._frames[number].time_ns <= time_ns), default=0)
        return Start(number, self._checkpoints[number].copy(_say_nothing))

    def lines(self, frame: int, complain: Complain) -> Iterator[bytes]:  # noqa: ARG002
        while frame >= len(self._frames) and not self._more():
            if self._ended:
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
        """Keep the lines up to the next snapshot as a frame; return False if these have not all come."""
        if self._ended:
            return False
        decoder = self._ahead
        for line in self._lines:
            if not line:
                return False
            self._packed.add(line)
            snapshot = decoder.take(line)
            if snapshot is not None:
                self._span_ns = (self._span_ns[0] or snapshot.time_ns, snapshot.time_ns)
                break
            if decoder.unreadable >= MOST_UNREADABLE or self._packed.raw > MOST_BYTES:
                self._complain(f"line {decoder.line:,}: nothing before it can be shown: reading stops")
                self._ended = True
                break
        else:
            self._ended = True
        if not self._packed.raw:
            return False
        self._keep()
        return True

    def _keep(self) -> None:
        """Keep the lines that have come as a frame."""
        data = self._packed.data()
        at = self._kept.seek(0, os.SEEK_END)
        self._kept.write(data)
        self._kept.flush()
        self._frames.append(_Frame(self._span_ns[1], at, len(data)))
        self._bytes += self._packed.raw
        self._packed = _Packed()
        if self._bytes < self._every_bytes:
            return
        self._bytes = 0
        self._checkpoints[len(self._frames)] = self._ahead.copy(_say_nothing)
        if len(self._checkpoints) > CHECKPOINTS:
            self._every_bytes *= 2
            self._checkpoints = dict(list(self._checkpoints.items())[::2])


class _Packed:
    """Compresses lines as they come, as there may be very many before a snapshot."""

    def __init__(self) -> None:
        self.raw = 0
        """The size of all lines."""
        self._compressor = ZstdCompressor(level=1)
        self._parts: list[bytes] = []
        self._lines: list[bytes] = []
        self._size = 0

    def add(self, line: bytes) -> None:
        """Add a line, without its newline."""
        self._lines.append(line)
        self._size += len(line) + 1
        self.raw += len(line) + 1
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
