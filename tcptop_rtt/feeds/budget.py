"""How much of the machine a live feed may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Records and scans have a target each, which holds as long as what is shown stays fresh, and a maximum,
    which holds always.
    """

    max_records_per_s: float = 20_000
    """With more active sockets than this allows, samples are reported later; none is lost."""
    target_records_per_s: float = 2_500
    """A record costs the traffic about a microsecond."""
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
