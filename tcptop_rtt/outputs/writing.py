"""Writing snapshots to standard output: until there are enough, or nobody reads any more."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from tcptop_rtt.errors import TcptopError
from tcptop_rtt.snapshot import Snapshot


class Output(Protocol):
    """A front end without a screen."""

    def begin(self, hook: str) -> None: ...
    def show(self, snapshot: Snapshot) -> None: ...
    def end(self, lost: int) -> None: ...


def write_all(hook: str, snapshots: Iterable[Snapshot], output: Output, count: int | None) -> None:
    """Write so many snapshots, or all that come, as long as somebody reads.

    :raises TcptopError: standard output takes no more, and why
    """
    try:
        with _writing():
            output.begin(hook)
        shown = lost = 0
        for snapshot in snapshots:
            with _writing():
                output.show(snapshot)
            shown, lost = shown + 1, snapshot.health.lost
            if shown == count or _reader_is_gone():
                break
        with _writing():
            output.end(lost)
    except BrokenPipeError:
        pass


@contextmanager
def _writing() -> Iterator[None]:
    """Tell trouble with standard output from all other.

    :raises BrokenPipeError: nobody reads any more
    """
    try:
        yield
    except OSError as error:
        # Python would complain about it once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise TcptopError(f"cannot write to standard output: {error.strerror}") from error


def _reader_is_gone() -> bool:
    """Whether stdout is a pipe that nobody reads: a quiet machine would not notice by writing."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
