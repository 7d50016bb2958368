"""Hours, by a clock that is fed: what is kept has its bounds, and what a burst has taken is given back."""

from __future__ import annotations

import functools
import gc
import sys
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from tcptop_rtt.feeds import units
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.names import NO_NAMES
from tcptop_rtt.model.rows import ROW
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.past import recorder
from tcptop_rtt.tracking import room, targets
from tcptop_rtt.tracking.connections import Connections
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.kinds import KINDS
from tcptop_rtt.view.listing import ConnectionList
from tests.unit.churn import ChurningSource
from tests.unit.fake import START_NS, ScriptedClock
from tests.unit.snapshots import S

LINES = 40
"""Of a screen."""
WARM_NS = 60 * S
"""By then all is full that has a bound."""
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
    assert slots <= most_slots / 2
    monkeypatch.setattr(room, "shrunk", lambda _, room: room)
    for before, (_, snapshot, _) in zip(told, _bursts(200), strict=True):
        assert _told(snapshot) == before


def _look(snapshot: Snapshot) -> None:
    """All tables, as the screen shows them, and what a filter looks through."""
    every = Filter()
    listings = [
        ConnectionList(snapshot, Filter("no-such-word")),
        ConnectionList(snapshot, every),
        *(kind.list(snapshot, every, NO_NAMES) for kind in KINDS),
    ]
    for listing in listings:
        for row in listing.views(listing.indices[-LINES:]):
            for column in listing.table.columns:
                if column.cell:
                    column.cell(row, UNICODE)


def _forget_all() -> None:
    """What functions remember of other tests: it would be replaced by what counts, little by little."""
    for name, module in list(sys.modules.items()):
        if name.startswith("tcptop_rtt"):
            for value in vars(module).values():
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


def _kept_mib() -> float:
    """All that has been made since and is there, but for the interpreter's own table of names."""
    traces = tracemalloc.take_snapshot().traces
    return sum(trace.size for trace in traces if trace.domain or trace.size < 1 << 20) / (1 << 20)


def test_what_is_kept_stays_level_and_rows_are_those_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many connections as fill whatever remembers them, and then as many again."""
    for module, bound, value in (
        (recorder, "PAST_NS", 50 * S),
        (targets, "MOST", 800),
        (units, "_KEPT", 800),
    ):
        monkeypatch.setattr(module, bound, value)
    clock = ScriptedClock()
    source = ChurningSource(clock, 100, 200.0)
    feed, past = LiveFeed(ready(source), 4.0, clock=clock), recorder.Recorder()
    kept_mib = []
    _forget_all()
    tracemalloc.start()
    try:
        for number, snapshot in enumerate(feed.snapshots()):
            past.add(snapshot)
            _look(snapshot)
            rows, passed_ns = snapshot.rows, snapshot.clock_ns - START_NS
            assert set(rows["id"][~rows["closed"]].tolist()) == source.ids
            if passed_ns >= WARM_NS and number % 3 == 0:
                gc.collect()
                kept_mib.append(_kept_mib())
            if passed_ns >= 2 * WARM_NS:
                break
    finally:
        tracemalloc.stop()
    early, late = (max(part) for part in np.array_split(kept_mib, 2))
    assert late < 1.05 * early
