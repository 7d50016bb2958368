"""How often all sockets are looked at: by what it costs, and by whether somebody looks closely at one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from typing import NamedTuple

from tcptop_rtt.feeds.live import EASY_SCAN_S, SCAN_SHARE, Collector
from tcptop_rtt.model.records import Records
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tests.live.pairs import connected, row_of

COST_S = 0.01
"""Of a scan, at least: half a percent of a core does not allow one each two seconds."""


class _Costly(Probe):
    """Scans as of a machine with thousands of sockets."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.scans = 0

    def scan(self, unheld: Collection[int] = ()) -> Iterator[Records]:
        self.scans += 1
        began_s = time.thread_time()
        while time.thread_time() - began_s < COST_S:
            pass
        yield from super().scan(unheld)


class _Look(NamedTuple):
    now_s: float
    may_scan: bool
    has_scanned: bool
    cost_s: float
    """At least what the collector has measured."""


class _Logged(Collector):
    """Writes down each look, by the clock that the collector itself goes by."""

    def __init__(self, probe: _Costly) -> None:
        super().__init__(probe, 0.1)
        self._probe = probe
        self.looks: list[_Look] = []

    def _look(self, now: float, may_scan: bool) -> None:
        scans = self._probe.scans
        super()._look(now, may_scan)
        self.looks.append(_Look(now, may_scan, self._probe.scans > scans, time.monotonic() - now))

    def scans(self) -> list[_Look]:
        return [look for look in self.looks if look.has_scanned]


def test_costly_scans_are_rare_until_somebody_looks_closely_at_a_connection() -> None:
    with closing(_Costly(Program())) as probe, connected() as (client, _):
        collector = _Logged(probe)
        first_focused = 0
        for snapshot in collector.snapshots():
            if not first_focused and len(collector.scans()) == 4:
                first_focused = len(collector.looks)
                collector.set_focus(int(row_of(snapshot.rows, client)["id"]))
            elif first_focused and len(collector.scans()) == 7:
                collector.stop()
    before, after = collector.looks[:first_focused], collector.looks[first_focused:]
    for last, scan in itertools.pairwise(look for look in before if look.has_scanned):
        assert scan.now_s - last.now_s >= EASY_SCAN_S
    # The answer to the focus is a scan, and from then on there is one whenever its share of a core allows it.
    last = next(look for look in after if look.may_scan)
    assert last.has_scanned
    for look in after[after.index(last) + 1 :]:
        if look.may_scan and look.now_s - last.now_s >= last.cost_s / SCAN_SHARE:
            assert look.has_scanned
        if look.has_scanned:
            last = look
