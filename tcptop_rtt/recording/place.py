"""Creates the files of recordings: always new files, which only their owner can read.

The program runs as root, perhaps in a directory that others can write to.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from tcptop_rtt.privileges.identity import files_of

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
_CHUNK_BYTES = 1 << 20
SUFFIX = ".jsonl.zst"


class Owner(NamedTuple):
    """The user who owns the file, and with whose rights it is created."""

    uid: int
    gid: int


def new_path(directory: str, host: str, time_ns: int) -> str:
    """The path of a recording that the user has not named; the name has the host and the time."""
    name = re.sub(r"[^A-Za-z0-9.-]", "_", host)[:64].lstrip(".-") or "host"
    moment = time.strftime("%Y-%m-%d_%H%M%S", time.localtime(time_ns / 1e9))
    return str(Path(directory, f"tcptop-rtt_{name}_{moment}{SUFFIX}"))


def directory_of(owner: Owner | None, home: str) -> str:
    """The directory for an unnamed recording: the current one if only the owner can write to it, else home.

    :raises OSError: the current directory cannot be read
    """
    here = os.stat(".")
    uid = os.geteuid() if owner is None else owner.uid
    if here.st_uid == uid and not here.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        try:
            return str(Path.cwd())
        except PermissionError:  # it has no path under the root directory: see environment.py
            return "."
    return home


class Place:
    """A file name in an open directory, which stays the same even if its path is changed.

    :raises OSError: the directory cannot be opened
    """

    def __init__(self, path: str, owner: Owner | None) -> None:
        self.path = path
        self._name = Path(path).name
        self._owner = owner
        with self._rights():
            self._directory = os.open(str(Path(path).parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def create(self) -> int:
        """Create the file; return its descriptor, for appending.

        :raises OSError: the name exists, or the file cannot be created
        """
        try:
            return self._new(self._name)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the directory."""
        os.close(self._directory)

    def remove(self) -> None:
        """Remove the file."""
        with self._rights():
            os.unlink(self._name, dir_fd=self._directory)

    def replace(self, fd: int, start: int, end: int) -> int:
        """Replace the file by a part of itself; return the new descriptor.

        :param fd: the file
        :raises OSError: the file could not be replaced, and is unchanged
        """
        name = f".{self._name}.{os.getpid()}"
        new = self._new(name)
        try:
            copy(fd, new, start, end)
            with self._rights():
                os.rename(name, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except OSError:
            os.close(new)
            with self._rights():
                os.unlink(name, dir_fd=self._directory)
            raise
        return new

    def _new(self, name: str) -> int:
        with self._rights():
            return os.open(name, _NEW, 0o600, dir_fd=self._directory)

    def _rights(self) -> AbstractContextManager[None]:
        return files_of(*self._owner) if self._owner is not None else nullcontext()


def copy(source: int, target: int, start: int, end: int) -> None:
    """Append a part of a file to another file.

    :raises OSError: reading or writing has failed
    """
    while start < end:
        data = os.pread(source, min(_CHUNK_BYTES, end - start), start)
        if not data:
            raise OSError(f"the file has become shorter than {end} bytes")
        start += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]
