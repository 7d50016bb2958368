"""How often all sockets are looked at: by what it costs, and by whether somebody looks closely at one."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing

from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.records import Records
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tests.live.pairs import connected, row_of

COST_S = 0.01
"""Of a scan, at least: half a percent of a core does not allow one each two seconds."""


class _Costly(Probe):
    """Scans as of a machine with thousands of sockets."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, Direct())
        self.scans: list[float] = []
        """When each began."""

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        self.scans.append(time.monotonic())
        began_s = time.thread_time()
        while time.thread_time() - began_s < COST_S:
            pass
        yield from super().scan(unheld)


def test_costly_scans_are_rare_but_the_answer_to_a_close_look_is_one() -> None:
    with closing(_Costly(Program.loaded())) as probe, connected() as (client, _):
        feed = LiveFeed(ready(probe), 0.1)
        snapshots = feed.snapshots()
        before_s: list[float] = []
        while len(probe.scans) < 4:
            asked_s = time.monotonic()
            snapshot = next(snapshots)
            if len(probe.scans) > len(before_s):
                before_s.append(asked_s)
        # The feed's own moment of a scan is between the question for its snapshot and its beginning.
        for asked_s, next_scan_s in zip(before_s, probe.scans[1:], strict=False):
            assert next_scan_s - asked_s >= Budget().fresh_scan_s
        feed.set_trace(int(row_of(snapshot.rows, client)["id"]))
        assert next(snapshots).trace
        assert len(probe.scans) == 5
