"""Where ids stand among others."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.model.ids import distinct, gained, matched, places
from tcptop_rtt.model.listeners import LISTENER


def test_connections_are_found_where_they_have_been() -> None:
    before, now = np.array([5, 7, 9, 11], "u8"), np.array([5, 11, 9, 12, 13, 7], "u8")
    assert matched(before, now).tolist() == [0, 3, 2, -1, -1, 1]
    assert matched(before[:0], now).tolist() == [-1] * 6
    assert matched(before, now[:0]).tolist() == []


def test_whatever_order_rows_are_in_each_is_found_by_its_id() -> None:
    chance = np.random.default_rng(1)
    for size in range(12):
        for _ in range(20):
            before, now = (chance.permutation(16)[:size].astype("u8") for _ in range(2))
            expected = [before.tolist().index(id_) if id_ in before else -1 for id_ in now.tolist()]
            assert matched(before, now).tolist() == expected


def test_ids_are_found_in_order_each_as_often_as_it_is_asked_for_and_at_the_first_of_the_same() -> None:
    ascending = np.array([5, 7, 7, 11], "u8")
    assert places(ascending, np.array([11, 7, 4, 7, 12, 5], "u8")).tolist() == [3, 1, -1, 1, -1, 0]
    assert places(ascending[:0], ascending).tolist() == [-1] * 4


def test_a_counter_has_gained_what_it_has_more_than_before_or_all_that_it_has() -> None:
    before, now = np.zeros(2, LISTENER), np.zeros(3, LISTENER)
    before["id"], before["drops"] = [1, 2], [10, 20]
    now["id"], now["drops"] = [2, 3, 1], [25, 4, 10]
    assert gained(before, now, "drops", matched(before["id"], now["id"])).tolist() == [5, 4, 0]


def test_each_number_is_there_once_and_in_order() -> None:
    chance = np.random.default_rng(1)
    for size in range(12):
        numbers = chance.integers(0, 8, size).astype("u8")
        assert distinct(numbers).tolist() == sorted({*numbers.tolist()})
        assert distinct(numbers).dtype == numbers.dtype
