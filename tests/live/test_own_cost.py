"""What our programs in the kernel cost, as we count it, and as the kernel tells it if asked otherwise."""

from __future__ import annotations

import os
from contextlib import closing

import numpy as np
import pytest

from bench.bpf import bpf_stats, programs
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.base import ProgramRuns
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tests.live.kernel_objects import kernel_objects
from tests.live.pairs import Pair, connected, round_trip, talking


def _run_times(ids: set[int]) -> dict[str, tuple[int, int]]:
    """What the kernel tells of programs when it is asked in another way: time and runs so far."""
    return {name: (time_ns, runs) for number, (name, time_ns, runs) in programs().items() if number in ids}


def _counted(probe: Probe, pair: Pair, ids: set[int]) -> None:
    """Count in the midst of another count: what is counted lies between what that has within and without."""
    before = _run_times(ids)
    probe.begin_counting()
    begun = _run_times(ids)
    for _ in range(500):
        round_trip(pair)
    ended = _run_times(ids)
    counted = {one.name: one for one in probe.end_counting()}
    after = _run_times(ids)
    assert counted.keys() >= {"on_segment", "on_set_state", "on_destroy", "on_retransmit"}
    for name, one in counted.items():
        name = name[:15]  # as the kernel keeps it
        least, most = np.subtract(ended[name], begun[name]), np.subtract(after[name], before[name])
        assert least[0] <= one.time_ns <= most[0]
        assert least[1] <= one.runs <= most[1]
    hook = counted["on_segment"]
    assert hook.runs >= 1000
    assert not hook.ours
    assert hook.time_ns > hook.runs


def test_the_time_of_each_program_is_what_the_kernel_accounts_meanwhile() -> None:
    with closing(Probe(Program.loaded(), Direct())) as probe, connected() as pair, bpf_stats():
        # Others may have programs of the same names.
        ids = {number for kind, number in kernel_objects(os.getpid()) if kind == "prog"}
        for _ in range(2):
            _counted(probe, pair, ids)


def test_a_scan_is_ours_and_nothing_is_counted_unless_that_is_asked_for() -> None:
    with closing(Probe(Program.loaded(), Direct())) as probe, connected() as pair:
        probe.begin_counting()
        for _ in probe.scan():
            pass
        counted = {one.name: one for one in probe.end_counting()}
        files = counted["bpf_iter__task_file"]
        assert files.ours
        assert files.runs > 10
        round_trip(pair)
        probe.begin_counting()
        again = {one.name: one for one in probe.end_counting()}
        assert again["bpf_iter__task_file"] == ProgramRuns("bpf_iter__task_file", 0, 0, ours=True)


def test_what_it_costs_is_measured_beside_its_work_on_request() -> None:
    with closing(Probe(Program.loaded(), Direct())) as probe, connected() as pair, talking(pair):
        feed = LiveFeed(ready(probe), 3600)
        snapshots = feed.snapshots()
        assert next(snapshots).cost is None
        feed.measure_cost()
        cost = next(snapshots).cost
        assert cost is not None
        assert cost.note == ""
        assert cost.kernel_percent is not None
        hook = next(one for one in cost.programs if one.name == "on_segment")
        of_hook = hook.runs_per_s * hook.ns_per_run / 1e7
        assert of_hook > 0
        assert cost.kernel_percent > of_hook or cost.kernel_percent == pytest.approx(of_hook)
        assert cost.lasted_s >= 1
