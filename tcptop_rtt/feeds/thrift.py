"""How much less often records, scans and refreshes come, so that all costs less than a share of a core.

What cannot be made rarer is the hook, which runs for every segment. Of what it leaves, refreshes get as much
as they need, and records and scans share the rest: what one does not need of its half, the other gets.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.cost_meter import CostMeter
from tcptop_rtt.model.snapshot import OwnCost

AIM, LEAST, MOST = 0.8, 0.6, 0.95
"""Of the budget: what is spent after a change, and between which limits nothing is changed."""
SETTLED_S = 5.0
"""What a start costs does not count: it does not come again."""
OVER_S = 10.0
"""Costs are averages over about so long."""
MEASURE_AGAIN_S, MEASURE_SOON_S = 30.0, 5.0
"""Between two measurements of the hook, and where there is twice or half as much for it to do."""
SPACED = 1.05
"""What would be spaced by less is left alone."""


class Spacing(NamedTuple):
    """Of each how many times as long it takes from one to the next as it would without a budget."""

    records: float = 1.0
    scans: float = 1.0
    refreshes: float = 1.0


class Spent(NamedTuple):
    """What a period has cost, in seconds of processor time, and why."""

    passed_s: float
    reading_s: float
    scan_share: float
    """Of one core: what scans would take if they were not spaced."""
    rest_s: float
    """All that is done for refreshes."""
    records: int
    samples: int


class Thrift:
    """Follows what is spent, and spaces what can be. One thread owns it.

    :param meter: measures what the hook costs, now and then
    """

    def __init__(self, budget: Budget, meter: CostMeter) -> None:
        self.spacing = Spacing()
        self.share: float | None = None
        """Of one core, that all of it has taken lately; None: not known yet, or there is no budget."""
        self.kernel_share: float | None = None
        """The part of the hook, with its records; None likewise."""
        self._budget = budget
        self._meter = meter
        self._passed_s = self._measured_s = 0.0
        self._averages = _Averages()
        self._measured: OwnCost | None = None
        self._measured_events = 0.0

    def take(self, spent: Spent, most: Spacing) -> None:
        """Count a period in, and space anew where that is called for.

        :param most: as far as each may be spaced
        """
        budget, spacing = self._budget, self.spacing
        self._passed_s += spent.passed_s
        if budget.most_share == math.inf or self._passed_s < SETTLED_S:
            return
        record_s = spent.records * budget.record_s
        records, refreshes, record_share, per_s, samples_per_s = self._averages.add(
            spent.passed_s,
            (spent.reading_s + record_s) * spacing.records,
            spent.rest_s * spacing.refreshes,
            record_s,
            spent.records + spent.samples,
            spent.samples,
        )
        self.kernel_share = self._kernel_share(per_s, samples_per_s * budget.segment_s + record_share)
        hook = max(0.0, self.kernel_share - record_share)
        needs = Spacing(records, spent.scan_share, refreshes)
        self.share = hook + sum(need / times for need, times in zip(needs, spacing, strict=True))
        least = LEAST if max(spacing) > 1 else 0.0
        if not least <= self.share / budget.most_share <= MOST:
            self.spacing = spaced(needs, most, AIM * budget.most_share - hook)

    def _kernel_share(self, events_per_s: float, estimate: float) -> float:
        """As measured last, and grown by as much as there is more to do.

        :param events_per_s: samples and records
        :param estimate: what it is if it cannot be measured
        """
        if self._meter.latest is not self._measured:
            self._measured, self._measured_s = self._meter.latest, self._passed_s
            self._measured_events = events_per_s
        measured, age_s = self._measured, self._passed_s - self._measured_s
        growth = events_per_s / self._measured_events if self._measured_events else 1.0
        other = age_s >= MEASURE_SOON_S and not 0.5 <= growth <= 2
        if measured is None or age_s >= MEASURE_AGAIN_S or other:
            self._meter.begin()
        if measured is None or measured.kernel_percent is None:
            return estimate
        return measured.kernel_percent / 100 * growth


def spaced(needs: Spacing, most: Spacing, room: float) -> Spacing:
    """How far each has to be spaced, so that all find room.

    :param needs: the share of a core that each takes unspaced
    :param most: as far as each may be spaced: that far, where nothing less will do
    :param room: the share of a core that they may take together
    """
    least = Spacing(*(need / times for need, times in zip(needs, most, strict=True)))
    spare = room - sum(least)
    if spare <= 0:
        return most
    more = Spacing(*(need - little for need, little in zip(needs, least, strict=True)))
    refreshes = min(more.refreshes, spare)
    spare -= refreshes
    records = min(more.records, max(spare / 2, spare - more.scans))
    scans = min(more.scans, spare - records)
    granted = zip(needs, least, Spacing(records, scans, refreshes), strict=True)
    times = (need / (little + extra) if need else 1.0 for need, little, extra in granted)
    return Spacing(*(each if each >= SPACED else 1.0 for each in times))


class _Averages:
    """Of what comes per second, the newest counting most."""

    def __init__(self) -> None:
        self._sums = np.zeros(0)
        self._passed_s = 0.0

    def add(self, passed_s: float, *amounts: float) -> list[float]:
        """What it is now, with so much that has come in so long."""
        kept = math.exp(-passed_s / OVER_S)
        before = self._sums if len(self._sums) else np.zeros(len(amounts))
        self._sums = before * kept + amounts
        self._passed_s = self._passed_s * kept + passed_s
        found: list[float] = (self._sums / self._passed_s).tolist()
        return found
