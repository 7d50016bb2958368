"""Writes recordings frame by frame, so that the file can be read at any moment."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tcptop_rtt.recording import place
from tcptop_rtt.recording.frames import Frame, Head, Kind, head_bytes, index_bytes
from tcptop_rtt.recording.zstd import CompressionParameter, ZstdCompressor

FRAME_NS = 5_000_000_000
FRAME_BYTES = 4 << 20
"""A frame ends after FRAME_NS, or with FRAME_BYTES of lines."""
STATE_NS = 10_000_000_000
LONGEST_WITHOUT_STATE_NS = 60_000_000_000
"""The whole state is written after LONGEST_WITHOUT_STATE_NS. It is written after STATE_NS already if the
other lines since then have as many bytes as the latest state, so that states at most double the data."""
LEFT_SHARE = 0.5
"""How much of the size limit the newest frames may take when the oldest are removed."""

_OPTIONS: dict[int, int] = {CompressionParameter.compression_level: 1, CompressionParameter.checksum_flag: 1}

Lines = list[bytes]
"""Lines in pieces of one or more."""
Moments = tuple[Mapping[str, Any], ...]


class RecordingWriter:
    """Writes one file. Not thread-safe.

    :param limit_bytes: the largest size of the file; None: no limit
    :raises OSError: the file cannot be created
    """

    def __init__(self, path: str, owner: place.Owner | None = None, limit_bytes: int | None = None) -> None:
        self.path = path
        self._place = place.Place(path, owner)
        self._fd = self._place.create()
        self._limit = limit_bytes
        self._frames: list[Frame] = []
        self._index_size = len(index_bytes([], ()))
        self._compressor: ZstdCompressor | None = None
        self._head = Head(Kind.START, 0, 0)
        self._at = 0  # where the frame's data begin
        self.size = 0
        """The size of the file in bytes."""
        self._raw = 0  # bytes of lines in this frame
        self._raw_since_state = 0
        self._raw_of_state = 0
        self._state_ns = 0
        self._moments: Moments = ()

    def add(
        self, lines: Lines, time_ns: int, clock_ns: int, state: Callable[[], Lines], moments: Moments = ()
    ) -> None:
        """Write the lines of a snapshot.

        :param state: returns lines from which the snapshot can be made without any others
        :raises OSError: writing has failed; what was written before stays
        """
        self._moments += moments
        if self._compressor is None:
            self._begin(Kind.MORE if self._frames else Kind.START, time_ns, clock_ns)
            self._state_ns = self._state_ns or clock_ns
        self._put(lines)
        self._raw_since_state += self._raw_of(lines)
        if clock_ns >= self._head.clock_ns + FRAME_NS or self._raw >= FRAME_BYTES:
            self._end()
            if not os.fstat(self._fd).st_nlink:
                raise OSError(errno.ENOENT, "it has been removed")  # writing on would fill the disk unseen
            self._keep_within_limit()
            if self._state_is_due(clock_ns):
                self._begin(Kind.STATE, time_ns, clock_ns)
                state_lines = state()
                self._put(state_lines)
                self._end()
                self._state_ns, self._raw_since_state = clock_ns, 0
                self._raw_of_state = self._raw_of(state_lines)

    def complete_frame(self) -> None:
        """End the frame here, so that the file can be copied as it is.

        :raises OSError: writing has failed
        """
        self._end()

    def close(self, lines: Lines = ()) -> None:  # type: ignore[assignment]
        """Write the last lines and the index."""
        try:
            if lines and self._compressor is None:
                self._begin(Kind.MORE, self._head.time_ns, self._head.clock_ns)
            if lines:
                self._put(list(lines))
            self._end()
            self._write(index_bytes(self._frames, self._moments))
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it is; remove it if it is empty."""
        if self._fd >= 0:
            os.close(self._fd)
            if not self.size:
                self._place.remove()
            self._place.close()
            self._fd = -1

    @staticmethod
    def _raw_of(lines: Iterable[bytes]) -> int:
        return sum(map(len, lines))

    def _state_is_due(self, clock_ns: int) -> bool:
        passed_ns = clock_ns - self._state_ns
        if passed_ns >= LONGEST_WITHOUT_STATE_NS:
            return True
        return passed_ns >= STATE_NS and self._raw_since_state >= self._raw_of_state

    def _begin(self, kind: Kind, time_ns: int, clock_ns: int) -> None:
        self._head = Head(kind, time_ns, clock_ns, moments=self._moments)
        self._write(head_bytes(self._head))
        self._moments = ()
        self._at, self._raw = self.size, 0
        self._compressor = ZstdCompressor(options=_OPTIONS)

    def _put(self, lines: Lines) -> None:
        if self._compressor is not None:
            self._raw += self._raw_of(lines)
            blocks = [self._compressor.compress(some) for some in lines]
            blocks.append(self._compressor.flush(ZstdCompressor.FLUSH_BLOCK))
            self._write(b"".join(blocks))

    def _end(self) -> None:
        if self._compressor is not None:
            self._write(self._compressor.flush(ZstdCompressor.FLUSH_FRAME))
            self._compressor = None
            self._frames.append(Frame(self._head, self._at, self.size - self._at))
            self._index_size += _in_index(self._frames[-1])

    def _write(self, data: bytes) -> None:
        """Append all of the data, or nothing of it.

        :raises OSError: writing has failed
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, self.size)  # a part of a block would be unreadable
            raise
        self.size += len(data)

    def _keep_within_limit(self) -> None:
        """Remove the oldest frames if the next ones could exceed the size limit."""
        if self._limit is None or not self._frames:
            return
        largest = max(2 * _in_index(frame) + frame.size for frame in self._frames[-64:])
        # The moments will be in the next head, which the index repeats.
        index = self._index_size + 2 * len(index_bytes([], self._moments))
        if self.size + 2 * largest + index < self._limit:
            return
        kept = self._kept_of(int(self._limit * LEFT_SHARE))
        if kept is None:
            if self.size + largest + index >= self._limit:
                raise OSError(f"one state of all connections is larger than half of {self._limit:,} bytes")
            return
        start = kept[0].at - len(head_bytes(kept[0].head))
        fd = self._place.replace(self._fd, start, self.size)
        os.close(self._fd)
        self._fd = fd
        self.size -= start
        self._frames = [frame._replace(at=frame.at - start) for frame in kept]
        self._index_size = len(index_bytes(self._frames, ()))

    def _kept_of(self, room: int) -> list[Frame] | None:
        """The newest frames that fit, beginning with a state; None if no frame can be removed."""
        index = self._index_size
        for number, frame in enumerate(self._frames):
            if number and frame.head.kind == Kind.STATE and self.size - frame.at + index <= room:
                return self._frames[number:]
            index -= _in_index(frame)
        # Not even the frames from the newest state on fit: they are kept all the same.
        newest = [n for n, frame in enumerate(self._frames) if frame.head.kind == Kind.STATE][-1:]
        return self._frames[newest[0] :] if newest and newest[0] else None


def _in_index(frame: Frame) -> int:
    """How many bytes a frame takes in the index at most: its head, as it stands before it, and its place."""
    return len(head_bytes(frame.head)) + len(f"{frame.at},{frame.size}")
