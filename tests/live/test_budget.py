"""A budget in the kernel that runs: whether what is given up really is, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from itertools import pairwise

import numpy as np

from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.kernel_time import monotonic_ns
from tcptop_rtt.model.records import Kind, Records, take_rows
from tcptop_rtt.model.snapshot import SPACED
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.base import Batch
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tcptop_rtt.tracking.connections import CLOSED_KEPT
from tests.live.conftest import Recording
from tests.live.pairs import connected, port_of, talking
from tests.live.program import as_nobody

TINY = Budget(most_share=1e-4)
"""Nothing keeps to that, so all is spaced as far as it may be."""


class _Noting(Probe):
    """Notes when scans begin, and the records of one connection."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, Direct())
        self.noted = (0, 0)
        """The local port of the connection, and the remote one."""
        self.records_ns: list[int] = []
        self.scans_ns: list[int] = []

    def read(self) -> Batch:
        batch = super().read()
        records = batch.records
        lport, rport = self.noted
        ours = (records["lport"] == lport) & (records["rport"] == rport) & (records["kind"] == Kind.SEGMENT)
        self.records_ns += take_rows(records, ours)["time_ns"].tolist()
        return batch

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        self.scans_ns.append(time.monotonic_ns())
        yield from super().scan(unheld)


def test_records_scans_and_refreshes_are_really_as_rare_as_is_told() -> None:
    with closing(_Noting(Program.loaded())) as probe, connected() as pair, talking(pair):
        probe.noted = port_of(pair[0]), port_of(pair[1])
        snapshots = LiveFeed(ready(probe), 0.25, TINY).snapshots()
        before = next(snapshots)
        while (now := next(snapshots)).health.spaced != set(SPACED):
            before = now
        usual_ns = min(np.diff(probe.records_ns))
        told = next(snapshots)
        health = told.health
        probe.scans_ns.clear()
        # On a busy machine older records come late; the first new one may end an older window.
        spaced_since_ns = monotonic_ns()
        later = [next(snapshots) for _ in range(3)]
        while sum(time_ns > spaced_since_ns for time_ns in probe.records_ns) < 3:
            later.append(next(snapshots))
        assert later[-1].health.spaced == set(SPACED)
        spaced_ns = min(np.diff([time_ns for time_ns in probe.records_ns if time_ns > spaced_since_ns])[1:])
        assert health.report_interval_s == TINY.longest_report_s
        # What the program costs changes, and its spacing with it. The kernel counts in jiffies, which come
        # late where another guest has the processor.
        assert spaced_ns >= 0.9e9 * min(snapshot.health.report_interval_s for snapshot in (told, *later))
        assert usual_ns < spaced_ns / 4
        assert before.health.report_interval_s < 1
        assert health.refresh_s == TINY.longest_refresh_s
        for previous, snapshot in pairwise((told, *later)):
            # Very many ends, of others, bring a snapshot before its time.
            if snapshot.rows["closed"].sum() <= CLOSED_KEPT:
                assert snapshot.clock_ns - previous.clock_ns >= 0.9e9 * health.refresh_s
        assert len(probe.scans_ns) <= 1 + (later[-1].clock_ns - told.clock_ns) / 1e9 / health.scan_pause_s


def test_the_stream_tells_what_is_given_up(record: Callable[..., Recording]) -> None:
    with connected() as pair, talking(pair):
        recording = record("--budget", "0.01%", "--interval", "0.25")
        told = recording.wait_for(
            lambda line: line["event"] == "refresh" and line["health"]["spaced"] == sorted(SPACED)
        )["health"]
        recording.wait_for(
            lambda line: line["event"] == "refresh" and line["health"]["kernel_percent"] is not None
        )
    assert told["budget_percent"] == 0.01
    assert told["cost_percent"] > told["budget_percent"]
    assert (told["refresh_s"], told["kernel_note"]) == (10.0, "")
    first = next(line for line in recording.lines if line["event"] == "refresh")["health"]
    assert (first["spaced"], first["refresh_s"], first["budget_percent"]) == ([], 0.25, 0.01)
    assert first["cost_percent"] is first["kernel_percent"] is None


def test_without_the_right_to_count_it_is_an_estimate_and_says_so(record: Callable[..., Recording]) -> None:
    before = as_nobody("bpf", "perfmon", "sys_ptrace")
    with connected() as pair, talking(pair):
        recording = record("--budget", "50%", "--interval", "0.25", before=before)
        told = recording.wait_for(
            lambda line: line["event"] == "refresh" and line["health"]["kernel_note"] != ""
        )["health"]
    assert told["kernel_note"] == "the kernel cannot count the cost: Operation not permitted"
    assert told["kernel_percent"] > 0
