"""The clocks of a live feed: time and processor time."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable

from tcptop_rtt.model import kernel_time


class Clock:
    """This machine's clocks. Tests replace them by clocks that they control.

    :param helper_s: returns the processor time of the helper processes, in seconds
    """

    def __init__(self, helper_s: Callable[[], float] = float) -> None:
        self._helper_s = helper_s

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC, which the records use too."""
        return kernel_time.monotonic_ns()

    def monotonic_s(self) -> float:
        """CLOCK_MONOTONIC in seconds."""
        return self.monotonic_ns() / 1e9

    def wall_ns(self) -> int:
        """The wall clock, since the Unix epoch."""
        return time.time_ns()

    def since_boot_ns(self) -> int:
        """CLOCK_BOOTTIME, which process start times use too."""
        return kernel_time.since_boot_ns()

    def thread_s(self) -> float:
        """Processor time of the calling thread."""
        return time.thread_time()

    def process_s(self) -> float:
        """Processor time of the whole process and of its helpers."""
        return time.process_time() + self._helper_s()

    def wait(self, wake: queue.SimpleQueue[None], seconds: float) -> None:
        """Wait until the time is over or the queue has an item, and take that item out."""
        with contextlib.suppress(queue.Empty):
            wake.get(timeout=seconds)
