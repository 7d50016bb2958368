"""How much of the machine a live feed may take."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Records and scans each have a target, which they may exceed to keep the display fresh, and a maximum,
    which always holds.
    """

    max_records_per_s: float = 20_000
    """With too many active sockets for this, samples are reported later; none is lost."""
    target_records_per_s: float = 2_500
    """Each record costs the traffic a little."""
    fresh_interval_s: float = 0.8
    """Records exceed their target rather than make this interval longer: each second of a socket is shown."""
    shortest_read_s: float = 0.1
    longest_read_s: float = 0.5
    """The time between two reads of the source: each read takes processor time from the traffic."""
    max_scan_share: float = 0.02
    """The largest share of one core for scans: the pause after a scan grows with the scan's cost."""
    target_scan_share: float = 0.005
    fresh_scan_s: float = 2.0
    """Scans exceed their target rather than be rarer than this. They also do while every ACK of a connection
    is reported, as much about that connection is known from scans only."""
    max_poll_share: float = 0.1
    """The share of one core for scans, if the source knows connections by scans only."""
    most_share: float = math.inf
    """The share of one core for this process and its BPF programs together. To stay below it, records and
    scans, and at last refreshes too, come less often than the above asks for. The limits of that are:"""
    longest_report_s: float = 5.0
    longest_spaced_read_s: float = 2.0
    most_between_reads: int = 2_500
    """Reads are spaced only so far that no more records than this are expected between two. The ring buffer
    has room for seven times as many, for bursts."""
    longest_scan_s: float = 60.0
    longest_refresh_s: float = 10.0
    record_s: float = 1e-6
    """About what a record costs the traffic."""
    segment_s: float = 1.5e-7
    """About what a segment with a sample costs, used if the kernel does not count it: the hook takes less
    than 0.1 us on a quiet machine, and up to 0.3 us if its memory is in no cache."""


def stretched_s(usual_s: float, times: float, longest_s: float) -> float:
    """The usual time multiplied, up to the longest time; never shorter than the usual time."""
    return max(usual_s, min(usual_s * times, longest_s))
