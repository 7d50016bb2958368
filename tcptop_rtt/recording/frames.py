"""The format of a recording: short Zstandard frames, each with a head before it, and an index at the end.

Heads and index are skippable frames of Zstandard: ``zstdcat`` skips them, and prints the lines. The index
saves walking through a large file. A file that ends abruptly has no index, and is walked.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import msgspec

from tcptop_rtt.model.outside import MOST_NUMBER

HEAD_MAGIC, INDEX_MAGIC, DATA_MAGIC = 0x184D2A5C, 0x184D2A5D, 0xFD2FB528
"""The first two are among those that Zstandard leaves to applications, for skippable frames."""
VERSION = 1
MOST_HEAD_BYTES = 1 << 20
MOST_DAMAGES = 64
"""Reading stops after so many damaged places, as each may cost as much as a large head."""
MOST_INDEX_BYTES = 1 << 28
MOST_BLOCK_BYTES = 1 << 17
"""The size limit of a block in the format of Zstandard."""
_REPEATED, _RESERVED = 1, 3  # types of blocks

_SKIPPABLE = struct.Struct("<II")  # magic, bytes that follow
_INDEX_END = struct.Struct("<Q8s")  # size of the index, and the mark that shows that there is one
_INDEX_MARK = b"tcptopix"

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What is raised for JSON that is malformed, of the wrong type, or nested too deep."""


Time = Annotated[int, msgspec.Meta(ge=0, le=MOST_NUMBER)]
"""In nanoseconds. The limits are checked, as a file may contain any number."""


