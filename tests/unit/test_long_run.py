"""Hours, by a clock that is fed: what is kept has its bounds, and what a burst has taken is given back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.rows import ROW
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.tracking import room
from tcptop_rtt.tracking.connections import Connections
from tests.unit.churn import ChurningSource
from tests.unit.fake import ScriptedClock

LIVE, CALM_PER_S, BURST_PER_S = 400, 10.0, 800.0


def _bursts(seconds: int) -> Iterator[tuple[bool, Snapshot, Connections]]:
    """Four seconds of every minute bring eighty times as much as the others.

    With each snapshot comes whether what the burst before has brought is over.
    """
    clock = ScriptedClock()
    source = ChurningSource(clock, LIVE, CALM_PER_S)
    feed = LiveFeed(ready(source), 1.0, clock=clock)
    feed.open()
    assert feed._reader
    for second, snapshot in zip(range(seconds), feed.snapshots(), strict=False):
        in_minute = second % 60
        source.per_s = BURST_PER_S if in_minute in range(30, 34) else CALM_PER_S
        yield not 30 <= in_minute < 45, snapshot, feed._reader._connections
    feed.stop()


def _told(snapshot: Snapshot) -> tuple[bytes, ...]:
    rows = (snapshot.rows[name] for name in ROW.names or ())
    return tuple(part.tobytes() for part in (*rows, *snapshot.cells_us, snapshot.targets, snapshot.listeners))


def test_what_a_burst_has_taken_is_given_back_and_every_number_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[bytes, ...]] = []
    burst: list[tuple[int, int]] = []
    calm: list[tuple[int, int]] = []
    for is_calm, snapshot, connections in _bursts(200):
        told.append(_told(snapshot))
        (calm if is_calm else burst).append((connections._store.capacity, len(connections._quantiles._row)))
    most_rows, most_slots = map(max, zip(*burst, strict=True))
    rows, slots = map(max, zip(*calm, strict=True))
    assert rows < most_rows / 2
    assert slots < most_slots / 2
    monkeypatch.setattr(room, "shrunk", lambda _, room: room)
    for before, (_, snapshot, _) in zip(told, _bursts(200), strict=True):
        assert _told(snapshot) == before
