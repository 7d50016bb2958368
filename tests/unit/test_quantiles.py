"""Median and 95th percentile of a connection's samples: near the exact ones, of about a minute only."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from tcptop_rtt.model.records import Kind
from tcptop_rtt.tracking.connections import CLOSED_SHOWN_NS
from tcptop_rtt.tracking.quantiles import HALF_NS, MANY, MANY_UPDATED_NS, STEPS, STEPS_PER_OCTAVE
from tests.unit.test_peaks import MS, SECOND, Scene

STEP = 2 ** (1 / STEPS_PER_OCTAVE) - 1
"""How much longer each step is than the last."""


def _found(scene: Scene, connection: int = 1) -> tuple[int, int]:
    rows = scene.rows()
    (at,) = np.flatnonzero(rows["id"] == connection)
    return int(rows["rtt_p50_us"][at]), int(rows["rtt_p95_us"][at])


Draw = Callable[[Generator], NDArray[np.float64]]


@pytest.mark.parametrize(
    "draw",
    [
        lambda random: random.normal(50_300, 100, 400),
        lambda random: random.lognormal(9, 1, 400),
        lambda random: np.where(random.random(400) < 0.9, 50_000.0, 300_000.0),
        lambda random: random.uniform(5, 12, 400),
        lambda random: random.uniform(20e6, 40e6, 400),
    ],
    ids=["narrow", "wide", "two values", "below all steps", "above all steps"],
)
def test_they_are_within_a_step_of_the_exact_ones(draw: Draw) -> None:
    samples = draw(default_rng(1)).astype(int)
    scene = Scene()
    for us in samples.tolist():
        scene.sample(us)
    for found, percent in zip(_found(scene), (50, 95), strict=True):
        exact = np.percentile(samples, percent, method="inverted_cdf")
        # Outside of all steps the lowest and the highest are what is known.
        span = exact * STEP if 16 < exact < 16e6 else np.ptp(samples) / 4
        assert abs(found - exact) <= span + 1, percent


def test_equal_samples_are_exact_and_one_is_both() -> None:
    scene = Scene()
    scene.sample(48_217)
    assert _found(scene) == (48_217, 48_217)
    for _ in range(100):
        scene.sample(48_217)
    assert _found(scene) == (48_217, 48_217)


def test_what_is_older_than_a_minute_counts_no_more_and_without_samples_nothing_is_known() -> None:
    scene = Scene()
    scene.now_ns += HALF_NS - scene.now_ns % HALF_NS  # a half begins
    for _ in range(50):
        scene.sample(400_000)
    scene.now_ns += HALF_NS
    for _ in range(10):
        scene.sample(10_000)
    assert _found(scene)[1] == pytest.approx(400_000, rel=STEP)
    scene.now_ns += HALF_NS
    assert _found(scene) == (10_000, 10_000)
    scene.now_ns += HALF_NS
    assert _found(scene) == (0, 0)


def test_after_a_long_silence_nothing_is_left_of_before() -> None:
    scene = Scene()
    scene.sample(400_000)
    scene.now_ns += 7 * HALF_NS
    scene.sample(10_000)
    assert _found(scene) == (10_000, 10_000)


def test_what_is_read_late_is_not_of_the_last_minute() -> None:
    scene = Scene()
    scene.sample(400_000)
    taken_ns = scene.now_ns
    scene.now_ns += 3 * HALF_NS
    scene.sample(10_000)
    scene.sample(400_000, at_ns=taken_ns)
    assert _found(scene) == (10_000, 10_000)
    assert scene.peak()[:2] == (400_000, 3 * HALF_NS // 1_000_000)


def test_a_place_of_one_that_is_gone_brings_nothing_to_those_that_take_it() -> None:
    scene = Scene()
    for connection in range(1, 7):
        scene.sample(1000 * connection, connection)
    for gone in (1, 3):
        scene.sample(0, gone, kind=Kind.CLOSE)
    scene.rows()
    scene.now_ns += CLOSED_SHOWN_NS + SECOND
    scene.rows()
    assert [_found(scene, connection)[0] for connection in (2, 4, 5, 6)] == [2000, 4000, 5000, 6000]
    scene.sample(0, 8)
    for us in (90_000, 400):
        scene.sample(us, 9)
    scene.sample(900, 10)
    for connection in (5, 6):
        scene.sample(50, connection)
    assert _found(scene, 8) == (0, 0)
    assert _found(scene, 9) == pytest.approx((400, 90_000), rel=STEP)
    assert _found(scene, 10) == (900, 900)
    assert [_found(scene, connection)[1] for connection in (2, 4)] == [2000, 4000]
    assert [_found(scene, connection)[0] for connection in (5, 6)] == pytest.approx([50, 50], rel=STEP)


def test_samples_count_after_most_others_have_gone_and_their_room_is_given_back() -> None:
    scene = Scene()
    for connection in range(1, 1501):
        scene.sample(1000, connection)
    room = scene.connections._store.capacity
    for gone in range(101, 1501):
        scene.sample(0, gone, kind=Kind.CLOSE)
    scene.rows()
    scene.now_ns += CLOSED_SHOWN_NS + SECOND
    scene.rows()
    assert scene.connections._store.capacity < room
    for _ in range(9):
        scene.sample(50_000, 7)
    assert _found(scene, 7) == pytest.approx((50_000, 50_000), rel=STEP)
    assert _found(scene, 8) == (1000, 1000)


def test_one_that_was_silent_has_no_place_with_others() -> None:
    scene = Scene()
    scene.sample(400_000, 2)
    scene.now_ns += 2 * HALF_NS
    scene.sample(10_000, 3)
    scene.sample(20_000, 2)
    assert (_found(scene, 2), _found(scene, 3)) == ((20_000, 20_000), (10_000, 10_000))


def test_connections_that_come_and_go_leave_nothing_behind() -> None:
    scene = Scene()
    tracemalloc.start()
    try:
        sizes = []
        for connection in range(2, 602, 2):
            for both in (connection, connection + 1):
                scene.sample(1000, both)
            for both in (connection, connection + 1):
                scene.sample(0, both, kind=Kind.CLOSE)
                scene.now_ns += CLOSED_SHOWN_NS + SECOND
                scene.rows()
            if connection % 200 == 0:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[0] < 200 * STEPS * 8


def test_many_rows_are_brought_up_to_date_now_and_then_only() -> None:
    scene = Scene()
    scene.now_ns += HALF_NS - scene.now_ns % HALF_NS
    connections = range(2, MANY + 4)
    for connection in connections:
        scene.sample(1000, connection)
    assert set(scene.rows()["rtt_p50_us"].tolist()) == {1000}
    scene.now_ns += MS
    for connection in connections:
        scene.sample(3000, connection)
    assert set(scene.rows()["rtt_p95_us"].tolist()) == {1000}
    scene.now_ns += MANY_UPDATED_NS
    assert set(scene.rows()["rtt_p95_us"].tolist()) == {3000}
