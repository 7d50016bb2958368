"""A connection's past: the last minute in detail, ten minutes before it in brief."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.model.snapshot import CELL_NS
from tcptop_rtt.tracking.history import CELLS, History

SECOND = 1_000_000_000
START = 1_000 * SECOND


def _add(history: History, rtt_us: int, time_ns: int, row: int) -> None:
    history.add(np.array([row]), np.array([rtt_us], np.uint32), np.array([time_ns], np.uint64))


def _history_of(seconds: int) -> History:
    """One sample a second, of as many microseconds as seconds have passed."""
    history = History(START)
    history.resize(2)
    for second in range(seconds):
        history.advance(START + second * SECOND)
        _add(history, second + 1, START + second * SECOND, 1)
    return history


def test_the_last_minute_is_there_to_the_sample() -> None:
    time_ns, rtt_us = _history_of(50).past(1)
    assert rtt_us.tolist() == list(range(1, 51))
    assert np.diff(time_ns).tolist() == [SECOND] * 49
    assert time_ns[-1] == START + 49 * SECOND


def test_what_is_older_is_kept_as_the_highest_of_ten_seconds() -> None:
    time_ns, rtt_us = _history_of(300).past(1)
    minute = CELLS * CELL_NS // SECOND
    assert rtt_us[-minute:].tolist() == list(range(301 - minute, 301))
    assert rtt_us[:-minute].tolist() == list(range(10, 301 - minute, 10))
    assert (np.diff(time_ns) > 0).all()


def test_ten_minutes_are_kept_and_no_more() -> None:
    time_ns, _ = _history_of(2000).past(1)
    assert 580 * SECOND <= time_ns[-1] - time_ns[0] <= 600 * SECOND


def test_a_row_that_is_cleared_or_moved_takes_its_past_along() -> None:
    history = _history_of(100)
    past = history.past(1)
    history.move(np.array([1]), np.array([0]))
    history.clear(slice(1, 2))
    assert [values.tolist() for values in history.past(0)] == [values.tolist() for values in past]
    assert len(history.past(1)[0]) == 0


def test_after_a_long_pause_nothing_old_is_taken_for_new() -> None:
    history = _history_of(400)
    history.advance(START + 1100 * SECOND)
    assert len(history.past(1)[0]) == 0


@pytest.mark.parametrize("pause", [30, 61, 300, 590])
def test_after_a_pause_what_is_not_too_old_is_still_there(pause: int) -> None:
    history = _history_of(700)
    history.advance(START + (699 + pause) * SECOND)
    time_ns, rtt_us = history.past(1)
    assert time_ns[0] <= START + (699 + pause - 580) * SECOND
    assert time_ns[-1] >= START + 690 * SECOND
    assert rtt_us[-1] == 700
    assert (rtt_us <= time_ns / SECOND - START / SECOND + 10).all()


@pytest.mark.parametrize("pause", [5, 11, 30, 61, 300])
def test_samples_that_are_read_after_a_pause_are_of_their_own_seconds(pause: int) -> None:
    whole, late = _history_of(700 + pause), _history_of(700)
    now_ns = START + (699 + pause) * SECOND
    late.advance(now_ns)
    late.latest(CELLS, 2)
    times_ns = START + np.arange(700, 700 + pause) * SECOND
    values = np.arange(701, 701 + pause, dtype=np.uint32)
    late.add(np.ones(pause, int), values, times_ns.astype(np.uint64))
    assert [part.tolist() for part in late.past(1)] == [part.tolist() for part in whole.past(1)]
    for cell, same in zip(whole.latest(CELLS, 2), late.latest(CELLS, 2), strict=True):
        np.testing.assert_array_equal(cell, same)


def test_a_sample_that_is_too_old_is_of_no_second() -> None:
    history = _history_of(700)
    before = history.past(1)
    for age in (650, 690):
        _add(history, 9_999, START + (699 - age) * SECOND, 1)
    assert [one.tolist() for one in history.past(1)] == [one.tolist() for one in before]


def test_a_sample_that_comes_late_belongs_to_the_second_before_and_to_its_ten() -> None:
    history = History(START)
    history.resize(1)
    for second in range(1, 120):
        history.advance(START + second * SECOND)
        history.latest(4, 1)
        _add(history, second, START + second * SECOND - 1, 0)
        _add(history, 1, START + second * SECOND, 0)
    frozen = np.array([cell[0] for cell in history.latest(4, 1)])
    assert frozen.tolist() == [117, 118, 119, 1]
    time_ns, rtt_us = history.past(0)
    assert dict(zip(time_ns.tolist(), rtt_us.tolist(), strict=True))[START + 40 * SECOND] == 50


def test_frozen_cells_stay_and_those_frozen_next_are_up_to_date() -> None:
    history = History(START)
    history.resize(3)
    frozen = []
    for half in range(8):  # each cell is frozen twice, and a sample after each of them
        history.advance(START + half * CELL_NS // 2)
        frozen.append((half, history.latest(4, 2)))
        _add(history, 100 + half, START + half * CELL_NS // 2, 0)
    history.move(np.array([2]), np.array([0]))
    history.clear(slice(0, 1))
    for half, cells in frozen:
        begun, present = range(max(0, half // 2 - 3), half // 2), half // 2
        expected = [100 + 2 * cell + 1 for cell in begun]
        expected += [100 + 2 * present] if half % 2 else []
        column = np.array([cell[0] for cell in cells])
        assert column[~np.isnan(column)].tolist() == expected
    assert np.isnan(history.latest(4, 3)).all()
