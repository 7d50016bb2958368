"""Where ids stand among others."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np

import tcptop_rtt
from tcptop_rtt.model.ids import among, distinct, gained, matched, places
from tcptop_rtt.model.listeners import LISTENER

PACKAGE = Path(tcptop_rtt.__file__).parent


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


def test_which_numbers_are_among_others_however_many_there_are_and_without_an_import() -> None:
    chance = np.random.default_rng(1)
    for size in (0, 1, 8, 9, 100):
        for count in (0, 1, 50):
            values, others = (chance.integers(0, 1 << 63, number).astype("u8") for number in (count, size))
            values[: count // 2] = others[: count // 2] if size >= count // 2 else values[: count // 2]
            assert among(values, others).tolist() == [value in others for value in values]
    look = (
        "import sys, numpy as np; from tcptop_rtt.model.ids import among, distinct; values = np.arange(1000);"
    )
    look += "among(values, distinct(values)); print('numpy.ma' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    assert ended.stdout == "False\n"


def test_nothing_that_is_kept_from_the_start_imports_when_it_is_first_needed() -> None:
    """np.isin() and np.unique() without an index import numpy.ma, which fails where no descriptor is free."""
    for path in PACKAGE.rglob("*.py"):
        calls = (one for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Call))
        for call in calls:
            name = ast.unparse(call.func)
            assert name not in ("np.isin", "np.union1d", "np.intersect1d", "np.setxor1d", "np.median"), path
            assert name != "np.unique" or call.keywords, path
