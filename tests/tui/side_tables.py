"""Listeners and failed connects to be shown, each in another state."""

from __future__ import annotations

from tests.unit.rows import listener, listeners_of, target, targets_of

LISTENERS = listeners_of(
    listener(1),
    listener(2, queue=6, queue_limit=5, drops=40, drops_per_s=2.5, unit=b"web.service"),
    listener(3, queue=2, laddr="2001:db8::1", family=6),
)
TARGETS = targets_of(
    target(1, 7, raddr="198.51.100.1", rport=443, timed_out=7, connect_error=2, latest_ms=25_000),
    target(2, 50_000, raddr="198.51.100.2", rport=80, refused=50_000, per_s=900.0, pid=9),
    target(3, 1, raddr="198.51.100.3", rport=80, given_up=1, connect_error=4, latest_ms=3000),
)
