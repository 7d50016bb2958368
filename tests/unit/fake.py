"""A source and a clock made by hand: what a feed does with them needs no kernel and takes no time."""

from __future__ import annotations

import math
import queue
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from tcptop_rtt.feeds.clock import Clock
from tcptop_rtt.model.records import ENTRY, INTERVAL_S, RECORD, Kind, Records
from tcptop_rtt.model.snapshot import Waiting
from tcptop_rtt.sources.base import Batch, ProgramRuns, Source
from tests.unit.rows import filled

START_NS = 1_000_000_000_000
WALL_NS = 1_700_000_000_000_000_000
"""The wall clock at the start."""


class ScriptedClock(Clock):
    """Time passes where somebody waits or works, and nowhere else."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self._worked_s = 0.0

    def work(self, seconds: float) -> None:
        self._worked_s += seconds
        self.now_ns += round(seconds * 1e9)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return WALL_NS + self.now_ns - START_NS

    def since_boot_ns(self) -> int:
        return self.now_ns

    def thread_s(self) -> float:
        return self._worked_s

    process_s = thread_s

    def wait(self, wake: queue.SimpleQueue[None], seconds: float) -> None:
        try:
            wake.get_nowait()
        except queue.Empty:
            self.now_ns += math.ceil(seconds * 1e9)


class FakeSource(Source):
    """Tells what a test puts into its attributes."""

    hook, hook_note = "fake", ""
    lacking: frozenset[str] = frozenset()
    waiting: tuple[Waiting, ...] = ()
    polls, missed = False, ""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self.entries: list[Mapping[str, Any]] = []
        """What each scan lists."""
        self.records: list[Mapping[str, Any]] = []
        """What the next read brings."""
        self.last: list[Mapping[str, Any]] = []
        """And of followed connections that have ended."""
        self.dropped_records = self.untracked = 0
        self.names: dict[tuple[int, int], bytes] = {}
        self.scan_cost_s = self.read_cost_s = 0.0
        self.scan_failure: OSError | None = None
        """Raised once the first two entries are listed."""
        self.scans_s: list[float] = []
        """When each scan began."""
        self.reads_s: list[float] = []
        self.unheld: Collection[int] = ()
        """What the latest scan has asked for."""
        self.has_ended: set[int] = set()
        """The ids of connections that it knows to have ended."""
        self.last_words: list[Mapping[str, Any]] = []
        """Records that come with the question for what has ended."""
        self.asked: list[dict[int, int]] = []
        self.traced: list[int] = []
        self.report_interval_s = INTERVAL_S
        self.runs_per_s = self.ns_per_run = 0.0
        """Of its program in the kernel."""
        self.count_failure: OSError | None = None
        self.counts_s: list[float] = []
        """When each count of that began."""
        self.closed = False

    def set_report_interval(self, seconds: float) -> None:
        self.report_interval_s = seconds

    def read(self) -> Batch:
        self.reads_s.append(self._clock.monotonic_s())
        if isinstance(self._clock, ScriptedClock):
            self._clock.work(self.read_cost_s)
        fresh, self.records = self.records, []
        ended, self.last = self._made(ENTRY, Kind.ENTRY, self.last), []
        records = self._made(RECORD, Kind.SEGMENT, fresh)
        return Batch(records, self.dropped_records, self.untracked, ended)

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        self.scans_s.append(self._clock.monotonic_s())
        if isinstance(self._clock, ScriptedClock):
            self._clock.work(self.scan_cost_s)
        for start in range(0, max(1, len(self.entries)), 2):
            yield self._made(ENTRY, Kind.ENTRY, self.entries[start : start + 2])
            if self.scan_failure:
                raise self.scan_failure
        self.unheld = unheld()

    def interface_names(self, namespaces: Collection[int]) -> Mapping[tuple[int, int], bytes]:
        return {key: name for key, name in self.names.items() if key[0] in namespaces}

    def trace(self, sock: int) -> None:
        self.traced.append(sock)

    def ended(self, connections: Mapping[int, int]) -> list[int]:
        self.asked.append(dict(connections))
        self.records += self.last_words
        return [connection for connection in connections.values() if connection in self.has_ended]

    def begin_counting(self) -> None:
        self.counts_s.append(self._clock.monotonic_s())
        if self.count_failure:
            raise self.count_failure

    def end_counting(self) -> tuple[ProgramRuns, ...]:
        runs = round(self.runs_per_s * (self._clock.monotonic_s() - self.counts_s[-1]))
        hook = ProgramRuns("on_segment", runs, round(runs * self.ns_per_run), ours=False)
        return hook, ProgramRuns("iterator", 2, 5_000_000, ours=True), ProgramRuns("never", 0, 0, ours=False)

    def close(self) -> None:
        self.closed = True

    def _made(self, dtype: np.dtype[np.void], kind: Kind, given: Collection[Mapping[str, Any]]) -> Records:
        common = {"kind": kind, "time_ns": self._clock.monotonic_ns()}
        made = filled(dtype, *({**common, **fields} for fields in given))
        made["pid"] = made["tgid"]
        return made


def connection(id_: int, **fields: Any) -> dict[str, Any]:
    """Of an established, healthy connection: for an entry, and for a record as far as it has the fields."""
    values: dict[str, Any] = {
        "id": id_,
        "sock": 0x1000 * id_,
        "tgid": 100 + id_,
        "comm": f"proc{id_}".encode(),
        "started_ns": 1_000_000_000 * id_,
        "opened_ns": START_NS - 60_000_000_000,
        "state": 1,
        "family": 4,
        "laddr": "192.0.2.1",
        "raddr": f"198.51.100.{id_}",
        "lport": 40000 + id_,
        "rport": 443,
        "srtt_us": 1000 * id_,
        "rttvar_us": 100,
        "min_rtt_us": 900 * id_,
        "mss": 1448,
        "cwnd": 10,
        "bytes_acked": 5000,
    }
    return values | fields


def sample(id_: int, rtt_us: int, window_start: int = 1, **fields: Any) -> dict[str, Any]:
    """For a record of one RTT sample of it."""
    values = connection(id_, srtt_us=rtt_us, rtt_lo_us=rtt_us, rtt_hi_us=rtt_us, last_rtt_us=rtt_us)
    for owner in ("tgid", "comm", "started_ns"):  # a segment has no process
        del values[owner]
    return values | {"rtt_samples": 1, "single_rtt_us": rtt_us, "window_start": window_start, **fields}
