"""The signals that end the program: how front ends handle them, and how they wait during imports."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

HARMLESS = frozenset({signal.SIGCHLD, signal.SIGURG, signal.SIGCONT, signal.SIGWINCH})
"""Signals that by default do nothing to a process that runs."""
JOB_CONTROL = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
"""Signals that by default stop a process."""
FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})
"""Signals of the processor's faults."""
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_signals() -> list[signal.Signals]:
    """Return the signals that end the program. nohup and a shell's ``&`` make it ignore some of them."""
    return [number for number in _STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]


def on_stop(handle: Callable[[int, FrameType | None], object]) -> None:
    """Call ``handle`` for each signal that ends the program."""
    for number in stop_signals():
        signal.signal(number, handle)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Obey signals at the end of the block only: in an import they would raise errors and leave files."""
    came: list[int] = []
    numbers = stop_signals()
    for number in numbers:
        signal.signal(number, lambda number, _: came.append(number))
    yield
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt
