"""Waiting for what comes by itself, in tests of any kind."""

from __future__ import annotations

import time
from collections.abc import Callable

ENOUGH_S = 120.0
"""How long it may take on a busy or emulated machine: what is told apart is coming from never coming."""


def becomes(condition: Callable[[], bool], timeout_s: float = ENOUGH_S) -> bool:
    """Whether it holds before the time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
