"""What leads from columns to others, and back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tcptop_rtt.past.change import Columns, added, applied, between, taken_back

Table = dict[str, NDArray[Any]]

SMALL = np.dtype([("id", "u8"), ("comm", "S16"), ("rtt", "f4"), ("port", "u2"), ("on", "?"), ("addr", "V16")])


def table(rows: int, rng: np.random.Generator) -> Table:
    raw = np.frombuffer(rng.bytes(rows * SMALL.itemsize), SMALL).copy()
    raw["on"] = rng.integers(0, 2, rows)
    return {name: raw[name].copy() for name in SMALL.names or ()}


def same(one: Columns, other: Columns) -> bool:
    """To the bit: nan is nan, and what stands behind the end of a text stays, too."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes() for name in one
    )


def history(seed: int) -> list[Table]:
    """Tables whose rows change, come, go and move."""
    rng = np.random.default_rng(seed)
    tables = [table(40, rng)]
    for _ in range(12):
        after = {name: column.copy() for name, column in tables[-1].items()}
        for name in rng.choice(sorted(after), 3, replace=False):
            rows = rng.choice(len(after["id"]), rng.integers(0, len(after["id"])), replace=False)
            after[str(name)][rows] = table(len(rows), rng)[str(name)]
        kept = rng.permutation(len(after["id"]))[rng.integers(0, 10) :]
        if rng.random() < 0.3:
            after = {name: column[kept] for name, column in after.items()}
        new = table(int(rng.integers(0, 12)), rng)
        tables.append({name: np.concatenate([after[name], new[name]]) for name in after})
    return tables


@pytest.mark.parametrize("seed", range(5))
def test_changes_lead_there_and_back_step_by_step_and_added_up(seed: int) -> None:
    tables = history(seed)
    changes = [between(one, other) for one, other in pairwise(tables)]
    assert same(applied(tables[0], changes), tables[-1])
    assert same(taken_back(tables[-1], reversed(changes)), tables[0])
    assert same(taken_back(tables[-1], reversed(changes[4:])), tables[4])
    whole = changes[0]
    for change in changes[1:]:
        whole = added(whole, change, tables[0])
    assert (whole.before, whole.after) == (len(tables[0]["id"]), len(tables[-1]["id"]))
    assert same(applied(tables[0], [whole]), tables[-1])
    assert same(taken_back(tables[-1], [whole]), tables[0])


def test_rows_may_all_go_and_come_back() -> None:
    full = table(5, np.random.default_rng(1))
    none = {name: column[:0] for name, column in full.items()}
    away, again = between(full, none), between(none, full)
    assert same(applied(full, [away]), none)
    assert same(taken_back(none, [away]), full)
    assert same(applied(full, [added(away, again, full)]), full)
    assert same(applied(none, [added(again, away, full)]), none)


def test_what_does_not_change_takes_no_room_and_is_not_looked_at() -> None:
    many = table(10_000, np.random.default_rng(1))
    few = {name: column.copy() for name, column in many.items()}
    few["port"][[3, 5_000]] += np.uint16(1)
    change = between(many, few)
    assert (change.count, change.some, change.all) == (2, ("port",), ())
    assert change.nbytes < 1_000
    shared = np.arange(10_000, dtype="u8")
    one, other = shared[:9_999], shared[1:]
    rest = {name: column[:9_999] for name, column in many.items()}
    assert between({**rest, "id": one}, {**rest, "id": shared[:9_999]}).all == ()
    assert between({**rest, "id": one}, {**rest, "id": other}).all == ("id",)


def test_columns_that_come_out_cannot_be_written_to() -> None:
    one, other = history(1)[:2]
    for column in applied(one, [between(one, other)]).values():
        with pytest.raises(ValueError, match="read-only"):
            column[:1] = column[:1]
