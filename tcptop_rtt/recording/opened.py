"""Opens what is to be read while the program still has the rights of its start; reading needs none."""

from __future__ import annotations

import errno
import os
import resource
import stat
import tempfile
from typing import IO, NamedTuple

from tcptop_rtt.model.errors import TcptopError, why
from tcptop_rtt.recording.frames import is_recording
from tcptop_rtt.recording.ring import kept

STANDARD_INPUT = "-"


class Opened(NamedTuple):
    """What has been opened; it can be read only once."""

    name: str
    fds: tuple[int, ...]
    """The files in the order of their times; whoever reads them closes them."""
    is_kept: bool
    """Another process may still be writing the last file, which may end anywhere."""
    spool: IO[bytes] | None
    """An unnamed temporary file to keep what is read; None if the file itself is a recording."""


def open_file(path: str) -> Opened:
    """Open a file, or standard input.

    :raises TcptopError: the file cannot be opened, or is nothing that can be replayed
    :raises OSError: no temporary file can be made
    """
    try:
        # O_NONBLOCK: opening a pipe does not wait for a writer; reading does.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        fd = os.dup(0) if path == STANDARD_INPUT else os.open(path, flags)
    except OSError as error:
        raise TcptopError(f"cannot open {path}: {why(error)}") from None
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode) or (stat.S_ISCHR(mode) and os.isatty(fd)):
        raise TcptopError(f"{path} is no recording: name a file that --record or --json has written")
    at_beginning = stat.S_ISREG(mode) and os.lseek(fd, 0, os.SEEK_CUR) == 0
    if at_beginning and is_recording(os.pread(fd, 8, 0)):
        return Opened(path, (fd,), False, None)
    return Opened(path, (fd,), False, tempfile.TemporaryFile())


def open_kept(directory: str) -> Opened:
    """Open the recordings that are always kept on disk.

    :raises TcptopError: there are none, or they cannot be read
    """
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # the usual 1,024 are six weeks
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        fds = tuple(os.open(one.path, flags) for one in kept(directory))
    except PermissionError:
        raise TcptopError(f"{directory} is root's: use sudo") from None
    except FileNotFoundError:
        fds = ()
    except OSError as error:
        if error.errno == errno.EMFILE:
            many = f"has more than the {most_files:,} files that may be open at once"
            raise TcptopError(f"{directory} {many}: raise ulimit -Hn first") from None
        raise TcptopError(f"cannot open {directory}: {why(error)}") from None
    if not fds:
        raise TcptopError(f"nothing is kept in {directory}: run tcptop-rtt --keep 24h before")
    return Opened(directory, fds, True, None)