class Kind(StrEnum):
    """How a frame begins."""

    START = "start"  # with nothing known before
    STATE = "state"  # with the whole state, so that reading may begin here; it only repeats other frames
    MORE = "more"  # where the previous frame has ended


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands before a frame to describe it.

    The moments are those of the snapshots since the previous head, up to the first snapshot of this frame.
    """

    kind: Kind
    time_ns: Time  # the time of the frame's first snapshot: wall clock, Unix epoch
    clock_ns: Time  # the same time by CLOCK_MONOTONIC
    version: Annotated[int, msgspec.Meta(ge=1, le=1 << 31)] = VERSION
    moments: tuple[Mapping[str, Any], ...] = ()


class Frame(NamedTuple):
    """Where a frame is."""

    head: Head
    at: int  # where the data begin
    size: int  # the size of the data
    whole: bool = True  # the file has the frame's end
    joins: bool = True  # it goes on where the frame before it has ended


class Index(msgspec.Struct, frozen=True, array_like=True):
    """The index at the end of a file: all its frames."""

    heads: list[Head]
    places: list[tuple[int, int]]  # for each frame, where the data begin, and their size
    moments: tuple[Mapping[str, Any], ...]  # those after the last head


def head_bytes(head: Head) -> bytes:
    """A head in the format of the file."""
    packed = msgspec.json.encode(head)
    return _SKIPPABLE.pack(HEAD_MAGIC, len(packed)) + packed


def index_bytes(frames: list[Frame], moments: tuple[Mapping[str, Any], ...]) -> bytes:
    """The index in the format of the file."""
    heads, places = [frame.head for frame in frames], [(frame.at, frame.size) for frame in frames]
    packed = msgspec.json.encode(Index(heads, places, moments))
    end = _INDEX_END.pack(len(packed), _INDEX_MARK)
    return _SKIPPABLE.pack(INDEX_MAGIC, len(packed) + len(end)) + packed + end


class Contents(NamedTuple):
    """What a file contains."""

    frames: list[Frame]
    moments: tuple[Mapping[str, Any], ...]
    end: int
    """Where the last whole frame ends; in an orderly file the index begins there."""
    problem: str = ""
    """What cannot be read, and where; empty if everything can."""


def is_recording(beginning: bytes) -> bool:
    """Whether a file with this beginning is a recording."""
    return beginning[:4] == _SKIPPABLE.pack(HEAD_MAGIC, 0)[:4]


def contents(data: Any) -> Contents:
    """Find the frames of a recording.

    :param data: the whole file: bytes, or an object that has ``len``, slices and ``find`` like bytes
    """
    found = _indexed(data) or _walked(data)
    newest = max((frame.head.version for frame in found.frames), default=VERSION)
    if newest > VERSION and not found.problem:
        return found._replace(problem=f"version {newest} of recordings: its new features are not shown")
    return found


def _indexed(data: Any) -> Contents | None:
    """The contents by the index; None if there is no valid index of the whole file."""
    size = len(data)
    if size < _INDEX_END.size + _SKIPPABLE.size:
        return None
    length, mark = _INDEX_END.unpack(data[size - _INDEX_END.size :])
    start = size - _INDEX_END.size - length
    if mark != _INDEX_MARK or length > MOST_INDEX_BYTES or start < _SKIPPABLE.size:
        return None
    try:
        index = msgspec.json.decode(data[start : start + length], type=Index)
    except UNREADABLE:
        return None
    frames, after, begin = [], 0, start - _SKIPPABLE.size
    if len(index.heads) != len(index.places):
        return None
    for head, (at, length) in zip(index.heads, index.places, strict=True):
        if at < after or length < 0:
            return None
        after = at + length
        frames.append(Frame(head, at, length))
    # Of files that were joined, the last one's index counts from where that one began.
    if after != begin or (frames and frames[0].at != _SKIPPABLE.size + _skippable_at(data, 0)[1]):
        return None
    moments = [moment for head in index.heads for moment in head.moments]
    return Contents(frames, (*moments, *index.moments), begin)


def _walked(data: Any) -> Contents:
    """The contents by walking from frame to frame; damaged places are skipped up to the next head."""
    frames: list[Frame] = []
    moments: list[Mapping[str, Any]] = []
    at, size, problem = 0, len(data), ""
    end = damages = 0
    joins = True
    while at < size and damages < MOST_DAMAGES:
        try:
            if _skippable_at(data, at)[0] == INDEX_MAGIC:
                at, later_moments = _past_index(data, at)
                moments += later_moments
                joins = False  # another recording follows, if anything
                continue
            found = _frame_at(data, at)
        except _DamagedError as damage:
            problem = problem or f"{damage} at byte {at:,} of {size:,}"
            damages += 1
            joins = False
            at = data.find(_SKIPPABLE.pack(HEAD_MAGIC, 0)[:4], at + 1)
            if at < 0:
                break
            continue
        frames.append(found._replace(joins=joins))
        joins = found.whole
        moments += found.head.moments
        at = found.at + found.size
        if found.whole:
            end = at
        else:
            where = f"it ends in the middle of a frame, at byte {size:,}"
            problem = problem or (where if at == size else f"a frame breaks off at byte {at:,} of {size:,}")
    if damages == MOST_DAMAGES:
        problem += f", and in {MOST_DAMAGES - 1} other places: reading stops there"
    return Contents(frames, tuple(moments), end, problem)


class _DamagedError(Exception):
    """There is no frame here."""


def _skippable_at(data: Any, at: int) -> tuple[int, int]:
    """The magic number of the skippable frame at a place, and how many bytes follow.

    :raises _DamagedError: the file ends before
    """
    if len(data) - at < _SKIPPABLE.size:
        raise _DamagedError("no frame of a recording")
    magic, length = _SKIPPABLE.unpack(data[at : at + _SKIPPABLE.size])
    return magic, length


def _past_index(data: Any, at: int) -> tuple[int, tuple[Mapping[str, Any], ...]]:
    """Where the index at a place ends, and its own moments. Its frames have been walked to.

    :raises _DamagedError: it is cut off, or cannot be read
    """
    _, length = _skippable_at(data, at)
    begin = at + _SKIPPABLE.size
    packed = data[begin : begin + length] if length <= MOST_INDEX_BYTES else b""
    try:
        # Of one that is cut off, what follows in the file stands where the mark should be.
        if len(packed) == length and packed.endswith(_INDEX_MARK):
            return begin + length, msgspec.json.decode(packed[: -_INDEX_END.size], type=Index).moments
    except UNREADABLE:
        pass
    raise _DamagedError("the index cannot be read")


def _frame_at(data: Any, at: int) -> Frame:
    """The head and frame at a place.

    :raises _DamagedError: anything else is there
    """
    magic, length = _skippable_at(data, at)
    if magic != HEAD_MAGIC or length > MOST_HEAD_BYTES:
        raise _DamagedError("no frame of a recording")
    start = at + _SKIPPABLE.size
    if start + length > len(data):
        raise _DamagedError("a head that is cut off")
    try:
        head = msgspec.json.decode(data[start : start + length], type=Head)
    except UNREADABLE:
        raise _DamagedError("the head of a frame cannot be read") from None
    begin = start + length
    end, is_whole = _end_of(data, begin)
    return Frame(head, begin, end - begin, is_whole)


def _end_of(data: Any, at: int) -> tuple[int, bool]:
    """Where a Zstandard frame ends, by its blocks (RFC 8878), and whether that is its proper end.

    :raises _DamagedError: there is no frame
    """
    size = len(data)
    if size - at < 5:
        return size, False
    if int.from_bytes(data[at : at + 4], "little") != DATA_MAGIC:
        raise _DamagedError("no frame of Zstandard")
    described = int(data[at + 4])
    single, checked = described >> 5 & 1, described >> 2 & 1
    at += 5 + (1 - single) + (0, 1, 2, 4)[described & 3] + (single, 2, 4, 8)[described >> 6]
    while at + 3 <= size:
        block = int.from_bytes(data[at : at + 3], "little")
        kind, length = block >> 1 & 3, block >> 3
        if kind == _RESERVED or length > MOST_BLOCK_BYTES:
            return at, False  # a recording that was killed, with another behind it
        at += 3 + (1 if kind == _REPEATED else length)
        if block & 1:
            at += 4 if checked else 0
            return min(at, size), at <= size
    return size, False


def start_before(frames: Sequence[Frame], time_ns: int) -> int:
    """The number of the latest frame up to a time, or else the first, at which reading may begin."""
    starts = [number for number, frame in enumerate(frames) if frame.head.kind != Kind.MORE]
    before = [number for number in starts if frames[number].head.time_ns <= time_ns]
    return before[-1] if before else starts[0] if starts else 0
