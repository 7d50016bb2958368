"""What the BPF programs cost, as the kernel itself counts it on request (bpf_stats)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from tcptop_rtt.sources.base import ProgramRuns
from tcptop_rtt.sources.bpf_call import RunTime, run_time
from tcptop_rtt.sources.loader.places import FILES, SOCKETS

_OURS = {FILES.program, SOCKETS.program}
"""The iterators, which run when this process reads them, on its processor time."""


class RunTimes:
    """Counts between :meth:`begin` and :meth:`end`.

    Counting reads two clocks per run of every BPF program of the machine, so it is not left on.

    :param programs: the descriptors of the programs, by name
    :param count: makes the kernel count until the returned descriptor is closed
    """

    def __init__(self, programs: Mapping[str, int], count: Callable[[], int]) -> None:
        self._programs = programs
        self._count = count
        self._counting: int | None = None
        self._before: dict[str, RunTime] = {}

    def begin(self) -> None:
        """Start counting.

        :raises OSError: the kernel does not count, as without CAP_SYS_ADMIN
        """
        self._counting = self._count()
        try:
            self._before = self._read()
        except OSError:
            self.close()
            raise

    def end(self) -> tuple[ProgramRuns, ...]:
        """Stop counting, and return what has run since.

        :raises OSError: the counts cannot be read
        """
        try:
            found = self._read()
        finally:
            self.close()
        before = self._before
        return tuple(
            ProgramRuns(name, now.runs - before[name].runs, now.time_ns - before[name].time_ns, name in _OURS)
            for name, now in found.items()
            if name in before
        )

    def close(self) -> None:
        """Stop counting."""
        if self._counting is not None:
            os.close(self._counting)
            self._counting = None

    def _read(self) -> dict[str, RunTime]:
        return {name: run_time(descriptor) for name, descriptor in self._programs.items()}
