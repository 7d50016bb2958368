"""The contract on cost: what is spaced so that all stays below a share, by a clock and costs made by hand."""

from __future__ import annotations

import errno
import os
import random
from typing import NamedTuple

import numpy as np
import pytest

from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.cost_meter import MEASURED_S
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.feeds.thrift import AIM, MEASURE_AGAIN_S, MEASURE_SOON_S, MOST, Spacing, spaced
from tcptop_rtt.model.snapshot import SPACED, Health, Snapshot
from tcptop_rtt.sources.base import Batch, ProgramRuns
from tcptop_rtt.view.own_health import what_is_over, what_the_budget_does
from tests.unit.fake import START_NS, FakeSource, ScriptedClock, connection, sample

RECORD_S = 2e-5
"""Of the kernel's time: more than a record really costs, so that a few of them are as much as thousands."""
SETTLED_S = 90.0
"""By then nothing is left of the beginning."""
WINDOW_S = 120.0
"""Two scans come in this time at least."""


class Busy(FakeSource):
    """So many sockets that are always at it, and a hook that takes a share of a core for them."""

    def __init__(self, clock: ScriptedClock, sockets: int, hook_share: float) -> None:
        super().__init__(clock)
        self._time = clock
        self.sockets, self.hook_share = sockets, hook_share
        self.record_cost_s = 0.0
        self.lost_per_s = 0
        """Records that find no room."""
        self._told_s = self._paid_until_s = clock.monotonic_s()
        self._paid_s = self._due = 0.0
        self._windows = 0
        self._counted_from_s = 0.0

    @property
    def kernel_s(self) -> float:
        """What the traffic has paid so far, for the hook and for its records."""
        now = self._time.monotonic_s()
        passed_s, self._paid_until_s = now - self._paid_until_s, now
        self._paid_s += passed_s * (self.hook_share + self.sockets / self.report_interval_s * RECORD_S)
        return self._paid_s

    def set_report_interval(self, seconds: float) -> None:
        assert self.kernel_s >= 0  # paid at the pace until now
        super().set_report_interval(seconds)

    def read(self) -> Batch:
        now = self._time.monotonic_s()
        passed_s, self._told_s = now - self._told_s, now
        self._due += self.sockets * passed_s / self.report_interval_s
        count, self._due = int(self._due), self._due % 1
        self._windows += count
        self.dropped_records += round(passed_s * self.lost_per_s)
        self.records = [
            *self.records,
            *(sample(1 + at % self.sockets, 50, window_start=self._windows + at) for at in range(count)),
        ]
        self._time.work(count * self.record_cost_s)
        return super().read()

    def begin_counting(self) -> None:
        super().begin_counting()
        self._counted_from_s = self.kernel_s

    def end_counting(self) -> tuple[ProgramRuns, ...]:
        return (
            ProgramRuns("on_segment", 1, round(1e9 * (self.kernel_s - self._counted_from_s)), ours=False),
        )


class Moment(NamedTuple):
    """How it was at a snapshot."""

    time_s: float
    spent_s: float
    """Everything so far."""
    health: Health


class Run:
    """A feed with a budget, and a screen that takes its time to paint."""

    def __init__(
        self,
        percent: float,
        sockets: int = 0,
        hook_percent: float = 0.0,
        scan_s: float = 0.0,
        paint_s: float = 0.0,
        refresh_s: float = 1.0,
    ) -> None:
        self.clock = ScriptedClock()
        self.source = Busy(self.clock, sockets, hook_percent / 100)
        self.source.entries = [connection(number) for number in range(1, sockets + 1)]
        self.source.scan_cost_s, self.source.read_cost_s = scan_s, 1e-5
        self.paint_s, self.noise = paint_s, 0.0
        budget = Budget(most_share=percent / 100, record_s=RECORD_S)
        self.feed = LiveFeed(ready(self.source), refresh_s, budget, self.clock)
        self._snapshots = self.feed.snapshots()
        self._dice = random.Random(1)  # noqa: S311 - no secret
        self.moments: list[Moment] = []

    def next(self) -> Snapshot:
        snapshot = next(self._snapshots)
        self.clock.work(self.paint_s * (1 + self.noise * self._dice.uniform(-1, 1)))
        spent_s = self.clock.process_s() + self.source.kernel_s
        self.moments.append(Moment(self.seconds(), spent_s, snapshot.health))
        return snapshot

    def seconds(self) -> float:
        return (self.clock.now_ns - START_NS) / 1e9

    def on(self, seconds: float) -> list[Moment]:
        """Let so much time pass: what came meanwhile."""
        until_s, before = self.seconds() + seconds, len(self.moments)
        while self.seconds() < until_s:
            self.next()
        return self.moments[before:]


