"""How many connections, samples and records the BPF program has room for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

FEWEST_CONNECTIONS, MOST_CONNECTIONS = 1 << 17, 1 << 22
BYTES_PER_CONNECTION = 8192
"""The machine's memory per possible connection: a socket with its file takes the kernel more."""
LAST_BYTES = 1 << 21
"""Size of the ring buffer for the final entries of followed connections: some 5,000 of them."""


def connections_for(memory_bytes: int) -> int:
    """The most connections of a machine, as a power of 2: for each the map takes 16 bytes in advance."""
    possible = 1 << (memory_bytes // BYTES_PER_CONNECTION).bit_length() - 1
    return min(max(FEWEST_CONNECTIONS, possible), MOST_CONNECTIONS)


def _connections_here() -> int:
    return connections_for(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


@dataclass(frozen=True, slots=True)
class Limits:
    """The sizes that the BPF program is compiled for."""

    ring_bytes: int = 1 << 22
    """Size of the ring buffer: a power of two of pages."""
    rtt_window_bits: int = 17
    """The binary logarithm of the number of slots for RTT windows."""
    connections: int = field(default_factory=_connections_here)
    """How many connections can be tracked at once."""
