"""The signals that end the program, as its front ends handle them and as they wait while it begins."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_signals() -> list[signal.Signals]:
    """Those that end the program in order; nohup, or a shell's ``&``, has some of them ignored."""
    return [number for number in _STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]


def on_stop(handle: Callable[[int, FrameType | None], object]) -> None:
    """Have this called when a signal is to end the program."""
    for number in stop_signals():
        signal.signal(number, handle)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Obey a signal at the end only: in an import it would come out as an error, and leave files behind."""
    came: list[int] = []
    numbers = stop_signals()
    for number in numbers:
        signal.signal(number, lambda number, _: came.append(number))
    yield
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt
