"""What the kernel says of a process in ``/proc/PID/stat``: proc_pid_stat(5)."""

from __future__ import annotations

import os
from typing import NamedTuple

from tcptop_rtt.model.kernel_time import BOOT_NS

STAT_BYTES = 4096
"""As much as there can be of it."""
NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""How exactly it tells the time of the start."""


class ProcStat(NamedTuple):
    """A process."""

    comm: bytes
    parent: int
    started_ns: int
    """Since the machine has started, in whole ticks of this time namespace."""


def stat_of(raw: bytes) -> ProcStat:
    """What the file says.

    :raises ProcessLookupError: it says nothing, as the process has ended
    """
    # The name, in brackets, may hold anything.
    before, _, after = raw.rpartition(b")")
    fields = after.split()
    if len(fields) < 20:
        raise ProcessLookupError
    return ProcStat(before.partition(b"(")[2], int(fields[1]), int(fields[19]) * NS_PER_TICK - BOOT_NS)
