"""The highest sample of the last ten minutes: exact, with its time, and gone when they are over."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.model.records import RECORD, Kind
from tcptop_rtt.model.rows import Rows
from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.tracking.connections import CLOSED_SHOWN_NS, Connections
from tcptop_rtt.tracking.peaks import CELL_NS, CELLS
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.format import PEAK_WIDTH, peak
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.ranking import Ranking
from tests.unit.rows import filled, row, rows_of

MS, SECOND, MINUTE = 10**6, 10**9, 60 * 10**9
START_NS = 2**32 * MS - 5 * MINUTE  # 32 bits of milliseconds wrap while these tests run
WALL_NS = 1_700_000_000 * SECOND


class Scene:
    """Connections, a clock since the boot, and one on the wall that begins with it."""

    def __init__(self, start_ns: int = START_NS) -> None:
        self.now_ns = self._start_ns = start_ns
        self.connections = Connections(lambda: self.now_ns, lambda: WALL_NS + self.now_ns - self._start_ns)
        self._window = 0

    def sample(
        self, rtt_us: int, connection: int = 1, at_ns: int | None = None, kind: int = Kind.SEGMENT
    ) -> None:
        self._window += 1
        values = {
            "kind": kind, "id": connection, "sock": connection, "lport": 5000, "window_start": self._window,
            "time_ns": self.now_ns if at_ns is None else at_ns, "rtt_samples": 1 if rtt_us else 0,
            "rtt_lo_us": rtt_us, "rtt_hi_us": rtt_us, "last_rtt_us": rtt_us, "rtt_sum_us": rtt_us,
        }  # fmt: skip
        self.connections.ingest(filled(RECORD, values))

    def rows(self) -> Rows:
        return self.connections.snapshot(Health()).rows

    def peak(self, connection: int = 1) -> tuple[int, int, int]:
        """RTT in microseconds, age in milliseconds, and seconds on the wall since the start."""
        rows = self.rows()
        (at,) = np.flatnonzero(rows["id"] == connection)
        rtt_us, age_ms, time_s = (
            int(rows[name][at]) for name in ("peak_rtt_us", "peak_age_ms", "peak_time_s")
        )
        return rtt_us, age_ms, time_s - WALL_NS // SECOND


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_peak_is_the_highest_sample_with_its_time(scene: Scene) -> None:
    for rtt_us in (300, 214_000, 900):
        scene.sample(rtt_us)
        scene.now_ns += 2 * SECOND
    assert scene.peak() == (214_000, 4_000, 2)


def test_of_equal_peaks_the_latest_counts(scene: Scene) -> None:
    for _ in range(3):
        scene.sample(5_000)
        scene.now_ns += SECOND
    assert scene.peak() == (5_000, 1_000, 2)


@pytest.mark.parametrize("start_ns", [START_NS, START_NS + 7 * SECOND, START_NS + 59 * SECOND, 100 * MINUTE])
def test_it_is_that_of_at_least_nine_and_at_most_ten_minutes(start_ns: int) -> None:
    scene = Scene(start_ns)
    taken: list[tuple[int, int]] = []
    rng = np.random.default_rng(start_ns % 1000)
    for second in range(0, 40 * 60, 7):
        scene.now_ns = start_ns + second * SECOND
        rtt_us = int(rng.integers(1, 10**6))
        scene.sample(rtt_us)
        taken.append((scene.now_ns, rtt_us))
        shown_us, age_ms, _ = scene.peak()
        assert age_ms <= CELLS * CELL_NS // MS
        assert (scene.now_ns - age_ms * MS, shown_us) in taken
        assert shown_us >= max(us for at, us in taken if at > scene.now_ns - 9 * MINUTE)


def test_when_the_peak_is_over_the_next_highest_is_there_with_its_own_time(scene: Scene) -> None:
    scene.sample(900_000)
    scene.now_ns += 5 * MINUTE
    scene.sample(70_000)
    scene.now_ns += 5 * MINUTE + SECOND
    scene.sample(2_000)
    assert scene.peak() == (70_000, (5 * 60 + 1) * 1000, 300)


def test_without_samples_it_is_unknown_and_so_it_is_again_when_all_are_too_old(scene: Scene) -> None:
    scene.sample(0)
    assert scene.peak()[0] == 0
    scene.sample(4_000)
    assert scene.peak()[0] == 4_000
    scene.now_ns += 11 * MINUTE
    rows = scene.rows()
    for name in ("peak_rtt_us", "peak_age_ms", "peak_time_s"):
        (field,) = (field for field in CONNECTIONS.fields if field.name == name)
        assert field.values(rows.__getitem__, frozenset()) == [None]
    assert select(rows, Filter("peak>=0ms")).tolist() == []
    assert select(rows, Filter("!peak>1ms")).tolist() == []


def test_a_sample_read_in_the_next_minute_goes_with_the_minute_that_it_was_taken_in(scene: Scene) -> None:
    scene.sample(0)
    minute_ns = scene.now_ns // MINUTE * MINUTE + MINUTE
    scene.now_ns = minute_ns + SECOND // 2
    scene.sample(80_000, at_ns=minute_ns - SECOND // 2)
    scene.now_ns = minute_ns + 9 * MINUTE - 1
    assert scene.peak()[0] == 80_000
    scene.now_ns = minute_ns + 9 * MINUTE
    assert scene.peak()[0] == 0


def test_a_record_newer_than_the_clock_is_of_now(scene: Scene) -> None:
    scene.sample(4_000, at_ns=scene.now_ns + 3 * MS)
    assert scene.peak()[:2] == (4_000, 0)


def test_peaks_move_with_their_rows_and_new_connections_have_none(scene: Scene) -> None:
    scene.sample(900_000, connection=1)
    scene.sample(3_000, connection=2)
    scene.sample(0, connection=1, kind=Kind.CLOSE)
    scene.rows()
    scene.now_ns += CLOSED_SHOWN_NS + SECOND
    scene.rows()  # the second one takes the place of the first
    for new in range(1000, 4000):
        scene.sample(0, connection=new)
    assert scene.peak(2)[:2] == (3_000, 6_000)
    rows = scene.rows()
    assert rows["peak_rtt_us"].sum() == 3_000
    scene.now_ns += MINUTE  # from the cells, too
    assert scene.rows()["peak_rtt_us"].sum() == 3_000


def test_a_frozen_snapshot_keeps_its_peaks(scene: Scene) -> None:
    scene.sample(3_000)
    before = scene.rows()
    scene.now_ns += SECOND
    scene.sample(9_000)
    after = scene.rows()
    assert [rows["peak_rtt_us"].tolist() for rows in (before, after)] == [[3_000], [9_000]]
    assert [rows["peak_age_ms"].tolist() for rows in (before, after)] == [[0], [0]]


@pytest.mark.parametrize(
    ("rtt_us", "age_ms", "text"),
    [
        (214_000, 10_000, "214ms now"),
        (214_000, 10_001, "214ms 22:31"),
        (43, 60_000, "43us 22:31"),
        (4_294_967_295, 60_000, "4295s 22:31"),
        (0, 0, "-"),
    ],
)
@pytest.mark.usefixtures("in_utc")
def test_a_peak_says_when_it_was(rtt_us: int, age_ms: int, text: str) -> None:
    shown = row(1, peak_rtt_us=rtt_us, peak_age_ms=age_ms, peak_time_s=1_700_001_060)
    (view,) = CONNECTIONS.views(rows_of(shown)[:], frozenset())
    assert peak(view) == text
    assert len(text) <= PEAK_WIDTH


def test_peaks_can_be_filtered_by_and_sorted_by_and_are_coloured_where_worse_than_now() -> None:
    rows = rows_of(
        row(1, peak_rtt_us=30_000, srtt_us=20_000),
        row(2, srtt_us=20_000),
        row(3, peak_rtt_us=400_000, srtt_us=20_000),
        row(4, peak_rtt_us=400_000, srtt_us=390_000),
    )
    assert select(rows, Filter("peak>200ms")).tolist() == [2, 3]
    assert select(rows, Filter("peak<200ms")).tolist() == [0]
    order = Ranking(rows, np.arange(4), CONNECTIONS.sorts["peak"], True).window(0, 4)
    assert order.tolist() == [2, 3, 0, 1]
    cell = CONNECTIONS.column["peak"].cell
    assert cell
    styles = [cell(view, UNICODE).style for view in CONNECTIONS.views(rows[:], frozenset())]
    assert styles == ["dim", "dim", "bad", "dim"]
