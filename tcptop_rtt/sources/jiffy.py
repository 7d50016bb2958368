"""The kernel's unit of time, in which the BPF program measures windows."""

from __future__ import annotations

import time

_CLOCK_MONOTONIC_COARSE = 6  # include/uapi/linux/time.h; its resolution is one jiffy


def jiffy_s() -> float:
    """The length of a jiffy."""
    return time.clock_getres(_CLOCK_MONOTONIC_COARSE)
