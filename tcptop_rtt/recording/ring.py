"""The ring of recordings that is always kept on disk: in one directory, the oldest are removed."""

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
"""A recording gets 1/PARTS of the kept time, within the limits above, and of the size limit."""

_NAME = re.compile(r"kept_(\d{20})" + re.escape(SUFFIX))
_LOCK = "lock"
_SAVED = "saved_"
MOST_SAVED = 20


class Kept(NamedTuple):
    """One recording of a ring."""

    path: str
    time_ns: int  # when the recording was begun


class Ring:
    """The directory, locked for one writer.

    :param keep_ns: older recordings are removed
    :param limit_bytes: the largest size of all recordings together; None: no limit
    :raises OSError: the directory cannot be made, others can write to it, or another process has locked it
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
            raise OSError(errno.EBUSY, "another tcptop-rtt already records there") from None

    @property
    def part_ns(self) -> int:
        """How long each recording lasts."""
        return max(SHORTEST_NS, min(LONGEST_NS, self._keep_ns // PARTS))

    @property
    def part_bytes(self) -> int | None:
        """The largest size of each recording; None: no limit."""
        return None if self._limit is None else self._limit // PARTS

    def next_path(self) -> str:
        """The path for a new recording."""
        return str(Path(self.directory, f"kept_{time.time_ns():020}{SUFFIX}"))

    def drop_old(self) -> None:
        """Remove the oldest recordings: those that are too old, or beyond the limit of size."""
        found = kept(self.directory)
        oldest_ns = time.time_ns() - self._keep_ns
        sizes = {one.path: _size(one.path) for one in found}
        # A recording ends where the next one begins; the last one is being written, and stays.
        for one, following in itertools.pairwise(found):
            too_much = self._limit is not None and sum(sizes.values()) > self._limit
            if following.time_ns < oldest_ns or too_much:
                os.unlink(one.path)
                del sizes[one.path]

    def save(self, from_ns: int, words: str, time_ns: int) -> str:
        """Copy everything since a time into a recording outside the ring; return its path.

        The newest MOST_SAVED of these stay.

        :param words: what happened, for the file name
        :param time_ns: when it happened, for the file name
        :raises OSError: copying has failed
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
        """Unlock the directory."""
        os.close(self._lock)


def kept(directory: str) -> list[Kept]:
    """The recordings of a ring, in the order of their times.

    :raises OSError: the directory cannot be read
    """
    names = [found for found in map(_NAME.fullmatch, sorted(os.listdir(directory))) if found]
    return [Kept(str(Path(directory, found[0])), int(found[1])) for found in names]


def _from(found: list[Kept], time_ns: int) -> list[Kept]:
    """The recordings that have data of a time or later."""
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
        raise OSError(errno.ENOTDIR, "it is not a directory")
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OSError(errno.EPERM, "others can write to it")
