"""How often all sockets are looked at: by what it costs, and by whether somebody looks closely at one."""

from __future__ import annotations

import time
from contextlib import closing

import numpy as np

from tcptop_rtt.collector import EASY_SCAN_S, Collector
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tcptop_rtt.sources.record import Records
from tests.live.pairs import connected

COST_S = 0.01
"""Of a scan, at least: two percent of a core allow one each half second, half a percent each two seconds."""


class _Costly(Probe):
    """Scans as of a machine with thousands of sockets."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.scanned_s: list[float] = []

    def scan(self) -> Records:
        self.scanned_s.append(time.monotonic())
        time.sleep(COST_S)
        return super().scan()


def test_costly_scans_are_rare_until_somebody_looks_closely_at_a_connection() -> None:
    with closing(_Costly(Program())) as probe, connected():
        collector = Collector(probe, 0.1)
        began_s, focused_s = time.monotonic(), 0.0
        for snapshot in collector.snapshots():
            now_s = time.monotonic()
            if not focused_s and now_s > began_s + 2.5 * EASY_SCAN_S:
                collector.set_focus(int(snapshot.rows["id"][0]))
                focused_s = now_s
            elif focused_s and now_s > focused_s + 1.5 * EASY_SCAN_S:
                collector.stop()
        scanned_s = np.array(probe.scanned_s)
        before, after = scanned_s[scanned_s < focused_s], scanned_s[scanned_s >= focused_s]
        # The first one finds the sockets without a descriptor, too.
        assert np.diff(before)[1:].min() > 0.9 * EASY_SCAN_S
        assert after[0] - focused_s < 0.5 * EASY_SCAN_S
        assert np.diff(after).max() < 0.9 * EASY_SCAN_S
