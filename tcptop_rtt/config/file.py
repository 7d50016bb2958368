"""Reads the file of settings of whoever has started the program, which may be root by now."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from tcptop_rtt.environment import Invoker
from tcptop_rtt.model.errors import UsageError

NAME = "tcptop-rtt/config.toml"
MOST_BYTES = 64 * 1024


def read(invoker: Invoker) -> tuple[str, bytes] | None:
    """The path of the file and what is in it; None: there is none, or root may not see that home directory.

    :raises UsageError: it is not a file that only its user, or root, can change
    """
    if not invoker.config_home:
        return None
    path = str(Path(invoker.config_home, NAME))
    try:
        # Neither a link to somebody else's file, nor something that holds up whoever opens it.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UsageError(f"{path} is a symbolic link: put the file itself there") from None
        raise UsageError(f"{path}: {error.strerror}: move it away, or use --no-config") from None
    try:
        _check(os.fstat(fd), invoker.uid, path)
        text = os.read(fd, MOST_BYTES + 1)
    finally:
        os.close(fd)
    if len(text) > MOST_BYTES:
        raise UsageError(f"{path} is larger than {MOST_BYTES // 1024} KiB: shorten it")
    return path, text


def _check(found: os.stat_result, uid: int, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{path} is no regular file: move it away, or use --no-config")
    if found.st_uid not in (uid, 0):
        raise UsageError(f"{path} belongs to UID {found.st_uid}: run chown {uid} {path}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(f"{path} can be changed by others: run chmod go-w {path}")
    if found.st_uid != uid and not found.st_mode & stat.S_IROTH:
        # A complaint would show a line of it.
        raise UsageError(f"{path} is root's, and not for others to read: run chown {uid} {path}")
