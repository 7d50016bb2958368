"""Where recordings are written: new files that only their owner can read, whoever may have been there before.

The program runs as root, perhaps in a directory that somebody else can write to.
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
    """Whose the file will be, and by whose rights it is made."""

    uid: int
    gid: int


def new_path(directory: str, host: str, time_ns: int) -> str:
    """Where a recording that nobody has named goes: it tells of where and when it is."""
    name = re.sub(r"[^A-Za-z0-9.-]", "_", host)[:64].lstrip(".-") or "host"
    moment = time.strftime("%Y-%m-%d_%H%M%S", time.localtime(time_ns / 1e9))
    return str(Path(directory, f"tcptop-rtt_{name}_{moment}{SUFFIX}"))


def directory_of(owner: Owner | None, home: str) -> str:
    """Where a recording that nobody has named goes: here, if nobody else can write here, or else home.

    :raises OSError: there is neither
    """
    here = os.stat(".")
    uid = os.geteuid() if owner is None else owner.uid
    if here.st_uid == uid and not here.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return str(Path.cwd())
    return home


class Place:
    """A name in a directory, which stays the same one wherever its path may lead later.

    :raises OSError: there is no such directory
    """

    def __init__(self, path: str, owner: Owner | None) -> None:
        self.path = path
        self._name = Path(path).name
        self._owner = owner
        with self._rights():
            self._directory = os.open(str(Path(path).parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def create(self) -> int:
        """A new file to append to.

        :raises OSError: there is one, or something else of that name, or it cannot be made
        """
        try:
            return self._new(self._name)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._directory)

    def remove(self) -> None:
        """Remove the file, in which there is nothing."""
        with self._rights():
            os.unlink(self._name, dir_fd=self._directory)

    def replace(self, fd: int, start: int, end: int) -> int:
        """Put a part of a file in its place.

        :param fd: the file, which has the name
        :raises OSError: it cannot be done, and the file is as it was
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
    """Append a part of a file to another.

    :raises OSError: it cannot be done
    """
    while start < end:
        data = os.pread(source, min(_CHUNK_BYTES, end - start), start)
        if not data:
            raise OSError(f"the file has become shorter than {end} bytes")
        start += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]
