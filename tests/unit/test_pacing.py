"""The interval follows the number of active sockets, both ways."""

from __future__ import annotations

import pytest

from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.pacing import Pace
from tcptop_rtt.model.records import INTERVAL_S

READ_S = 0.5
BUDGET = Budget()
TARGET, FRESH_S = BUDGET.target_records_per_s, BUDGET.fresh_interval_s


def _settled(pace: Pace, active: int, now: float, seconds: float) -> tuple[float, float]:
    """So many sockets send a record per interval each: the time then, and the records/s of the last half."""
    due, count, half = 0.0, 0, now + seconds / 2
    for _ in range(int(seconds / READ_S)):
        now += READ_S
        due += active * READ_S / pace.report_interval_s
        records, due = int(due), due % 1
        pace.take(records, now)
        count += records if now > half else 0
    return now, count / (seconds / 2)


@pytest.mark.parametrize("active", [0, 1, 100, 249])
def test_few_active_sockets_are_told_of_ten_times_a_second(active: int) -> None:
    pace = Pace(1000.0, BUDGET)
    _settled(pace, active, 1000.0, 20)
    assert pace.report_interval_s == INTERVAL_S == 0.1


@pytest.mark.parametrize("active", [500, 1_000, 15_900])
def test_with_more_the_records_are_fewer_but_each_second_has_one_of_each_socket(active: int) -> None:
    pace = Pace(1000.0, BUDGET)
    _, records_per_s = _settled(pace, active, 1000.0, 120)
    assert pace.report_interval_s == pytest.approx(min(active / TARGET, FRESH_S), rel=0.1)
    assert records_per_s == pytest.approx(max(TARGET, active / FRESH_S), rel=0.1)


@pytest.mark.parametrize("active", [20_000, 100_000])
def test_with_many_the_records_stay_within_the_budget(active: int) -> None:
    pace = Pace(1000.0, BUDGET)
    _, records_per_s = _settled(pace, active, 1000.0, 120)
    assert pace.report_interval_s == pytest.approx(active / BUDGET.max_records_per_s, rel=0.1)
    assert records_per_s == pytest.approx(BUDGET.max_records_per_s, rel=0.1)


def test_a_burst_is_answered_before_its_interval_is_over() -> None:
    pace = Pace(1000.0, BUDGET)
    now, _ = _settled(pace, 100_000, 1000.0, 60)
    long = pace.report_interval_s
    pace.take(round(10 * BUDGET.max_records_per_s), now + READ_S)
    assert pace.report_interval_s >= 10 > long


def test_when_they_rest_the_interval_is_short_again() -> None:
    pace = Pace(1000.0, BUDGET)
    now, _ = _settled(pace, 100_000, 1000.0, 60)
    assert pace.report_interval_s > 1
    _settled(pace, 50, now, 20)
    assert pace.report_interval_s == INTERVAL_S
