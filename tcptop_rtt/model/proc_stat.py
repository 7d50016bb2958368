"""Reads ``/proc/PID/stat``: proc_pid_stat(5)."""

from __future__ import annotations

import os
from typing import NamedTuple

from tcptop_rtt.model.kernel_time import BOOT_NS

STAT_BYTES = 4096
"""More than the longest file has."""
NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""The resolution of the start time."""


class ProcStat(NamedTuple):
    """The fields that are read."""

    comm: bytes
    parent: int
    started_ns: int
    """The start time on the kernel's own CLOCK_BOOTTIME, rounded down to a tick."""
    is_left: bool
    """All its threads have ended, and its parent has not asked for its exit status yet."""


def stat_of(raw: bytes) -> ProcStat:
    """Parse the file.

    :raises ProcessLookupError: the file is empty, as the process has ended
    """
    # The name stands in brackets and may contain any character.
    before, _, after = raw.rpartition(b")")
    fields = after.split()
    if len(fields) < 20:
        raise ProcessLookupError
    # A first thread that has ended before others is a zombie, too.
    is_left = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    started_ns = int(fields[19]) * NS_PER_TICK - BOOT_NS
    return ProcStat(before.partition(b"(")[2], int(fields[1]), started_ns, is_left)
