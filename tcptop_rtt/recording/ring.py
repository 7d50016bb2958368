"""What is always kept on disk: recordings that follow each other in one directory, the oldest of which go."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import re
import stat
import time
from pathlib import Path
from typing import NamedTuple

from tcptop_rtt.recording.frames import start_before
from tcptop_rtt.recording.place import SUFFIX, Place, copy
from tcptop_rtt.recording.reader import RecordingReader

LONGEST_NS = 3_600_000_000_000
SHORTEST_NS = 60_000_000_000
PARTS = 24
"""So many recordings make up what is kept: with the oldest one goes a twenty-fourth."""

_NAME = re.compile(r"kept_(\d{20})" + re.escape(SUFFIX))
_LOCK = "lock"
_SAVED = "saved_"
MOST_SAVED = 20


class Kept(NamedTuple):
    """One recording of a ring."""

    path: str
    time_ns: int  # when it was begun


class Ring:
    """The directory, as who writes to it has it.

    :param keep_ns: what is older goes
    :param limit_bytes: of all files together; None: as much as it takes
    :raises OSError: it cannot be made, or is another one's, or somebody writes to it already
    """

    def __init__(self, directory: str, keep_ns: int, limit_bytes: int | None = None) -> None:
        self.directory = directory
        self._keep_ns = keep_ns
        self._limit = limit_bytes
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _check(directory)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock = os.open(Path(directory, _LOCK), flags, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise OSError(errno.EBUSY, "another tcptop-rtt keeps there already") from None

    @property
    def part_ns(self) -> int:
        """How long each recording is."""
        return max(SHORTEST_NS, min(LONGEST_NS, self._keep_ns // PARTS))

    @property
    def part_bytes(self) -> int | None:
        """How large each recording may become."""
        return None if self._limit is None else self._limit // PARTS

    def next_path(self) -> str:
        """Of a new recording."""
        return str(Path(self.directory, f"kept_{time.time_ns():020}{SUFFIX}"))

    def drop_old(self) -> None:
        """Remove what is too old, or too much."""
        found = kept(self.directory)
        oldest_ns = time.time_ns() - self._keep_ns
        sizes = {one.path: _size(one.path) for one in found}
        # One ends where the next one begins; the last one is being written.
        for one, following in itertools.pairwise(found):
            too_much = self._limit is not None and sum(sizes.values()) > self._limit
            if following.time_ns < oldest_ns or too_much:
                os.unlink(one.path)
                del sizes[one.path]

    def save(self, from_ns: int, words: str, time_ns: int) -> str:
        """Copy what is kept of a time and all that follows into a recording that stays; its path.

        :param words: what was then, for its name, beside when it was
        :raises OSError: it cannot be copied
        """
        name = re.sub(r"[^A-Za-z0-9]+", "-", words)[:40].strip("-").lower()
        moment = time.strftime("%Y-%m-%d_%H%M%S", time.localtime(time_ns / 1e9))
        place = Place(str(Path(self.directory, f"{_SAVED}{moment}_{name}{SUFFIX}")), None)
        target = place.create()
        try:
            for one in _from(kept(self.directory), from_ns):
                source = os.open(one.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                reader = RecordingReader(source)
                copy(source, target, reader.begin_of(start_before(reader.frames, from_ns)), reader.end)
                reader.close()
        finally:
            os.close(target)
            place.close()
        saved = sorted(name for name in os.listdir(self.directory) if name.startswith(_SAVED))
        for old in saved[:-MOST_SAVED]:
            os.unlink(Path(self.directory, old))
        return place.path

    def close(self) -> None:
        """Let others write there."""
        os.close(self._lock)


def kept(directory: str) -> list[Kept]:
    """The recordings of a ring, in the order of their times.

    :raises OSError: it cannot be read
    """
    names = [found for found in map(_NAME.fullmatch, sorted(os.listdir(directory))) if found]
    return [Kept(str(Path(directory, found[0])), int(found[1])) for found in names]


def _from(found: list[Kept], time_ns: int) -> list[Kept]:
    """Those that have something of a time, and of later."""
    before = [number for number, one in enumerate(found) if one.time_ns <= time_ns]
    return found[before[-1] if before else 0 :]


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0


def _check(directory: str) -> None:
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.ENOTDIR, "it is no directory")
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OSError(errno.EPERM, "it is not ours alone to write to")
