"""The columns of a chart: what falls into which, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.model.snapshot import Changes
from tcptop_rtt.view import chart
from tcptop_rtt.view.axes import axis_for, clock_ticks
from tcptop_rtt.view.chart import Columns, Series
from tests.unit.snapshots import NOON_S

pytestmark = pytest.mark.usefixtures("in_utc")


def series(
    *samples: tuple[float, float, float],
    changes: tuple[tuple[float, int, bool], ...] = (),
    end_s: float = 1000.0,
    weight: float = 1,
) -> Series:
    """Of time, RTT and srtt."""
    time_s, rtt_us, srtt_us = np.array(samples, np.float64).reshape(-1, 3).T
    when, retrans, stalled = zip(*changes, strict=True) if changes else ((), (), ())
    return Series(
        time_s,
        rtt_us,
        srtt_us,
        np.full(len(samples), weight),
        Changes(np.array(when, np.float64), np.array(retrans, np.uint32), np.array(stalled, bool)),
        round(end_s * 1e9),
        NOON_S * 1_000_000_000,
    )


def columns(of: Series, window_s: float = 10, count: int = 10) -> Columns:
    return chart.columns_of(of, window_s, count)


def test_a_column_begins_at_a_multiple_of_its_length() -> None:
    # The last column has just begun; the first sample is of the one before the first.
    found = columns(series((-9.1, 1, 0), (-9, 2, 0), (-8.01, 3, 0), (-0.001, 4, 0), (0, 5, 0)))
    assert np.nan_to_num(found.highest_us).tolist() == [3, 0, 0, 0, 0, 0, 0, 0, 4, 5]


def test_what_is_drawn_moves_to_the_left_unchanged() -> None:
    random = np.random.default_rng(5)
    samples = list(zip(np.sort(random.uniform(990, 1000, 40)).tolist(), range(1, 41), strict=True))

    def highest(end_s: float) -> list[float]:
        made = series(*((at - end_s, us, 0) for at, us in samples), end_s=end_s)
        found: list[float] = np.nan_to_num(columns(made).highest_us).tolist()
        return found

    first = highest(1000)
    for end_s in (1000.13, 1000.999, 1001, 1004.5, 1009, 1010):
        moved = int(end_s) - 1000
        assert highest(end_s) == [*first[moved:], *[0] * moved]


def test_the_highest_sample_of_a_column_is_kept() -> None:
    time_s = np.linspace(-59, 0, 50_000)
    rtt_us = np.full(50_000, 1000.0)
    rtt_us[12_345] = 900_000
    found = columns(
        Series(time_s, rtt_us, rtt_us, np.ones(50_000), end_ns=10**12), window_s=60, count=50
    ).highest_us
    assert np.count_nonzero(found == 900_000) == 1


def test_the_smoothed_line_is_held_until_the_next_sample_but_not_for_long() -> None:
    line = chart.smoothed(np.array([1, 1, 4]), np.array([5.0, 6.0, 7.0]), 9, hold=2)
    assert np.isnan(line[[0, 7, 8]]).all()
    assert line[1:7].tolist() == [6.0, 6.0, 6.0, 7.0, 7.0, 7.0]


def test_what_is_older_than_the_first_column_counts_nowhere() -> None:
    old = series((-30, 700, 500), (-20, 800, 600), changes=((-30, 1, False), (-20, 9, False)))
    found = columns(old)
    assert np.isnan(found.highest_us).all()
    assert np.isnan(found.srtt_us).all()
    assert not found.retrans.any()
    assert np.isnan([found.visible.low_us, found.visible.p50_us, found.visible.p95_us]).all()


def test_segments_sent_again_are_told_where_it_was_not_what_there_was_before() -> None:
    changes = ((-8.5, 100, False), (-5, 103, False), (-3.5, 104, False), (-1, 104, True), (0, 90, False))
    assert columns(series(changes=changes)).retrans.tolist() == [0, 0, 0, 0, 3, 1, 0, 0, 0, 0]
    assert not columns(series(changes=((-1, 7, False),))).retrans.any()
    assert not columns(series()).retrans.any()


@pytest.mark.parametrize(
    ("changes", "stalled"),
    [
        ((), "          "),
        (((-5, 0, False),), "          "),
        (((-5, 0, True),), "    ######"),
        (((-50, 0, True),), "##########"),
        (((-50, 0, True), (-40, 0, False)), "          "),
        (((-50, 0, True), (-7, 0, False)), "###       "),
        (((-6, 0, True), (-5.9, 0, False), (-2, 0, True), (0, 0, False)), "   #   ###"),
        (((-6, 0, True), (-5, 3, True), (-4, 3, False)), "   ###    "),
    ],
)
def test_a_stall_lasts_from_its_beginning_to_its_end(
    changes: tuple[tuple[float, int, bool], ...], stalled: str
) -> None:
    found = columns(series(changes=changes)).stalled
    assert "".join("#" if one else " " for one in found) == stalled


def test_quantiles_are_of_what_is_in_view_by_weight() -> None:
    found = columns(series((-30, 9999, 0), *((-1, us, 0) for us in range(1, 101)))).visible
    assert (found.low_us, found.p50_us, found.p95_us) == (1, 50.5, 95.5)
    assert chart.quantiles(np.array([10.0, 20.0]), np.array([1.0, 99.0]), 0.5)[0] >= 19.9
    assert chart.quantiles(np.array([20.0, 10.0]), np.array([99.0, 1.0]), 0.001) == [10.0]
    assert chart.quantiles(np.array([7.0]), np.array([0.5]), 0.0, 0.5, 1.0) == [7.0, 7.0, 7.0]


def test_the_highest_of_a_second_is_no_sample_for_quantiles() -> None:
    found = columns(series((-3, 500, 0), (-2, 800, 0), weight=0))
    assert np.nanmax(found.highest_us) == 800
    assert np.isnan([found.visible.low_us, found.visible.p50_us]).all()


def test_a_reading_says_when_and_what() -> None:
    found = columns(
        series((-5, 212_000, 58_000), changes=((-9, 0, False), (-5, 2, False), (-3, 2, True))), 20, 40
    )
    assert found.reading(29) == "11:59:55.0  highest 212ms  srtt 58.0ms  retransmitted 2"
    assert found.reading(20) == "11:59:50.5  no sample"
    assert found.reading(39) == "12:00:00.0  no sample  stalled"
    assert columns(series((-5, 900, 0)), 120, 60).reading(56) == "11:59:54  highest 0.900ms"


def test_only_what_is_recent_is_taken_from_the_first_sample_on() -> None:
    whole = series((-90, 5, 0), (-70, 6, 0), (-50, 0, 0), (-40, 7, 0), (0, 0, 0))
    assert whole.since(60).time_s.tolist() == [-40, 0]
    assert whole.since(np.inf).time_s.tolist() == [-90, -70, -50, -40, 0]
    assert whole.since(1).time_s.tolist() == []
    assert whole.silent_s == 40


@pytest.mark.parametrize(
    ("us", "low", "high"),
    [
        ([130, 47_000, np.nan], 100, 50_000),
        ([40_000, 41_000], 40_000, 100_000),
        ([1], 1, 2),
        ([], 100, 10_000),
    ],
)
def test_an_axis_is_between_round_numbers(us: list[float], low: float, high: float) -> None:
    axis = axis_for(np.array(us, np.float64))
    assert (axis.low, axis.high) == (low, high)


@pytest.mark.parametrize("us", [0.4, 9.99, 10.0, 999.9999, 1e6, 4.2e9])
def test_whatever_the_rtt_it_is_on_its_axis(us: float) -> None:
    axis = axis_for(np.array([us]))
    assert axis.low <= us <= axis.high


def test_axis_ticks_are_round_and_apart() -> None:
    ticks = axis_for(np.array([130.0, 47_000.0, np.nan])).ticks(12)
    assert set(ticks.values()) >= {100.0, 1000.0, 10_000.0}
    assert all(abs(a - b) >= 2 for a in ticks for b in ticks if a != b)


@pytest.mark.parametrize(
    ("window_s", "count", "labels"),
    [
        (60, 60, {0: "11:59:00", 15: "11:59:15", 30: "11:59:30", 52: "12:00:00"}),
        (300, 60, {0: "11:55:00", 12: "11:56:00", 24: "11:57:00", 36: "11:58:00", 52: "12:00:00"}),
        (60, 20, {0: "11:59:00", 12: "12:00:00"}),
        (60, 19, {11: "12:00:00"}),
        (60, 7, {}),
    ],
)
def test_clock_times_are_round_and_apart(window_s: float, count: int, labels: dict[int, str]) -> None:
    assert clock_ticks(NOON_S, NOON_S, window_s / count, count) == labels


def test_a_clock_time_stands_where_it_was() -> None:
    found = clock_ticks(NOON_S + 7.9, NOON_S + 8, 1, 60)
    assert found == {7: "11:59:15", 22: "11:59:30", 37: "11:59:45", 52: "12:00:07"}
