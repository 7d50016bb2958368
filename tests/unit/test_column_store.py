"""Columns change and grow; frozen ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.tracking.column_store import ColumnStore

_TWO = np.dtype([("number", "u4"), ("name", "V2")])


def _columns(*numbers: int) -> ColumnStore:
    columns = ColumnStore(_TWO)
    columns.resize(len(numbers))
    columns.set("number", slice(None), numbers)
    return columns


def test_a_frozen_column_stays_as_it_was() -> None:
    columns = _columns(1, 2, 3)
    frozen = columns.freeze(("number", "name"), 2)
    columns.set("number", np.array([0]), 9)
    columns.move(np.array([2]), np.array([1]))
    columns.resize(5)
    columns.writable("number")[0] += 1
    columns.clear(slice(2, 3))
    assert frozen["number"].tolist() == [1, 2]
    assert columns["number"].tolist() == [10, 3, 0, 0, 0]
    again = columns.freeze(("number", "name"), 5)
    columns.set_all("number", np.zeros(5, np.uint32))
    assert again["number"].tolist() == [10, 3, 0, 0, 0]


def test_nobody_changes_a_frozen_column() -> None:
    columns = _columns(1, 2)
    for column in (columns.freeze(("number", "name"), 2)["number"], columns["number"]):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 5


def test_a_column_that_has_not_changed_is_frozen_again_without_a_copy() -> None:
    columns = _columns(1, 2)
    first = columns.freeze(("number", "name"), 2)
    columns.set("number", np.zeros(0, np.intp), 7)
    columns.set("name", np.array([0]), np.void(b"ab"))
    columns.set("number", np.array([1, 0]), [2, 1])  # as they were
    columns.set("number", slice(1, 2), 2)
    second = columns.freeze(("number", "name"), 2)
    assert np.shares_memory(first["number"], second["number"])
    assert not np.shares_memory(first["name"], second["name"])


def test_of_several_values_for_a_row_the_last_one_stays() -> None:
    columns = _columns(0, 0)
    columns.set("number", np.array([1, 0, 1]), [5, 6, 7])
    assert columns["number"].tolist() == [6, 7]
