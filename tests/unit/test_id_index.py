"""The index does what a dict does."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.tracking.id_index import IdIndex


def _u64(ids: list[int]) -> np.typing.NDArray[np.uint64]:
    return np.array(ids, np.uint64)


def test_the_first_number_of_all_is_one_like_any_other() -> None:
    """The kernel's cookies of sockets begin with 1."""
    index = IdIndex()
    index.set(np.array([1, 7], np.uint64), np.array([10, 11]))
    index.remove(np.array([7], np.uint64))
    index.set(np.arange(100, 2100, dtype=np.uint64), np.arange(2000))  # it grows
    assert index.find(np.array([1, 7, 100], np.uint64)).tolist() == [10, -1, 0]


def test_an_id_that_was_not_set_has_no_row() -> None:
    index = IdIndex()
    assert index.find(_u64([])).tolist() == []
    assert index.find(_u64([5, 5, 4096])).tolist() == [-1, -1, -1]
    assert index.get(5) is None
    assert len(index) == 0


def test_an_id_that_is_set_again_has_its_new_row() -> None:
    index = IdIndex()
    index.set(_u64([4096, 8192]), np.array([7, 8]))
    index.set(_u64([8192, 12288]), np.array([1, 2]))
    assert index.find(_u64([4096, 8192, 12288, 8192])).tolist() == [7, 1, 2, 1]
    assert index.get(8192) == 1
    assert len(index) == 3


def test_it_agrees_with_a_dict_through_a_long_life() -> None:
    rng = np.random.default_rng(11)
    index, truth = IdIndex(), dict[int, int]()
    serial = 0
    for turn in range(300):
        # As the kernel side numbers them: a counter, and the processor in the lower bits.
        count = int(rng.integers(0, 400))
        fresh = [(serial + number + 1) << 12 | int(rng.integers(0, 8)) for number in range(count)]
        serial += count
        rows = rng.integers(0, 1 << 31, count).tolist()
        truth.update(zip(fresh, rows, strict=True))
        index.set(_u64(fresh), np.array(rows, np.intp))
        ids = list(truth)
        moved = rng.choice(ids, min(20, len(ids)), replace=False).tolist() if ids else []
        truth.update((id_, turn) for id_ in moved)
        index.set(_u64(moved), np.full(len(moved), turn))
        removed = rng.choice(ids, int(len(ids) * rng.random() * 0.5), replace=False).tolist() if ids else []
        for id_ in removed:
            del truth[id_]
        index.remove(_u64(removed))
        asked = [*truth, *removed]
        assert index.find(_u64(asked)).tolist() == [truth.get(id_, -1) for id_ in asked]
        assert len(index) == len(truth)
