"""What fuzzing begins with, and all that it has ever found, tried again without the fuzzer."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import TARGETS, inputs, mutator_of, target

MOST_BYTES = 1 << 15


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_that_is_known_brings_out_more_than_the_errors_that_are_documented(name: str) -> None:
    for data in inputs(name):
        target(name).check(data)


@pytest.mark.parametrize("name", TARGETS)
def test_none_does_that_is_cut_or_has_some_other_bytes(name: str) -> None:
    chance = random.Random(name)  # noqa: S311 - the same ones each time
    for data in target(name).seeds():
        for _ in range(8):
            spoilt = bytearray(data[: chance.randrange(len(data)) + 1])
            for _ in range(chance.randrange(4)):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            target(name).check(bytes(spoilt))


@pytest.mark.parametrize("name", [name for name in TARGETS if mutator_of(target(name))])
def test_none_does_that_is_changed_as_the_target_says(name: str) -> None:
    it = target(name)
    mutate = mutator_of(it)
    assert mutate
    for data in it.seeds():
        for seed in range(20):
            data = mutate(data, MOST_BYTES, seed)
            it.check(data)
