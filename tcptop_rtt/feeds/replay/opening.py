"""Opens what is to be replayed: a recording, lines, compressed lines, or a pipe with any of these."""

from __future__ import annotations

import os
import select
import stat
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterator
from functools import partial

from tcptop_rtt.feeds.replay.feed import ReplayFeed
from tcptop_rtt.feeds.replay.footage import Footage, RecordedFootage
from tcptop_rtt.feeds.replay.lines import LinesFootage
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.recording.frames import is_recording
from tcptop_rtt.recording.reader import Complain, RecordingReader, split
from tcptop_rtt.recording.ring import kept
from tcptop_rtt.recording.zstd import MOST_BYTES, ZstdError, decompressed

STANDARD_INPUT = "-"
_READ_BYTES = 1 << 18
_WAIT_MS = 100
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW = 31


def replay_feed(path: str | None, at: str | None, kept_in: str, paced: bool) -> ReplayFeed:
    """The feed of a file, or of what is always kept.

    :param path: of the file; None: what is kept
    :param at: as for :class:`ReplayFeed`
    :param kept_in: the directory of what is kept
    """
    if path is None:
        return ReplayFeed(kept_in, partial(kept_footage, kept_in), paced, at)
    return ReplayFeed("what comes" if path == STANDARD_INPUT else path, partial(footage_of, path), paced, at)


def footage_of(path: str, stopped: Callable[[], bool], complain: Complain) -> Footage:
    """What is in a file, or comes from standard input.

    :param stopped: whether the program has been asked to stop: no pipe is waited for any longer
    :param complain: told what of it cannot be read
    :raises TcptopError: it cannot be opened, or is nothing that can be replayed
    """
    try:
        # Not to wait for a pipe that nobody writes to; what is read below waits for its writer.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        fd = os.dup(0) if path == STANDARD_INPUT else os.open(path, flags)
    except OSError as error:
        raise TcptopError(f"cannot open {path}: {error.strerror}") from None
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode) or (stat.S_ISCHR(mode) and os.isatty(fd)):
        raise TcptopError(f"{path} is no recording: name a file that --record or --json has written")
    if stat.S_ISREG(mode) and os.lseek(fd, 0, os.SEEK_CUR) == 0:
        beginning = os.pread(fd, 8, 0)
        if is_recording(beginning):
            return _recorded([_reader(fd, path)], complain)
    chunks = _chunks(fd, stopped)
    first = next(chunks, b"")
    while 0 < len(first) < 8 and (more := next(chunks, b"")):
        first += more
    if is_recording(first):
        kept = tempfile.TemporaryFile()  # noqa: SIM115 - its descriptor is handed on
        for chunk in _again(first, chunks):
            kept.write(chunk)
        kept.flush()
        return _recorded([_reader(os.dup(kept.fileno()), path)], complain)
    return LinesFootage(split(_plain(first, _again(first, chunks), complain), complain), complain)


def kept_footage(directory: str, stopped: Callable[[], bool], complain: Complain) -> Footage:  # noqa: ARG001
    """What is always kept on disk.

    :raises TcptopError: nothing is, or it may not be read
    """
    try:
        found = [os.open(one.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC) for one in kept(directory)]
    except PermissionError:
        raise TcptopError(f"{directory} is root's: use sudo") from None
    except FileNotFoundError:
        found = []
    except OSError as error:
        raise TcptopError(f"cannot open {directory}: {error.strerror}") from None
    if not found:
        raise TcptopError(f"nothing is kept in {directory}: run tcptop-rtt --keep 24h before")
    return _recorded([_reader(fd, directory) for fd in found], complain, is_written=True)


def _recorded(readers: list[RecordingReader], complain: Complain, is_written: bool = False) -> Footage:
    footage = RecordedFootage(readers, is_written)
    if footage.problem:
        complain(footage.problem)
    return footage


def _reader(fd: int, path: str) -> RecordingReader:
    try:
        return RecordingReader(fd)
    except OSError as error:
        raise TcptopError(f"cannot read {path}: {error.strerror or error}") from None


def _again(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _chunks(fd: int, stopped: Callable[[], bool]) -> Iterator[bytes]:
    """What comes, until its end, or until the program has been asked to stop."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    regular = stat.S_ISREG(os.fstat(fd).st_mode)
    while not stopped():
        if not (regular or poll.poll(_WAIT_MS)):
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
    """What has been compressed, as far as it can be had.

    :param unpack: returns whether it has come to its end
    """
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for chunk in chunks:
            read += len(chunk)
            yield chunk

    try:
        if not (yield from unpack(counted())):
            complain(f"it ends in the middle of what {name} has compressed")
    except (zlib.error, ZstdError):
        complain(f"{name} cannot decompress it any further, about at byte {read:,}")


def _unzipped(chunks: Iterator[bytes]) -> Generator[bytes, None, bool]:
    """As :func:`decompressed` does.

    :raises zlib.error: it cannot be decompressed any further
    """
    unzip = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in chunks:
        rest = chunk
        while rest:
            if unzip.eof:
                unzip = zlib.decompressobj(_GZIP_WINDOW)
            yield unzip.decompress(rest, MOST_BYTES)
            rest = unzip.unconsumed_tail or unzip.unused_data
    return unzip.eof
