"""The trace of one connection stays small, whatever the connection brings."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.model.records import RECORD, Kind, Records
from tcptop_rtt.model.snapshot import Trace
from tcptop_rtt.tracking.trace import CHANGES_KEPT, READ_KEPT, SAMPLES_KEPT, TraceLog

START_NS = 1_000_000_000_000
SAMPLE_NS = 1_000_000


def samples(rtt_us: list[int], start: int = 0) -> Records:
    """A record each, a millisecond apart."""
    made = np.zeros(len(rtt_us), RECORD)
    made["kind"] = Kind.SEGMENT
    made["time_ns"] = START_NS + SAMPLE_NS * np.arange(start, start + len(rtt_us))
    made["single_rtt_us"], made["srtt_us"] = rtt_us, 5
    return made


def log() -> TraceLog:
    return TraceLog(1, np.zeros(0, np.int64), np.zeros(0, np.float32), START_NS, 0, False)


def add(into: TraceLog, records: Records) -> None:
    into.add(records, np.zeros(len(records), bool))


def frozen(of: TraceLog) -> Trace:
    return of.freeze(START_NS, (), "")


@pytest.mark.parametrize("count", [1, 2, READ_KEPT, READ_KEPT + 1, 5000])
def test_of_many_samples_of_one_read_a_few_stand_for_all(count: int) -> None:
    rtt_us = np.random.default_rng(1).permutation(np.arange(100, 100 + count)).tolist()
    trace_log = log()
    add(trace_log, samples(rtt_us))
    trace = frozen(trace_log)
    assert len(trace.rtt_us) == min(count, READ_KEPT)
    assert trace.weight.sum() == pytest.approx(count)
    assert (trace.rtt_us.min(), trace.rtt_us.max()) == (100, 99 + count)
    assert (np.diff(trace.time_s) > 0).all()
    assert (trace.samples, trace.lowest_us, trace.highest_us) == (count, 100, 99 + count)
    below = trace.weight[trace.rtt_us < 100 + count / 2].sum()
    assert below == pytest.approx(count / 2, abs=1 + count / READ_KEPT)


def test_it_gets_coarser_when_old_and_loses_no_spike() -> None:
    trace_log = log()
    reads = 3 * SAMPLES_KEPT // READ_KEPT
    for number in range(reads):
        rtt_us = [1000 + at for at in range(READ_KEPT)]
        rtt_us[7] = 900_000 if number == 3 else rtt_us[7]
        add(trace_log, samples(rtt_us, number * READ_KEPT))
        assert len(frozen(trace_log).rtt_us) <= SAMPLES_KEPT
    trace = frozen(trace_log)
    assert trace.time_s[0] < READ_KEPT * SAMPLE_NS / 1e9  # as far back as it began
    assert trace.rtt_us.max() == 900_000
    assert trace.weight.sum() == pytest.approx(reads * READ_KEPT)
    newer = trace.time_s > trace.time_s[-1] - SAMPLES_KEPT / 2 * SAMPLE_NS / 1e9
    assert (trace.weight[newer] == 1).all()


def test_a_connection_that_only_sends_again_fills_no_memory() -> None:
    trace_log = log()
    for number in range(4):
        records = samples([0] * CHANGES_KEPT)
        records["time_ns"] = START_NS + np.arange(1, CHANGES_KEPT + 1) * 200_000_000 + number * 10**13
        records["retrans"] = np.arange(CHANGES_KEPT) + CHANGES_KEPT * number + 1
        add(trace_log, records)
    changes = frozen(trace_log).changes
    assert len(changes.time_s) == len(changes.retrans) == CHANGES_KEPT
    assert changes.retrans[-1] == 4 * CHANGES_KEPT