def most_spent(moments: list[Moment]) -> float:
    """The largest share of a core, in percent, that it has taken in any time of that length."""
    times_s = np.array([moment.time_s for moment in moments])
    spent_s = np.array([moment.spent_s for moment in moments])
    ends = np.searchsorted(times_s, times_s + WINDOW_S)
    begins = np.arange(len(times_s))[ends < len(times_s)]
    ends = ends[: len(begins)]
    assert len(begins) > 5
    shares: list[float] = ((spent_s[ends] - spent_s[begins]) / (times_s[ends] - times_s[begins])).tolist()
    return 100 * max(shares)


# What is spaced, and how far


@pytest.mark.parametrize(
    "load",
    [
        {"scan_s": 0.02},
        {"sockets": 20},
        {"paint_s": 0.02},
        {"sockets": 20, "scan_s": 0.02, "paint_s": 0.004},
        {"sockets": 20, "scan_s": 0.02, "paint_s": 0.004, "hook_percent": 0.2},
        {"sockets": 10, "scan_s": 0.15, "paint_s": 0.001, "refresh_s": 0.25},
        {"scan_s": 0.01, "paint_s": 0.02, "refresh_s": 5.0},
    ],
    ids=["scans", "records", "refreshes", "all", "hook", "large-scans", "slow"],
)
@pytest.mark.parametrize("percent", [0.5, 1.0])
def test_what_is_spent_stays_below_the_budget_once_it_is_settled(
    load: dict[str, float], percent: float
) -> None:
    run = Run(percent, **load)  # type: ignore[arg-type]
    run.on(SETTLED_S)
    moments = run.on(360)
    assert most_spent(moments) <= percent
    assert {what_is_over(moment.health) for moment in moments} == {""}
    # No more is given up than has to be.
    if moments[-1].health.spaced:
        assert most_spent(moments) >= 0.5 * percent


def test_little_load_gives_nothing_up() -> None:
    run = Run(0.5, sockets=2, hook_percent=0.05, scan_s=0.0002, paint_s=0.001)
    moments = run.on(300)
    assert {moment.health.spaced for moment in moments} == {frozenset()}
    assert what_the_budget_does(moments[-1].health) == "budget 0.5%"
    assert most_spent(moments) < 0.5


def test_without_a_budget_nothing_is_spaced_and_nothing_is_counted_by_itself() -> None:
    run = Run(float("inf"), sockets=20, hook_percent=3, scan_s=0.02, paint_s=0.1)
    health = run.on(120)[-1].health
    assert (health.spaced, health.budget_percent) == (frozenset(), 0)
    assert health.cost_percent is health.kernel_percent is None
    assert run.source.counts_s == []
    assert (what_the_budget_does(health), what_is_over(health)) == ("", "")


def test_refreshes_are_given_up_last() -> None:
    run = Run(0.5, sockets=20, scan_s=0.02, paint_s=0.003)
    health = run.on(SETTLED_S)[-1].health
    assert health.spaced == {"records", "scans"}
    assert health.refresh_s == 1.0
    run.paint_s = 0.03
    health = run.on(SETTLED_S)[-1].health
    assert health.spaced == set(SPACED)
    assert 50 <= health.scan_pause_s <= 60
    assert health.report_interval_s > 4
    assert 5 < health.refresh_s <= 10


def test_what_is_told_is_what_is_done() -> None:
    run = Run(0.5, sockets=20, scan_s=0.02, paint_s=0.01)
    run.on(SETTLED_S)
    run.source.scans_s.clear()
    moments = run.on(600)
    told = moments[-1].health
    assert run.source.report_interval_s == told.report_interval_s > 0.1
    assert np.diff(run.source.scans_s).min() >= told.scan_pause_s > 2.0
    assert np.diff([moment.time_s for moment in moments])[1:].min() >= told.refresh_s - 0.1 > 1.0


def test_when_the_load_goes_everything_is_as_often_as_before() -> None:
    run = Run(0.5, sockets=20, hook_percent=0.1, scan_s=0.02, paint_s=0.05)
    assert run.on(SETTLED_S)[-1].health.spaced == set(SPACED)
    run.source.sockets, run.source.hook_share, run.source.scan_cost_s, run.paint_s = 1, 0.0, 0.0001, 0.0005
    health = run.on(SETTLED_S)[-1].health
    assert health.spaced == set()
    assert (health.refresh_s, health.report_interval_s) == (1.0, 0.1)


