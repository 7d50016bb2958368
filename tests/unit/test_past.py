"""The recorder: what it keeps, what comes out of it, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.model import known
from tcptop_rtt.model.listeners import no_listeners
from tcptop_rtt.model.rows import ROW, UNKNOWN_U32
from tcptop_rtt.model.snapshot import SPARK_CELLS, Snapshot, Waiting
from tcptop_rtt.model.targets import no_targets
from tcptop_rtt.past import change
from tcptop_rtt.past.change import Change, Columns
from tcptop_rtt.past.frames import Past
from tcptop_rtt.past.recorder import PAST_NS, Recorder
from tests.unit.rows import listener, listeners_of, row, target, targets_of
from tests.unit.snapshots import S, snapshot_at


def still() -> float:
    """A processor that takes no time."""
    return 0.0


def changing(number: int) -> list[dict[str, Any]]:
    """Connections of which one changes, one is there for a while only, and one moves to its place."""
    first = row(1, srtt_us=1000 + number, bytes_acked=10_000 * number, rtt_age_ms=number * 7)
    passing = [row(100 + number // 3, closed=number % 3 == 2, srtt_us=0, rtt_age_ms=UNKNOWN_U32)]
    return [first, *(passing if number % 5 else []), row(3, comm=b"\xff[/red]", scanned=number % 2 == 0)]


def recorded(snapshots: list[Snapshot], **options: Any) -> Past:
    recorder = Recorder(**({"cpu_s": still} | options))
    past = Past()
    for snapshot in snapshots:
        past = recorder.add(snapshot)
    return past


def equal(one: Snapshot, other: Snapshot) -> bool:
    rows = all(one.rows[name].tobytes() == other.rows[name].tobytes() for name in ROW.names or ())
    cells = all(
        here.tobytes() == there.tobytes() for here, there in zip(one.cells_us, other.cells_us, strict=True)
    )
    beside = one.listeners.tobytes() == other.listeners.tobytes()
    beside &= one.targets.tobytes() == other.targets.tobytes()
    return rows and cells and beside and bare(one) == bare(other)


def bare(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.time_ns, snapshot.clock_ns, snapshot.health, snapshot.trace, snapshot.waiting


def test_what_comes_out_equals_what_went_in_whichever_way_one_comes() -> None:
    given = [
        snapshot_at(number * S, *changing(number), cells=number * 10.0, waiting=(Waiting(1, number, 2),))
        for number in range(40)
    ]
    past = recorded(given)
    assert len(past.frames) == len(given)
    for number, snapshot in enumerate(given):
        assert equal(past.visit(number).snapshot, snapshot), number
    at = past.visit(20)
    for number in (19, 18, 25, 39, 0, 1, 38):
        at = past.visit(number, at)
        assert equal(at.snapshot, given[number]), number


def test_listeners_and_failed_connects_come_out_in_the_order_in_which_they_went_in() -> None:
    rng = np.random.default_rng(1)
    given = []
    for second in range(60):
        ids = rng.permutation(np.arange(1 + second // 2, 20 + 2 * second - second // 5 * 3)).tolist()
        given.append(
            snapshot_at(
                second * S,
                row(1),
                listeners=listeners_of(*(listener(id_, queue=second % 7, read_ms=id_) for id_ in ids[::3])),
                targets=targets_of(
                    *(target(id_, count=id_ * second, per_s=1 / (id_ + second)) for id_ in ids)
                ),
            )
        )
    given[30:33] = [replace(one, targets=no_targets(), listeners=no_listeners()) for one in given[30:33]]
    past = recorded(given)
    for number in (*range(59, -1, -1), 0, 32, 59):
        assert equal(past.visit(number).snapshot, given[number]), number


def test_failed_connects_that_are_kept_count_and_take_little_where_they_only_grow_older() -> None:
    """As Targets has them: thousands, in the order of ids that are chance, and a few new ones a second."""
    ids = np.random.default_rng(1).permutation(np.arange(1, 10_001)).tolist()
    fixed = [target(id_, count=2, comm=b"curl") for id_ in ids]
    tables = []
    for second in range(30):
        known = targets_of(*fixed[: 4_000 + 3 * second])
        known["latest_ms"] = 1000 * second + np.arange(len(known))
        tables.append(known[np.argsort(known["id"])])
    past = recorded([snapshot_at(second * S, row(1), targets=one) for second, one in enumerate(tables)])
    for number, one in enumerate(tables):
        assert past.visit(number).snapshot.targets.tobytes() == one.tobytes()
    first, *others = (frame.nbytes for frame in past.frames)
    assert first == 0
    assert max(others) < tables[0].nbytes // 100
    for frame in past.frames:  # what a frame has of its own, nobody would count
        assert len(frame.rest.rows) == len(frame.rest.listeners) == len(frame.rest.targets) == 0


def test_a_visit_leads_on_while_more_is_kept() -> None:
    recorder = Recorder(cpu_s=still)
    given = [snapshot_at(number * S, *changing(number)) for number in range(30)]
    for snapshot in given[:20]:
        past = recorder.add(snapshot)
    at = past.visit(5)
    for snapshot in given[20:]:
        past = recorder.add(snapshot)
    assert equal(past.visit(6, at).snapshot, given[6])
    assert equal(past.visit(28, at).snapshot, given[28])


def test_from_a_visit_to_its_neighbour_is_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    past = recorded([snapshot_at(number * S, *changing(number)) for number in range(30)])
    at = past.visit(5)
    unpack, steps = change._unpack, list[Change]()

    def counted(one: Change, columns: Columns) -> object:
        steps.append(one)
        return unpack(one, columns)

    monkeypatch.setattr(change, "_unpack", counted)
    past.visit(6, at)
    assert len(steps) == 3  # one of each table
    past.visit(28, at)
    assert len(steps) == 6  # from now it is nearer


def test_sparklines_that_move_on_take_no_room() -> None:
    cells_us = np.random.default_rng(1).integers(1, 10**6, (60, 1)).astype(np.float32)
    given = [
        replace(snapshot_at(second * S, row(1)), cells_us=tuple(cells_us[second : second + SPARK_CELLS]))
        for second in range(3)
    ]
    past = recorded(given)
    assert all(equal(past.visit(number).snapshot, snapshot) for number, snapshot in enumerate(given))
    assert [[len(change.all) for change in frame.changes] for frame in past.frames] == [[], *[[1, 0, 0]] * 2]


def test_unknown_stays_unknown() -> None:
    past = recorded(
        [
            snapshot_at(0, row(1, srtt_us=0, rtt_age_ms=UNKNOWN_U32, scanned=False, retrans_1m=9)),
            snapshot_at(S, row(1, srtt_us=900, rtt_age_ms=3, window_ms=60_000), cells=900.0),
        ]
    )
    then = past.visit(0).snapshot
    for name in ("srtt_us", "rtt_age_ms", "retrans_1m", "recv_q_bytes"):
        assert known.is_unknown(then.rows.__getitem__, name).tolist() == [True], name
    assert np.isnan(then.spark_us(np.array([0]))).all()
    assert not known.is_unknown(past.visit(1).snapshot.rows.__getitem__, "srtt_us").any()


def test_what_is_kept_cannot_be_written_to() -> None:
    past = recorded([snapshot_at(number * S, *changing(number)) for number in range(3)])
    rows = past.visit(1).snapshot.rows
    assert not any(rows[name].flags.writeable for name in ROW.names or ())


@pytest.mark.parametrize(("refresh_s", "step_s"), [(0.1, 0.9), (0.25, 1.0), (1.0, 1.0), (10.0, 10.0)])
def test_a_frame_a_second_however_often_the_screen_is_refreshed(refresh_s: float, step_s: float) -> None:
    past = recorded([snapshot_at(round(number * refresh_s * S), row(1)) for number in range(61)])
    steps_s = {round((b.clock_ns - a.clock_ns) / S, 3) for a, b in pairwise(past.frames)}
    assert steps_s == {step_s}


def test_ten_minutes_and_no_more() -> None:
    past = recorded([snapshot_at(number * S, row(1, srtt_us=number)) for number in range(700)])
    assert past.frames[-1].clock_ns - past.frames[0].clock_ns == PAST_NS
    assert past.visit(0).snapshot.rows["srtt_us"].tolist() == [99]


def test_memory_is_bounded_and_the_newest_seconds_stay() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 2**32, (300, 50)).tolist()
    given = [
        snapshot_at(number * S, *(row(id_ + 1, bytes_acked=value) for id_, value in enumerate(values)))
        for number, values in enumerate(numbers)
    ]
    whole = recorded(given)
    size = sum(frame.nbytes for frame in whole.frames)
    past = recorded(given, kept_bytes=size // 4)
    assert sum(frame.nbytes for frame in past.frames) <= size // 4
    assert 20 < len(past.frames) < len(given) // 2
    ages_s = np.array([299 - frame.clock_ns // S for frame in past.frames])
    assert ages_s[-5:].tolist() == [4, 3, 2, 1, 0]
    assert ages_s[0] > 250  # it reaches as far back, in longer steps
    steps_s = -np.diff(ages_s)
    assert steps_s[:10].mean() > 3 * steps_s[-20:].mean()
    for number, frame in enumerate(past.frames):
        assert equal(past.visit(number).snapshot, given[frame.clock_ns // S])


def test_one_change_that_is_too_large_leaves_now_alone() -> None:
    given = [snapshot_at(number * S, *changing(number)) for number in range(10)]
    past = recorded(given, kept_bytes=10)
    assert len(past.frames) == 1
    assert equal(past.visit(0).snapshot, given[-1])


def test_frames_are_further_apart_where_they_cost_more() -> None:
    now_s = 0.0

    def slow() -> float:
        nonlocal now_s
        now_s += 0.05
        return now_s

    past = recorded([snapshot_at(number * S, row(1)) for number in range(30)], cpu_s=slow)
    assert {b.clock_ns - a.clock_ns for a, b in pairwise(past.frames)} == {3 * S}


def test_a_wall_clock_that_is_set_back_changes_nothing() -> None:
    given = [snapshot_at(number * S, row(1, srtt_us=number)) for number in range(10)]
    given[5:] = [replace(snapshot, time_ns=snapshot.time_ns - 3600 * S) for snapshot in given[5:]]
    past = recorded(given)
    assert [frame.rest.time_ns for frame in past.frames] == [snapshot.time_ns for snapshot in given]
    number = past.before(7 * S)
    assert number is not None
    assert past.visit(number).snapshot.rows["srtt_us"].tolist() == [6]


def test_the_frames_before_and_after_a_time() -> None:
    past = recorded([snapshot_at(number * 2 * S, row(1)) for number in range(5)])
    assert [past.before(ns) for ns in (0, 1, 8 * S, 9 * S)] == [None, 0, 3, 4]
    assert [past.after(ns) for ns in (-1, 0, 7 * S, 8 * S)] == [0, 1, 4, None]
    assert [past.index(ns) for ns in (0, S, 8 * S, 9 * S)] == [0, None, 4, None]
    assert Past().before(5) is Past().after(5) is Past().index(5) is None
