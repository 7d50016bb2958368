"""How much the kernel side has room for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

FEWEST_CONNECTIONS, MOST_CONNECTIONS = 1 << 17, 1 << 22
BYTES_PER_CONNECTION = 8192
"""Of the machine's memory: a socket with its file takes the kernel more."""
LAST_BYTES = 1 << 21
"""Of the ring buffer for what followed connections were like at their end: some 5,000 of them."""


def connections_for(memory_bytes: int) -> int:
    """How many a machine can have at most, as a power of 2: each takes a bucket of 16 bytes beforehand."""
    possible = 1 << (memory_bytes // BYTES_PER_CONNECTION).bit_length() - 1
    return min(max(FEWEST_CONNECTIONS, possible), MOST_CONNECTIONS)


def _connections_here() -> int:
    return connections_for(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the BPF program is compiled for. Its maps take the memory when they are made."""

    ring_bytes: int = 1 << 22
    """Of the ring buffer: a power of two of pages."""
    rtt_window_bits: int = 17
    """The logarithm of how many sockets can collect RTT samples at once."""
    connections: int = field(default_factory=_connections_here)
    """How many are tracked at once."""
