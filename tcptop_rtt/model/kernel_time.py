"""The kernel's own clocks, as in its records, whatever time namespace this process is in."""

from __future__ import annotations

import time

from tcptop_rtt.model.outside import TEXT_BYTES, read_bytes


def offsets_ns(raw: bytes) -> dict[bytes, int]:
    """Return how far each clock of this time namespace is ahead: ``timens_offsets`` in time_namespaces(7)."""
    found = {}
    for line in raw.splitlines():
        clock, seconds, nanoseconds = line.split()
        found[clock] = int(seconds) * 1_000_000_000 + int(nanoseconds)
    return found


def _ours() -> dict[bytes, int]:
    try:
        return offsets_ns(read_bytes("/proc/self/timens_offsets", TEXT_BYTES))
    except (OSError, ValueError):  # a kernel without time namespaces
        return {}


_OFFSETS_NS = _ours()
_MONOTONIC_NS = _OFFSETS_NS.get(b"monotonic", 0)
BOOT_NS = _OFFSETS_NS.get(b"boottime", 0)
"""How far this process's CLOCK_BOOTTIME is ahead of the kernel's own, in nanoseconds."""


def monotonic_ns() -> int:
    """Return CLOCK_MONOTONIC as bpf_ktime_get_ns() returns it."""
    return time.monotonic_ns() - _MONOTONIC_NS


def since_boot_ns() -> int:
    """Return CLOCK_BOOTTIME as the kernel keeps it for the start of a process."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - BOOT_NS
