"""Clocks that jump: of the wall, and where this process and the kernel count from another moment."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.live import compared
from tests.live.pairs import connected, round_trip, rows_of
from tests.live.shim import WallClock
from tests.live.told import told

HOUR_S = 3600
YEARS_S = 30 * 365 * 86_400


def test_a_step_of_the_wall_clock_changes_the_time_that_is_told_and_nothing_else(tmp_path: Path) -> None:
    clock, began_ns = WallClock(tmp_path), time.monotonic_ns()
    with connected() as pair, told(environment=clock.environment) as it:
        round_trip(pair)
        first = it.after_two_scans()
        before = rows_of(first.rows, pair)
        for step_s in (HOUR_S, -HOUR_S, YEARS_S, 0):
            clock.step(step_s)
            now = it.after(lambda latest: abs(latest.time_ns / 1e9 - time.time() - step_s) < 600)  # noqa: B023
            rows = rows_of(now.rows, pair)
            assert rows["id"].tolist() == before["id"].tolist()
            assert not rows["closed"].any()
            # By CLOCK_MONOTONIC, in spite of all: as old as that much later.
            grown_ns = rows["age_ns"].astype(np.int64) - before["age_ns"].astype(np.int64)
            assert (grown_ns == now.clock_ns - first.clock_ns).all()
            assert rows["rtt_age_ms"][0] <= (time.monotonic_ns() - began_ns) // 1_000_000
        assert (np.diff([snapshot.clock_ns for snapshot in it.snapshots]) > 0).all()
        round_trip(pair)
        assert (rows_of(it.rows_after_two_scans(), pair)["bytes_acked"] == before["bytes_acked"] + 1).all()
        compared.check(it.rows_after_two_scans, compared.namespace_of(os.getpid()))
        it.stop()


@pytest.mark.parametrize("source", ["auto", "sock_diag"])
@pytest.mark.parametrize("ahead_s", [1_000_000, -1000])
def test_where_its_clocks_count_from_another_moment_ages_and_processes_are_what_they_are(
    source: str, ahead_s: int
) -> None:
    moved = ("unshare", "--time", "--monotonic", str(ahead_s), "--boottime", str(ahead_s))
    inside = ("nsenter", "--time=/proc/self/ns/time_for_children")  # this process, and no child of it
    began_ns = time.monotonic_ns()
    with connected() as older, told("--source", source, before=(*moved, *inside)) as it:
        with connected() as pair:
            for _ in range(3):  # so that an ACK of more than one byte brings each end a sample
                round_trip(pair)
            rows = rows_of(it.rows_after_two_scans(), older, pair)
            lasted_ns = time.monotonic_ns() - began_ns
            assert (rows["pid"] == os.getpid()).all()
            assert (rows["age_ns"].astype(np.int64) < lasted_ns).all()
            assert (rows["rtt_age_ms"][2:] <= lasted_ns // 1_000_000).all() or source == "sock_diag"
            # The process is known by when it has started, too.
            assert len({*rows["started_ns"].tolist()}) == 1
        it.stop()
