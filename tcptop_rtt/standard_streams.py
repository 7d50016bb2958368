"""Standard input, output and error: whether there is a terminal, and who has it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from tcptop_rtt.model.outside import TEXT_BYTES, cut, harmless

MOST_COMPLAINT = 4 * TEXT_BYTES
"""In characters: room for some paths, and for what is said of them."""


def are_on_terminal() -> bool:
    """Whether there is a terminal to read keys from and to draw on."""
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return False  # such as Emacs' shell: it would show escape sequences as they are
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def kept_from_keys(path: str) -> str:
    """Where standard input can be read, while keys come from the terminal in its place."""
    if sys.stdin is None or sys.stdin.isatty() or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return path
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return path
    piped = os.dup(0)
    os.dup2(terminal, 0)
    os.close(terminal)
    return f"/dev/fd/{piped}"


def terminal_of_our_own() -> list[int]:
    """The terminal that was opened for this program alone: once it is gone, nobody comes back to end us."""
    if os.getsid(0) != os.getpid():
        return []
    try:
        return [os.open("/dev/tty", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)]
    except OSError:
        return []


def complaint(problem: object) -> str:
    """A problem as a line for standard error: names of files, arguments and answers may be in it."""
    return f"tcptop-rtt: {harmless(cut(str(problem), MOST_COMPLAINT))}\n"


def complain(line: object) -> None:
    """Say it on standard error, beside what goes on, if anybody can be told there."""
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(complaint(line))
            sys.stderr.flush()
