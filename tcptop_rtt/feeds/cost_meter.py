"""Measures the program's cost: its own processor time, and that of its BPF programs in the kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tcptop_rtt.feeds.clock import Clock
from tcptop_rtt.model.snapshot import OwnCost, ProgramCost
from tcptop_rtt.sources.base import ProgramRuns, Source

MEASURED_S = 1.0
"""The shortest measurement: it ends with the first :meth:`CostMeter.look` after this time."""


class CostMeter:
    """Measures in the background: the caller begins a measurement, then calls :meth:`look` until it is over.

    One thread owns it.
    """

    def __init__(self, source: Source, clock: Clock) -> None:
        self.latest: OwnCost | None = None
        self.over_s = math.inf
        """When the current measurement is long enough, on the monotonic clock; inf without one."""
        self._source = source
        self._clock = clock
        self._began = 0.0, 0.0
        self._note = ""

    def begin(self) -> None:
        """Begin a measurement, unless one is running."""
        if self.over_s < math.inf:
            return
        self._note = ""
        try:
            self._source.begin_counting()
        except OSError as error:
            self._note = f"the kernel cannot count the cost: {error.strerror or error}"
        self._began = now, _ = self._clock.monotonic_s(), self._clock.process_s()
        self.over_s = now + MEASURED_S

    def look(self) -> bool:
        """End the measurement if it is long enough, and set :attr:`latest`; return whether one has ended."""
        now, cpu_s = self._clock.monotonic_s(), self._clock.process_s()
        if now < self.over_s:
            return False
        self.over_s = math.inf
        began_s, cpu_began_s = self._began
        lasted_s = now - began_s
        runs: Sequence[ProgramRuns] = ()
        if not self._note:
            try:
                runs = self._source.end_counting()
            except OSError as error:
                self._note = f"the kernel's count cannot be read: {error.strerror or error}"
        self.latest = OwnCost(
            self._clock.wall_ns(),
            lasted_s,
            100 * (cpu_s - cpu_began_s) / lasted_s,
            None if self._note else sum(one.time_ns for one in runs if not one.ours) / lasted_s / 1e7,
            tuple(
                ProgramCost(one.name, one.runs / lasted_s, one.time_ns / one.runs, one.ours)
                for one in runs
                if one.runs
            ),
            self._note,
        )
        return True
