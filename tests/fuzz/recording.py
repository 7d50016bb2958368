"""A file that is to be replayed: a recording, lines, or either compressed."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

from tcptop_rtt.feeds.replay.feed import ReplayFeed
from tcptop_rtt.feeds.replay.footage import whole_span
from tcptop_rtt.feeds.replay.opening import footage_of
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.recording.frames import DATA_MAGIC, HEAD_MAGIC, INDEX_MAGIC, Kind
from tcptop_rtt.recording.opened import open_file
from tcptop_rtt.recording.zstd import ZstdCompressor
from tests.escapes import check_text
from tests.fuzz import stream
from tests.unit.recorded import record, stream_of
from tests.unit.world import World

MOST_SNAPSHOTS = 30
WORDS = (*(f'"kind":"{kind}"' for kind in Kind), '"time_ns":', '"clock_ns":', '"moments":[]', "tcptopix")
MAGIC = [magic.to_bytes(4, "little") for magic in (HEAD_MAGIC, INDEX_MAGIC, DATA_MAGIC)]


def seeds() -> Iterable[bytes]:
    """Each kind of file."""
    world = World(7)
    snapshots = [world.step() for _ in range(4)]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "recording")
        record(path, snapshots).end(0)
        whole = path.read_bytes()
    yield whole
    yield whole[: len(whole) // 2]
    lines = stream_of(snapshots)
    yield lines
    yield gzip.compress(lines, mtime=0)
    yield ZstdCompressor().compress(lines, ZstdCompressor.FLUSH_FRAME)
    yield b"".join(MAGIC)


def check(data: bytes) -> None:
    """Nothing but TcptopError comes out, snapshots are whole, and what is said is text."""
    problems: list[str] = []
    fd = os.memfd_create("recording")
    try:
        os.write(fd, data)
        path = f"/proc/self/fd/{fd}"
        with closing(footage_of(open_file(path), lambda: False, problems.append)) as footage:
            first_ns, last_ns = whole_span(footage)
            assert first_ns >= 0
            assert last_ns >= 0
        feed = ReplayFeed("it", partial(footage_of, open_file(path)), paced=False)
        with closing(feed):
            for snapshot in islice(feed.snapshots(), MOST_SNAPSHOTS):
                stream.check_whole(snapshot)
            problems.append(feed.problem)
    except TcptopError as error:
        problems.append(str(error))
    finally:
        os.close(fd)
    check_text(*problems)
