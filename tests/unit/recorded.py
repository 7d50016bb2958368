"""Snapshots as a stream and as a recording, and what comes out of them again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tcptop_rtt.feeds.replay.feed import ReplayFeed
from tcptop_rtt.feeds.replay.footage import RecordedFootage
from tcptop_rtt.feeds.replay.opening import footage_of
from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.recording import Recording
from tcptop_rtt.outputs.stream import StreamLines
from tcptop_rtt.past.moments import MomentFinder
from tcptop_rtt.recording.opened import open_file
from tcptop_rtt.recording.reader import RecordingReader
from tcptop_rtt.recording.writer import RecordingWriter
from tcptop_rtt.view.filter import Filter
from tests.unit.world import ORIGIN


def record(path: Path, snapshots: Sequence[Snapshot], limit: int | None = None) -> Recording:
    """A recording of them, which goes on."""
    recording = Recording(RecordingWriter(str(path), None, limit), Filter(), lambda _: None)
    recording.begin(ORIGIN)
    finder = MomentFinder()
    for snapshot in snapshots:
        recording.show(snapshot, finder.look(snapshot))
    return recording


def told_lines(reader: RecordingReader, complain: Callable[[str], None]) -> Iterator[bytes]:
    """Those of the stream, without what states repeat."""
    footage = RecordedFootage([reader])
    frame: int | None = 0
    while frame is not None:
        yield from footage.lines(frame, complain)
        frame = footage.after(frame)


def read(path: Path) -> tuple[list[bytes], list[str], RecordingReader]:
    """The lines in a recording, and what is wrong with it."""
    reader = RecordingReader(os.open(path, os.O_RDONLY))
    problems: list[str] = []
    lines = list(told_lines(reader, problems.append))
    problems += filter(None, [reader.problem])
    return lines, problems, reader


def stream_of(snapshots: Sequence[Snapshot], origin: Origin = ORIGIN) -> bytes:
    """The stream of them, as it is written."""
    stream = StreamLines(Filter(), lambda _: None)
    lines = stream.begin(origin)
    for snapshot in snapshots:
        lines += stream.of(snapshot)
    return b"".join(lines)


def lines_of(snapshots: Sequence[Snapshot]) -> list[bytes]:
    """The lines of their stream."""
    return stream_of(snapshots).splitlines()


def replayed(path: Path, paced: bool = False, **more: Any) -> ReplayFeed:
    """The feed of what is in a file."""
    return ReplayFeed(str(path), partial(footage_of, open_file(str(path))), paced, **more)
