"""What the program costs, measured on request beside its work, by a clock and a source made by hand."""

from __future__ import annotations

import errno
import os

import pytest

from tcptop_rtt.feeds.base import Capability
from tcptop_rtt.feeds.cost_meter import MEASURED_S
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.snapshot import OwnCost, ProgramCost
from tests.unit.fake import FakeSource, ScriptedClock

WORK_S = 0.02
"""Of each refresh."""


class Scene:
    """A feed, its clock and its source; each snapshot takes its time to show."""

    def __init__(self, refresh_s: float) -> None:
        self.clock = ScriptedClock()
        self.source = FakeSource(self.clock)
        self.source.runs_per_s, self.source.ns_per_run = 20_000, 100.0
        self.feed = LiveFeed(ready(self.source), refresh_s, clock=self.clock)
        self._snapshots = self.feed.snapshots()

    def next(self) -> OwnCost | None:
        cost = next(self._snapshots).cost
        self.clock.work(WORK_S)
        return cost


def test_the_answer_comes_within_about_a_second_however_rare_refreshes_are() -> None:
    scene = Scene(refresh_s=3600)
    assert Capability.MEASURE in scene.feed.capabilities
    assert scene.next() is None
    scene.feed.measure_cost()
    asked_s = scene.clock.monotonic_s()
    cost = scene.next()
    assert scene.clock.monotonic_s() - asked_s == pytest.approx(MEASURED_S + WORK_S, abs=0.01)
    assert cost is not None
    assert cost.lasted_s == pytest.approx(MEASURED_S, abs=0.01)
    assert cost.time_ns == pytest.approx(scene.clock.wall_ns(), abs=1e9)
    assert (cost.cpu_percent, cost.note) == (0.0, "")  # nothing was shown meanwhile
    assert cost.kernel_percent == pytest.approx(0.2)  # an iterator's time is this process's
    hook, iterator = cost.programs  # one has not run
    assert hook == ProgramCost("on_segment", hook.runs_per_s, 100.0, ours=False)
    assert hook.runs_per_s == pytest.approx(20_000)
    assert iterator == ProgramCost("iterator", iterator.runs_per_s, 2_500_000.0, ours=True)
    assert scene.next() is cost
    assert len(scene.source.counts_s) == 1


def test_a_request_while_it_is_measured_begins_no_other_one() -> None:
    scene = Scene(refresh_s=0.25)
    scene.next()
    scene.feed.measure_cost()
    scene.next()
    scene.feed.measure_cost()
    costs = [scene.next() for _ in range(12)]
    assert len(scene.source.counts_s) == 1
    assert len({id(cost) for cost in costs if cost}) == 1
    scene.feed.measure_cost()
    later = [scene.next() for _ in range(8)][-1]
    assert len(scene.source.counts_s) == 2
    assert later is not costs[-1]


def test_a_count_that_is_refused_leaves_the_processor_time_and_says_so() -> None:
    scene = Scene(refresh_s=0.5)
    scene.source.count_failure = PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    scene.next()
    scene.feed.measure_cost()
    cost = next(cost for cost in (scene.next() for _ in range(6)) if cost)
    assert cost.note == "the kernel cannot count the cost: Operation not permitted"
    assert (cost.kernel_percent, cost.programs) == (None, ())
    assert cost.cpu_percent == pytest.approx(100 * WORK_S / 0.5, rel=0.6)


def test_nobody_asks_and_nothing_is_counted() -> None:
    scene = Scene(refresh_s=1.0)
    assert {scene.next() for _ in range(90)} == {None}
    assert scene.source.counts_s == []
