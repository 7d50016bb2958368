"""A recording of a gigabyte, opened and gone to any time of; what recording 10,000 live connections takes.

The gigabyte holds 10,000 connections of which a tenth change in each second. What opening it takes on a
terminal is beside a recording of a megabyte: the rest is the start of the program.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.results import Result
from bench.scale import HEALTH, Synthetic
from bench.startup import painted_s
from bench.traffic import cpu_percent, dashboard, resident_mib, talking
from tcptop_rtt.feeds.replay.cursor import Cursor
from tcptop_rtt.feeds.replay.opening import footage_of
from tcptop_rtt.model.snapshot import Origin
from tcptop_rtt.outputs.recording import Recording
from tcptop_rtt.recording.opened import open_file
from tcptop_rtt.recording.writer import RecordingWriter
from tcptop_rtt.view.filter import Filter

CONNECTIONS = 10_000
BYTES = 1 << 30
SMALL_BYTES = 1 << 20
PAIRS = 5_000
ROUNDS = 3
SEEKS = 30
WINDOW_S = 10.0
SETTLE_S = 5.0


def _record(path: str, size: int) -> None:
    """Make a recording that is as large; a second passes from snapshot to snapshot."""
    source = Synthetic(CONNECTIONS)
    source.scan()
    recording = Recording(RecordingWriter(path), Filter(), lambda _: None)
    recording.begin(Origin("bench", os.uname().release, HEALTH.hook, 0))
    time_ns = time.time_ns()
    while recording.size < size:
        source.now_ns += 10**9
        time_ns += 10**9
        snapshot = source.refresh(source.samples())
        recording.show(dataclasses.replace(snapshot, time_ns=time_ns), ())
    assert not recording.failure
    recording.end(0)


def _seeks_s(path: str) -> tuple[float, list[float], float]:
    """Seconds to a first snapshot of it, and to one of each of some times; by how much memory has grown."""
    complaints: list[str] = []
    began_s, before_mib = time.monotonic(), resident_mib(os.getpid())
    footage = footage_of(open_file(path), lambda: False, complaints.append)
    cursor = Cursor(footage, complaints.append)
    assert cursor.next() is not None
    opened_s = time.monotonic() - began_s
    span_ns = footage.span_ns
    seconds = []
    for wanted in np.linspace(*span_ns, SEEKS, dtype=np.int64).tolist():
        began_s = time.monotonic()
        assert cursor.seek(wanted) is not None
        seconds.append(time.monotonic() - began_s)
    grown_mib = resident_mib(os.getpid()) - before_mib
    footage.close()
    assert complaints == []
    return opened_s, seconds, grown_mib


def _opened_s(path: str) -> float:
    """Seconds from exec to the first rows of it on a terminal."""
    return painted_s(b"worker", "-m", "tcptop_rtt", "--replay", path)


def _shares(directory: str) -> list[float]:
    """Of one processor, what the dashboard takes without recording and with it, in turn."""
    shares = []
    with talking(PAIRS, 1.0):
        for number in range(ROUNDS):
            for options in ((), ("--record", f"{directory}/live{number}")):
                with dashboard(*options) as pid:
                    time.sleep(SETTLE_S)
                    shares.append(cpu_percent(pid, WINDOW_S))
    return shares


def measure() -> list[Result]:
    """The gigabyte first."""
    with tempfile.TemporaryDirectory() as directory:
        large, small = f"{directory}/large", f"{directory}/small"
        _record(large, BYTES)
        _record(small, SMALL_BYTES)
        opened_s, seeks_s, grown_mib = _seeks_s(large)
        on_terminal_s = [[_opened_s(path) for path in (small, large)] for _ in range(ROUNDS)]
        more_s = statistics.median(second - first for first, second in on_terminal_s)
        size_mib = Path(large).stat().st_size / 2**20
        shares = _shares(directory)
    without, recording = statistics.median(shares[::2]), statistics.median(shares[1::2])
    return [
        Result("opened, and a first snapshot", opened_s, "s", at_most=1, detail=f"{size_mib:.0f} MiB"),
        Result("on a terminal, from exec to rows, beyond one of a megabyte", more_s, "s", at_most=1),
        Result(
            f"gone to each of {SEEKS} times, the slowest",
            max(seeks_s),
            "s",
            at_most=1,
            detail=f"median {statistics.median(seeks_s):.2f}",
        ),
        Result("memory that takes", grown_mib, "MiB"),
        Result(
            f"recording {2 * PAIRS:,} live connections, beyond showing them",
            recording - without,
            "% of a core",
            at_most=5,
            detail=f"{recording:.1f} and {without:.1f}",
        ),
    ]
