"""Footage: recorded lines in frames, with the frames at which reading may begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import msgspec

from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.outside import MOST_NUMBER
from tcptop_rtt.recording.frames import UNREADABLE, Frame, Kind, Time, start_before
from tcptop_rtt.recording.reader import Complain, RecordingReader
from tcptop_rtt.view import format as fmt

_REFRESH = b'{"event":"refresh"'


class _Refresh(msgspec.Struct):
    time_ns: Time


class Start(NamedTuple):
    """Where reading begins: a frame, and the decoder with what is known before that frame."""

    frame: int
    decoder: StreamDecoder


class Footage(Protocol):
    """Frames of lines, numbered in the order in which they were written. Not thread-safe."""

    @property
    def moments(self) -> Sequence[Mapping[str, Any]]:
        """The notable moments that the recording names."""
        ...

    @property
    def span_ns(self) -> tuple[int, int]:
        """The first and the last time that are known so far: wall clock, Unix epoch."""
        ...

    def start_before(self, time_ns: int, complain: Complain) -> Start:
        """Where to begin reading to reach a time, if that has come; the first frame if it is before all."""
        ...

    def lines(self, frame: int, complain: Complain) -> Iterator[bytes]:
        """The lines of a frame. The first frame is waited for."""
        ...

    def begins_anew(self, frame: int) -> bool:
        """Whether the decoder has to be reset before this frame."""
        ...

    def after(self, frame: int) -> int | None:
        """The frame to read after this one; None if there is none, or if none has come for a moment."""
        ...

    def has_ended(self) -> bool:
        """Whether no more frames will come."""
        ...

    def close(self) -> None:
        """Close all files."""
        ...


def whole_span(footage: Footage) -> tuple[int, int]:
    """Read everything that still comes; return the first and the last time, zeros if there is nothing."""
    while not footage.has_ended():
        footage.start_before(MOST_NUMBER, lambda _: None)
    return footage.span_ns


def nothing_of(wanted: str, name: str, span_ns: tuple[int, int]) -> TcptopError:
    """The error for a time, as the user wrote it, at which nothing was recorded."""
    span = " to ".join(fmt.moment(time_ns / 1e9) for time_ns in span_ns)
    return TcptopError(f"there is nothing of {wanted} in {name}: it goes from {span}")


class RecordedFootage:
    """Several recordings, one after the other.

    :param readers: in the order of time; the footage closes them
    :param is_written: the last recording is still being written, so its missing end is no problem
    """

    def __init__(self, readers: Sequence[RecordingReader], is_written: bool = False) -> None:
        self._readers = readers
        self._frames: list[tuple[RecordingReader, int, Frame]] = [
            (reader, number, frame) for reader in readers for number, frame in enumerate(reader.frames)
        ]
        self.problem: str = next(
            (reader.problem for reader in (readers[:-1] if is_written else readers) if reader.problem), ""
        )
        """The first problem of reading the files; empty if there is none."""
        self.moments: Sequence[Mapping[str, Any]] = [
            moment for reader in readers for moment in reader.moments
        ]

        self._torn: set[int] = set()  # the frames that could not be read whole
        self._span_ns = self._measured()

    @property
    def span_ns(self) -> tuple[int, int]:
        return self._span_ns

    def start_before(self, time_ns: int, complain: Complain) -> Start:
        number = start_before([frame for _, _, frame in self._frames], time_ns)
        return Start(number, StreamDecoder(complain))

    def lines(self, frame: int, complain: Complain) -> Iterator[bytes]:
        if not self._frames:
            return iter(())
        reader, number, _ = self._frames[frame]

        def torn(problem: str) -> None:
            self._torn.add(frame)
            complain(problem)

        return reader.lines(number, torn)

    def begins_anew(self, frame: int) -> bool:
        return self._kind(frame) == Kind.START or (frame > 0 and self._is_first(frame))

    def after(self, frame: int) -> int | None:
        for number in range(frame + 1, len(self._frames)):
            if self._kind(number) != Kind.STATE or self._is_first(number) or self._lacks_lines(number):
                return number
        return None

    def _lacks_lines(self, number: int) -> bool:
        """Whether lines are missing between a frame and the one before it with which reading may begin."""
        for earlier in reversed(range(number)):
            if earlier in self._torn or not self._frames[earlier + 1][2].joins:
                return True
            if self._kind(earlier) != Kind.MORE:
                break
        return False

    def _measured(self) -> tuple[int, int]:
        """The first and the last time. The last snapshots may be seconds after the head of their frame."""
        times_ns = [frame.head.time_ns for _, _, frame in self._frames]
        if not times_ns:
            return 0, 0
        # The very last frame may have no snapshot, only the end of the stream.
        for number in reversed(range(max(0, len(self._frames) - 2), len(self._frames))):
            for line in self.lines(number, lambda _: None):
                if line.startswith(_REFRESH):
                    with suppress(*UNREADABLE):
                        times_ns.append(msgspec.json.decode(line, type=_Refresh).time_ns)
        return times_ns[0], max(times_ns)

    def _kind(self, number: int) -> Kind:
        return self._frames[number][2].head.kind

    def _is_first(self, number: int) -> bool:
        """Whether a frame is the first one of its file."""
        return self._frames[number][1] == 0

    def has_ended(self) -> bool:
        return True

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
