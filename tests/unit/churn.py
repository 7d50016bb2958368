"""A source whose connections come and go by a clock made by hand: hours pass as fast as they are told of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np

from tcptop_rtt.model.records import ENTRY, RECORD, Kind, Records
from tcptop_rtt.model.rows import LISTEN
from tcptop_rtt.sources.base import Batch
from tests.unit.fake import FakeSource, ScriptedClock, connection
from tests.unit.rows import filled

_OF_PROCESS = 5
"""So many connections has each process."""
_AT_LISTENER = 100
_FAILED = 10
"""One in so many has never been a connection."""
_TALKING = 10


class ChurningSource(FakeSource):
    """So many connections are open at a time; the oldest are replaced by others from anywhere.

    Each has a sample as it begins, and one in ten between two reads. Processes follow each other, and so do
    listeners and targets of failed connects.

    :param live: so many are open
    :param per_s: so many are replaced a second; may be set at any time
    """

    def __init__(self, clock: ScriptedClock, live: int, per_s: float) -> None:
        super().__init__(clock)
        self._chance = np.random.default_rng(1)
        self._live = live
        self.per_s = per_s
        self.opened = 0
        """So many there have been."""
        self._template = filled(ENTRY, connection(1))[0]
        self._entries = self._open(live)
        self._read_ns = clock.monotonic_ns()
        self._due = 0.0
        self._oldest = 0

    def _open(self, count: int) -> Records:
        entries = np.full(count, self._template)
        ids = np.arange(self.opened, self.opened + count, dtype=np.uint64)
        self.opened += count
        entries["id"], entries["sock"] = ids + 3, 0x1000 * (ids + 3)
        processes = ids // _OF_PROCESS
        entries["tgid"] = entries["pid"] = 1000 + processes
        entries["started_ns"] = processes * 10_000_000
        entries["comm"] = [b"process-%d" % number for number in processes.tolist()]
        addresses = np.zeros((count, 16), np.uint8)
        addresses[:, 10:12], addresses[:, 12:] = 255, self._chance.integers(1, 255, (count, 4))
        entries["raddr"] = addresses.view("V16")[:, 0]
        entries["lport"] = self._chance.integers(32768, 61000, count)
        entries["opened_ns"] = self._clock.monotonic_ns()
        return entries

    @property
    def ids(self) -> set[int]:
        """Of those that are open."""
        return set(self._entries["id"].tolist())

    def read(self) -> Batch:
        now_ns = self._clock.monotonic_ns()
        self._due += self.per_s * (now_ns - self._read_ns) / 1e9
        self._read_ns = now_ns
        count = min(int(self._due), self._live)
        self._due -= count
        at = (self._oldest + np.arange(count)) % self._live
        self._oldest = (self._oldest + count) % self._live
        closed = self._records(self._entries[at], Kind.CLOSE)
        failed = closed[::_FAILED]
        failed["bytes_acked"], failed["error"], failed["direction"] = 0, 111, 1
        self._entries[at] = self._open(count)
        opened = self._records(self._entries[at], Kind.STATE)
        opened["open_seen"] = 1
        talking = np.union1d(at, self._chance.integers(0, self._live, self._live // _TALKING))
        self._entries["bytes_acked"][talking] += np.uint64(1000)
        samples = self._records(self._entries[talking], Kind.SEGMENT)
        rtt_us = self._chance.lognormal(8, 1, len(talking)).astype(np.uint32)
        for name in ("rtt_lo_us", "rtt_hi_us", "last_rtt_us", "single_rtt_us", "srtt_us", "rtt_sum_us"):
            samples[name] = rtt_us
        samples["rtt_samples"], samples["window_start"] = 1, now_ns
        return Batch(np.concatenate([closed, opened, samples]), self.dropped_records, self.untracked)

    def _records(self, entries: Records, kind: Kind) -> Records:
        records = np.zeros(len(entries), RECORD)
        for name in RECORD.names or ():
            records[name] = entries[name]
        records["kind"], records["time_ns"] = kind, self._clock.monotonic_ns()
        return records

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        listening = self._entries[::_AT_LISTENER].copy()
        listening["state"], listening["raddr"] = LISTEN, np.void(bytes(16))
        for entries in (self._entries.copy(), listening):
            entries["kind"], entries["time_ns"] = Kind.ENTRY, self._clock.monotonic_ns()
            yield entries
        self.unheld = unheld()

    def ended(self, connections: Mapping[int, int]) -> list[int]:
        self.asked.clear()  # hours of them would be much
        return super().ended(connections)
