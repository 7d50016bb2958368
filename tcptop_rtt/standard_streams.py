"""Standard input, output and error, and the terminal behind them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from tcptop_rtt.model.outside import TEXT_BYTES, cut, harmless

MOST_COMPLAINT = 4 * TEXT_BYTES
"""In characters: enough for an error with some paths in it."""


def are_on_terminal() -> bool:
    """Return whether there is a terminal to read keys from and to draw on."""
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return False  # such a terminal shows escape sequences as text, as Emacs' shell does
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def kept_from_keys(path: str) -> str:
    """Move piped standard input to another descriptor, and read keys from the terminal.

    :return: the path of the piped input; ``path`` if nothing had to be moved
    """
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


def leads_session() -> bool:
    """Return whether this process leads its session: it alone learns that the terminal is gone."""
    return os.getsid(0) == os.getpid()


def terminal_of_our_own() -> list[int]:
    """Return a descriptor of the terminal if it is this session's alone: with it the program has to end."""
    if not leads_session():
        return []
    try:
        return [os.open("/dev/tty", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)]
    except OSError:
        return []


def complaint(problem: object) -> str:
    """Return a problem as a line for standard error, without control characters and of bounded length."""
    return f"tcptop-rtt: {harmless(cut(str(problem), MOST_COMPLAINT))}\n"


def occupy_closed_numbers() -> None:
    """Open /dev/null where standard streams are closed, so that no file of ours gets their numbers.

    A child's standard streams would then be put over a file that is meant for the child.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one


def drop_unwritable() -> None:
    """Leave nothing in standard output and error that cannot be written.

    Python would end with exit code 120, and say in many words why.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None
    except (OSError, ValueError) as error:
        sys.stdout = None
        complain(f"cannot write to standard output: {getattr(error, 'strerror', error)}")
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        sys.stderr = None


def complain(line: object) -> None:
    """Write a problem to standard error, if that is possible, and go on."""
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(complaint(line))
            sys.stderr.flush()
