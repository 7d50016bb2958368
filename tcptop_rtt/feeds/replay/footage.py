"""What there is to be replayed, frame by frame: where reading may begin, and what comes next."""

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
    """Where reading begins: a frame, and what has been decoded before it."""

    frame: int
    decoder: StreamDecoder


class Footage(Protocol):
    """Frames of lines, numbered in the order in which they were made. One thread uses it."""

    @property
    def moments(self) -> Sequence[Mapping[str, Any]]:
        """What has been of note, as far as it is told."""
        ...

    @property
    def span_ns(self) -> tuple[int, int]:
        """From when to when it is, as far as is known: wall clock, Unix epoch."""
        ...

    def start_before(self, time_ns: int, complain: Complain) -> Start:
        """Where to begin to read so as to come to a time; for one before the first, at the first frame."""
        ...

    def lines(self, frame: int, complain: Complain) -> Iterator[bytes]:
        """The lines of a frame."""
        ...

    def begins_anew(self, frame: int) -> bool:
        """Whether nothing that was decoded before holds any more."""
        ...

    def after(self, frame: int) -> int | None:
        """The frame in which it goes on; None: it does not, or not yet."""
        ...

    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        ...

    def close(self) -> None:
        """Let go of all files."""
        ...


def whole_span(footage: Footage) -> tuple[int, int]:
    """From when to when it is, once all that comes has been read; zeros: there is nothing."""
    if not footage.has_ended():
        footage.start_before(MOST_NUMBER, lambda _: None)
    return footage.span_ns


def nothing_of(wanted: str, name: str, span_ns: tuple[int, int]) -> TcptopError:
    """What to say of a time that is asked for, as a user writes it, of which there is nothing."""
    span = " to ".join(fmt.moment(time_ns / 1e9) for time_ns in span_ns)
    return TcptopError(f"there is nothing of {wanted} in {name}: it goes from {span}")


class RecordedFootage:
    """Recordings, one after the other.

    :param readers: in the order of time; they belong to the footage
    :param is_written: somebody still writes the last one: it ends anywhere
    """

    def __init__(self, readers: Sequence[RecordingReader], is_written: bool = False) -> None:
        self._readers = readers
        self._frames: list[tuple[RecordingReader, int, Frame]] = [
            (reader, number, frame) for reader in readers for number, frame in enumerate(reader.frames)
        ]
        self.problem: str = next(
            (reader.problem for reader in (readers[:-1] if is_written else readers) if reader.problem), ""
        )
        """What of them cannot be read at all; empty: all can."""
        self.moments: Sequence[Mapping[str, Any]] = [
            moment for reader in readers for moment in reader.moments
        ]

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
        return reader.lines(number, complain)

    def begins_anew(self, frame: int) -> bool:
        return self._kind(frame) == Kind.START or (frame > 0 and self._is_first(frame))

    def after(self, frame: int) -> int | None:
        for number in range(frame + 1, len(self._frames)):
            if self._kind(number) != Kind.STATE or self._is_first(number):
                return number
        return None

    def _measured(self) -> tuple[int, int]:
        """From when to when it is: what the last frame tells may be of seconds after its beginning."""
        times_ns = [frame.head.time_ns for _, _, frame in self._frames]
        if not times_ns:
            return 0, 0
        # The very last one may have the end only.
        for number in reversed(range(max(0, len(self._frames) - 2), len(self._frames))):
            for line in self.lines(number, lambda _: None):
                if line.startswith(_REFRESH):
                    with suppress(*UNREADABLE):
                        times_ns.append(msgspec.json.decode(line, type=_Refresh).time_ns)
        return times_ns[0], max(times_ns)

    def _kind(self, number: int) -> Kind:
        return self._frames[number][2].head.kind

    def _is_first(self, number: int) -> bool:
        """Of its file."""
        return self._frames[number][1] == 0

    def has_ended(self) -> bool:
        return True

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