def test_a_load_that_varies_does_not_make_it_swing() -> None:
    run = Run(0.5, sockets=20, scan_s=0.02, paint_s=0.02)
    run.noise = 0.25
    run.on(2 * SETTLED_S)
    moments = run.on(600)
    refreshes = [moment.health.refresh_s for moment in moments]
    changes = int(np.count_nonzero(np.diff(refreshes)))
    assert changes <= len(refreshes) / 10
    assert max(refreshes) / min(refreshes) < 1.5
    assert most_spent(moments) <= 0.5


def test_a_hook_that_costs_more_than_all_is_told_and_everything_goes_on() -> None:
    run = Run(0.5, sockets=5, hook_percent=0.8, scan_s=0.002, paint_s=0.001)
    run.on(SETTLED_S)
    moments = run.on(300)
    assert len(moments) >= 25  # every ten seconds
    health = moments[-1].health
    assert health.kernel_percent == pytest.approx(0.8, rel=0.1)
    assert what_is_over(health) == f"hook alone costs {health.kernel_percent:.2g}%: over the budget of 0.5%"
    assert health.spaced == set(SPACED)


def test_what_costs_too_much_by_itself_is_told_without_blaming_the_hook() -> None:
    run = Run(0.5, paint_s=0.2)
    run.on(SETTLED_S)
    health = run.on(120)[-1].health
    assert health.refresh_s == 10.0
    assert what_is_over(health) == "costs 2%: over the budget of 0.5%"


def test_a_longer_interval_than_any_budget_asks_for_stays() -> None:
    run = Run(0.5, paint_s=2.0, refresh_s=30.0)
    run.on(SETTLED_S)
    assert run.on(300)[-1].health.refresh_s == 30.0


def test_what_comes_beyond_a_read_finds_room_in_the_ring_buffer() -> None:
    run = Run(0.5, sockets=40, paint_s=0.05)
    run.on(SETTLED_S)
    run.source.reads_s.clear()
    run.on(120)
    assert run.moments[-1].health.refresh_s > 5
    assert 1.5 < np.diff(run.source.reads_s).max() <= Budget().longest_spaced_read_s + 0.2
    # Where more comes than finds room for sure, reads are as frequent as without a budget.
    run.source.lost_per_s = 10_000
    run.on(30)
    run.source.reads_s.clear()
    run.on(30)
    assert np.diff(run.source.reads_s).max() <= Budget().longest_read_s + 0.2


def test_room_is_shared_to_the_last() -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    for _ in range(2000):
        needs = Spacing(*(dice.choice((0.0, dice.random())) for _ in SPACED))
        most = Spacing(*(dice.choice((1.0, 1 + 50 * dice.random())) for _ in SPACED))
        room = dice.uniform(-0.2, 2.0)
        times = spaced(needs, most, room)
        taken = [need / each for need, each in zip(needs, times, strict=True)]
        at_least = [need / each for need, each in zip(needs, most, strict=True)]
        assert all(1 <= each <= limit * (1 + 1e-9) for each, limit in zip(times, most, strict=True))
        if room <= sum(at_least):
            assert times == most
            continue
        # What is spaced by less than a twentieth is left alone.
        assert sum(taken) <= 1.05 * room
        if max(times) > 1:
            assert sum(taken) >= room * 0.999 - 1e-9
        if times.refreshes > 1:
            assert taken[0] <= 1.06 * at_least[0] + 1e-9
            assert taken[1] <= 1.06 * at_least[1] + 1e-9
    assert AIM * 1.05 < MOST


# What the kernel's part is


def test_the_hook_is_measured_now_and_then_and_soon_where_there_is_more_to_do() -> None:
    run = Run(1.0, sockets=10, hook_percent=0.1)
    run.on(200)
    apart_s = np.diff(run.source.counts_s)
    assert apart_s.min() >= MEASURE_AGAIN_S
    assert apart_s.max() <= MEASURE_AGAIN_S + 10 * MEASURED_S
    assert run.moments[-1].health.kernel_percent == pytest.approx(0.1 + 100 * 10 * 10 * RECORD_S, rel=0.6)
    run.source.counts_s.clear()
    run.source.sockets, run.source.hook_share = 100, 0.004
    run.on(20)
    assert MEASURE_SOON_S <= np.diff(run.source.counts_s).min() <= MEASURE_AGAIN_S / 2


def test_where_the_kernel_does_not_count_it_is_an_estimate_and_says_why() -> None:
    run = Run(1.0, sockets=10, hook_percent=0.1)
    run.source.count_failure = PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    health = run.on(SETTLED_S)[-1].health
    assert health.kernel_note == "the kernel cannot count the cost: Operation not permitted"
    per_s = 10 / health.report_interval_s
    assert health.kernel_percent == pytest.approx(100 * per_s * (RECORD_S + Budget().segment_s), rel=0.1)
