"""Opens what is replayed: a recording, lines, compressed lines, or a pipe with any of these."""

from __future__ import annotations

import os
import select
import stat
import zlib
from collections.abc import Callable, Generator, Iterator
from functools import partial

from tcptop_rtt.feeds.replay.feed import ReplayFeed
from tcptop_rtt.feeds.replay.footage import Footage, RecordedFootage
from tcptop_rtt.feeds.replay.lines import LinesFootage
from tcptop_rtt.model.errors import TcptopError, why
from tcptop_rtt.recording.frames import is_recording
from tcptop_rtt.recording.opened import STANDARD_INPUT, Opened
from tcptop_rtt.recording.reader import Complain, RecordingReader, split
from tcptop_rtt.recording.zstd import MOST_BYTES, ExpansionError, ZstdError, bounded, decompressed

_READ_BYTES = 1 << 18
_WAIT_MS = 100
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW = 31


def replay_feed(opened: Opened, at: str | None, paced: bool) -> ReplayFeed:
    """The feed of a file, or of what is always kept on disk.

    :param at: as for :class:`ReplayFeed`
    """
    name = "what comes" if opened.name == STANDARD_INPUT else opened.name
    return ReplayFeed(name, partial(footage_of, opened), paced, at)


def footage_of(opened: Opened, stopped: Callable[[], bool], complain: Complain) -> Footage:
    """The footage in a file, in several consecutive files, or from a pipe.

    :param stopped: returns whether the program has been asked to stop, which ends waiting for a pipe
    :param complain: called with what cannot be read
    :raises TcptopError: a file cannot be read
    """
    if opened.spool is None:
        return _recorded([_reader(fd, opened.name) for fd in opened.fds], complain, opened.is_kept)
    (fd,) = opened.fds
    chunks = _chunks(fd, stopped)
    come = filter(None, chunks)
    first = next(come, b"")
    while 0 < len(first) < 8 and (more := next(come, b"")):
        first += more
    if is_recording(first):
        for chunk in _again(first, chunks):
            opened.spool.write(chunk)
        opened.spool.flush()
        return _recorded([_reader(os.dup(opened.spool.fileno()), opened.name)], complain)
    lines = split(_plain(first, _again(first, chunks), complain), complain)
    return LinesFootage(lines, complain, opened.spool)


def _recorded(readers: list[RecordingReader], complain: Complain, is_written: bool = False) -> Footage:
    footage = RecordedFootage(readers, is_written)
    if footage.problem:
        complain(footage.problem)
    return footage


def _reader(fd: int, path: str) -> RecordingReader:
    try:
        return RecordingReader(fd)
    except OSError as error:
        raise TcptopError(f"cannot read {path}: {why(error)}") from None


def _again(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _chunks(fd: int, stopped: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the data of a file or pipe until its end, or until the program has been asked to stop.

    While a pipe brings nothing, ``b""`` is yielded from time to time, so that its reader can do other things.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    regular = stat.S_ISREG(os.fstat(fd).st_mode)
    while not stopped():
        if not (regular or poll.poll(_WAIT_MS)):
            yield b""
            continue
        try:
            chunk = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            continue
        if not chunk:
            break
        yield chunk
    os.close(fd)


def _plain(first: bytes, chunks: Iterator[bytes], complain: Complain) -> Iterator[bytes]:
    if first.startswith(_GZIP):
        return _unpacked("gzip", _unzipped, chunks, complain)
    if first.startswith(_ZSTD):
        return _unpacked("zstd", decompressed, chunks, complain)
    return chunks


def _unpacked(
    name: str,
    unpack: Callable[[Iterator[bytes]], Generator[bytes, None, bool]],
    chunks: Iterator[bytes],
    complain: Complain,
) -> Iterator[bytes]:
    """Yield the decompressed data, as far as it can be decompressed.

    :param unpack: returns whether the compressed data are complete
    """
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for chunk in chunks:
            read += len(chunk)
            yield chunk

    try:
        if not (yield from bounded(unpack(counted()), lambda: read)):
            complain(f"the {name} data are incomplete")
    except ExpansionError:
        complain(f"byte {read:,} of the {name} data expands too much: reading stops there")
    except (zlib.error, ZstdError):
        complain(f"the {name} data are damaged at about byte {read:,}")


def _unzipped(chunks: Iterator[bytes]) -> Generator[bytes, None, bool]:
    """Decompress gzip, as :func:`decompressed` does for Zstandard.

    :raises zlib.error: the data cannot be decompressed any further
    """
    unzip = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in chunks:
        if not chunk:
            yield chunk
        rest = chunk
        while rest:
            if unzip.eof:
                unzip = zlib.decompressobj(_GZIP_WINDOW)
            if part := unzip.decompress(rest, MOST_BYTES):
                yield part
            rest = unzip.unconsumed_tail or unzip.unused_data
    return unzip.eof
