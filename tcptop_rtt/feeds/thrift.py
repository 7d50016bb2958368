"""Makes records, scans and refreshes less frequent, so that the program stays within its share of a core.

The hook cannot be made less frequent, as it runs for every segment. Of the share that the hook leaves,
refreshes get as much as they need. Records and scans get half of the rest each, and what one of them does
not need goes to the other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.cost_meter import CostMeter
from tcptop_rtt.model.snapshot import OwnCost

AIM, LEAST, MOST = 0.8, 0.6, 0.95
"""Shares of the budget: a change of the spacing aims at AIM, and nothing is changed from LEAST to MOST."""
SETTLED_S = 5.0
"""The cost of the first seconds is ignored: starting up happens only once."""
OVER_S = 10.0
"""Costs are averaged over about this time."""
MEASURE_AGAIN_S, MEASURE_SOON_S = 30.0, 5.0
"""The time between two measurements of the hook; the shorter one if its work has doubled or halved."""
SPACED = 1.05
"""A factor below this is not applied."""


class Spacing(NamedTuple):
    """By what factors the times between records, scans and refreshes are longer than without a budget."""

    records: float = 1.0
    scans: float = 1.0
    refreshes: float = 1.0


class Spent(NamedTuple):
    """The cost of a period, in seconds of processor time, and the numbers that explain it."""

    passed_s: float
    reading_s: float
    scan_share: float
    """The share of one core that scans would take without spacing."""
    rest_s: float
    """The processor time of everything else, which is the cost of refreshes."""
    records: int
    samples: int


class Thrift:
    """Follows the cost, and sets the spacing. One thread owns it.

    :param meter: measures the cost of the hook now and then
    """

    def __init__(self, budget: Budget, meter: CostMeter) -> None:
        self.spacing = Spacing()
        self.share: float | None = None
        """The share of one core that the program has taken lately; None if not known, or without a budget."""
        self.kernel_share: float | None = None
        """The part of :attr:`share` for the hook and its records; None likewise."""
        self._budget = budget
        self._meter = meter
        self._passed_s = self._measured_s = 0.0
        self._averages = _Averages()
        self._measured: OwnCost | None = None
        self._measured_events = 0.0

    def take(self, spent: Spent, most: Spacing) -> None:
        """Add a period to the averages, and change the spacing if the cost is too high or too low.

        :param most: the largest factor for each
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
        """The latest measurement, scaled by how much the number of events has grown since.

        :param events_per_s: samples plus records
        :param estimate: the result if the share cannot be measured
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
    """The factors with which the total cost fits into the available share.

    :param needs: the share of a core that each takes without spacing
    :param most: the largest factor for each; returned if even these do not suffice
    :param room: the share of a core that all three may take together
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
    """Averages per second, weighted towards the newest amounts."""

    def __init__(self) -> None:
        self._sums = np.zeros(0)
        self._passed_s = 0.0

    def add(self, passed_s: float, *amounts: float) -> list[float]:
        """Add the amounts of the last ``passed_s`` seconds; return the averages per second."""
        kept = math.exp(-passed_s / OVER_S)
        before = self._sums if len(self._sums) else np.zeros(len(amounts))
        self._sums = before * kept + amounts
        self._passed_s = self._passed_s * kept + passed_s
        found: list[float] = (self._sums / self._passed_s).tolist()
        return found
