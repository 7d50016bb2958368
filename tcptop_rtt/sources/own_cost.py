"""What the programs in the kernel cost, as the kernel itself counts it while it is asked to (bpf_stats)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tcptop_rtt.sources.base import ProgramRuns
from tcptop_rtt.sources.bpf_call import RunTime, count_run_time, program_of, run_time
from tcptop_rtt.sources.loader.places import FILES, SOCKETS

_OURS = {FILES.program, SOCKETS.program}
"""They run when this process reads, on its processor time."""


class RunTimes:
    """Counts between :meth:`begin` and :meth:`end`.

    The counting itself reads two clocks per run, of every BPF program of the machine: nobody leaves it on.

    :param links: by the name of each program the descriptor of the link that attaches it
    """

    def __init__(self, links: Mapping[str, int]) -> None:
        self._links = links
        self._counting: int | None = None
        self._before: dict[str, RunTime] = {}

    def begin(self) -> None:
        """
        :raises OSError: the kernel does not count, as without CAP_SYS_ADMIN
        """
        self._counting = count_run_time()
        try:
            self._before = self._read()
        except OSError:
            self.close()
            raise

    def end(self) -> tuple[ProgramRuns, ...]:
        """What has run since.

        :raises OSError: it cannot be read, as without a free descriptor
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
        """Count no longer."""
        if self._counting is not None:
            os.close(self._counting)
            self._counting = None

    def _read(self) -> dict[str, RunTime]:
        found = {}
        for name, link_fd in self._links.items():
            program_fd = program_of(link_fd)
            try:
                found[name] = run_time(program_fd)
            finally:
                os.close(program_fd)
        return found
