"""How much of the machine a live feed may take."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Records and scans have a target each, which holds as long as what is shown stays fresh, and a maximum,
    which holds always.
    """

    max_records_per_s: float = 20_000
    """With more active sockets than this allows, samples are reported later; none is lost."""
    target_records_per_s: float = 2_500
    """As each costs the traffic something."""
    fresh_interval_s: float = 0.8
    """Records exceed their target where a socket would send one less often: each second of it is shown."""
    shortest_read_s: float = 0.1
    longest_read_s: float = 0.5
    """Between two reads of the source: each takes a processor from the traffic."""
    max_scan_share: float = 0.02
    """Of one core: the pause after a scan grows with its cost."""
    target_scan_share: float = 0.005
    fresh_scan_s: float = 2.0
    """Scans exceed their target where they would be rarer than this. They do so as well while every ACK of a
    connection is reported, as much of it is known from scans only."""
    max_poll_share: float = 0.1
    """Of one core, where scans are all that tells anything."""
    most_share: float = math.inf
    """Of one core, that this process and our programs in the kernel take together. To stay below, records and
    scans come less often than all of the above asks for, and at last refreshes, too; but no less often than
    this:"""
    longest_report_s: float = 5.0
    longest_spaced_read_s: float = 2.0
    most_between_reads: int = 2_500
    """Records: where more would come, reads are not spaced so far. The ring buffer has room for seven times
    as many, as bursts come by surprise."""
    longest_scan_s: float = 60.0
    longest_refresh_s: float = 10.0
    record_s: float = 1e-6
    """What a record costs the traffic, about."""
    segment_s: float = 1.5e-7
    """And a segment with a sample, where the kernel does not count that: the hook takes less than 0.1 us on a
    quiet machine, and up to 0.3 us where its memory is in no cache."""


def stretched_s(usual_s: float, times: float, longest_s: float) -> float:
    """So many times as long, but no longer than the longest unless it is so by itself."""
    return max(usual_s, min(usual_s * times, longest_s))
