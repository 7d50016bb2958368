"""The quantiles of a real connection are those of its samples, which the stream tells one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tcptop_rtt.tracking.quantiles import STEPS_PER_OCTAVE
from tests.live.conftest import Recording
from tests.live.link import Link, sending, taking
from tests.live.program import START_S, Line
from tests.waiting import becomes

PORT, SAMPLES = 8083, 40


def _samples(line: Line) -> list[int]:
    """Those that a line tells of, and their mean in place of those between the lowest and the highest."""
    lowest_us, highest_us, others = line["rtt_lo_us"], line["rtt_hi_us"], (line["rtt_samples"] or 0) - 2
    if others <= 0:
        return [lowest_us, highest_us][: others + 2]
    return [lowest_us, highest_us, *[(line["rtt_sum_us"] - lowest_us - highest_us) // others] * others]


def test_they_are_within_a_step_of_those_of_single_samples(record: Callable[..., Recording]) -> None:
    with Link(10) as link:
        recording = record("--interval", "0.1", "--rport", str(PORT))
        link.start(link.b, taking(PORT))
        sender = link.start(link.a, sending(PORT, 100, 0.2))
        told = recording.lines
        assert becomes(lambda: sum(line.get("rtt_samples") or 0 for line in list(told)) >= SAMPLES, START_S)
        sender.kill()
        recording.wait_for(lambda line: line["event"] == "close" and line["netns"] in link.namespaces)
        lines = [line for line in recording.stop() if line.get("netns") in link.namespaces]
    last, step = lines[-1], 2 ** (1 / STEPS_PER_OCTAVE)
    newest = [
        [
            us
            for line in lines
            if line["time_ns"] >= last["time_ns"] - seconds * 10**9
            for us in _samples(line)
        ]
        for seconds in (30, 60)
    ]
    assert len(newest[1]) >= SAMPLES // 2
    for name, percent in (("rtt_p50_us", 50), ("rtt_p95_us", 95)):
        # Whether one sample more or less belongs to the last minute moves them by a rank.
        exact = [
            np.percentile(samples, min(percent + rank * 100 / len(samples), 100), method="inverted_cdf")
            for samples in newest
            for rank in (-1, 0, 1)
        ]
        assert min(exact) / step <= last[name] <= max(exact) * step, newest
    assert 20_000 <= last["rtt_p50_us"] <= last["rtt_p95_us"] <= max(newest[1])
