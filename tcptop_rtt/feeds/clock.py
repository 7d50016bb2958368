"""The times that a live feed lives by."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable

from tcptop_rtt.model import kernel_time


class Clock:
    """This machine's clocks. A test sets its own, and then no time passes but that which it tells.

    :param helper_s: the processor time of what works for this process
    """

    def __init__(self, helper_s: Callable[[], float] = float) -> None:
        self._helper_s = helper_s

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC, which records have too."""
        return kernel_time.monotonic_ns()

    def monotonic_s(self) -> float:
        """The same, in seconds."""
        return self.monotonic_ns() / 1e9

    def wall_ns(self) -> int:
        """Since the Unix epoch."""
        return time.time_ns()

    def since_boot_ns(self) -> int:
        """CLOCK_BOOTTIME, which process start times have too."""
        return kernel_time.since_boot_ns()

    def thread_s(self) -> float:
        """Processor time of the calling thread."""
        return time.thread_time()

    def process_s(self) -> float:
        """Processor time of the whole process, and of what works for it."""
        return time.process_time() + self._helper_s()

    def wait(self, wake: queue.SimpleQueue[None], seconds: float) -> None:
        """Wait so long, or until something is put into the queue, and take it out."""
        with contextlib.suppress(queue.Empty):
            wake.get(timeout=seconds)
