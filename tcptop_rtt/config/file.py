"""Reads the file of settings of the user who has started the program, which may run as root by now."""

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
    """The path and the content of the file; None if there is none, or root may not see the home directory.

    :raises UsageError: it cannot be read, is too large, or others than its user and root can change it
    """
    if not invoker.config_home:
        return None
    path = str(Path(invoker.config_home, NAME))
    try:
        # Follow no link to another user's file, and do not hang on a pipe or a terminal.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        if os.geteuid() == 0 or not os.path.lexists(path):
            return None
        raise UsageError(f"{path} cannot be read: run chmod u+r {path}, or use --no-config") from None
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
        # An error message would show a part of the file to the user.
        raise UsageError(f"{path} is root's, and not for others to read: run chown {uid} {path}")
