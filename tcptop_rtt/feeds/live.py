"""The worker's body: reads the source on a timer, feeds the connections, hands out snapshots."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import queue
import time
from collections.abc import Callable, Iterator

import numpy as np

from tcptop_rtt.feeds.pacing import Pace
from tcptop_rtt.feeds.processes import Processes, UserNames
from tcptop_rtt.model.snapshot import Health, Snapshot
from tcptop_rtt.sources.base import Source
from tcptop_rtt.tracking.connections import Connections

SHORTEST_READ_S, LONGEST_READ_S = 0.1, 0.5
"""Between two reads of the source."""

SCAN_SHARE = 0.02
"""Of one core, at most, for scans: the period stretches with what a scan costs."""
EASY_SCAN_SHARE, EASY_SCAN_S = 0.005, 2.0
"""No more than this as long as scans are so often; unless somebody looks closely at one connection, of which
much is known from scans only."""


class Collector:
    """Owns a source and the connections. Runs in one thread; the setters may be called from any."""

    def __init__(self, source: Source, interval_s: float) -> None:
        self._source = source
        self._connections = Connections()
        self._processes = Processes()
        self._users = UserNames()
        self._interval_s = interval_s
        self._wanted_focus: int | None = None
        self._focus: int | None = None
        self._asked = False
        self._stopped = False
        # A signal handler may wake this thread while it waits: an Event would deadlock.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._lost = self._untracked = 0
        self._problem = ""
        self._pace = Pace(time.monotonic())
        self._cpu = (time.monotonic(), time.process_time())
        self._next_scan = 0.0

    def set_interval(self, seconds: float) -> None:
        """Time between snapshots."""
        self._interval_s = seconds
        self._asked = True
        self._wake.put(None)

    def set_focus(self, connection: int | None) -> None:
        """Report every ACK of one connection, in each snapshot's ``focus``."""
        self._wanted_focus = connection
        self._wake.put(None)

    def stop(self) -> None:
        """End the iteration of :meth:`snapshots` at its next turn, at once."""
        self._stopped = True
        self._wake.put(None)

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` has been called."""
        return self._stopped

    @property
    def health(self) -> Health:
        """How the program is doing, before the first snapshot."""
        return Health(self._source.hook, self._source.hook_note, 0.0, 0, 0.0)

    def run(self, publish: Callable[[Snapshot], None]) -> None:
        """Publish a snapshot per interval until stopped."""
        for snapshot in self.snapshots():
            publish(snapshot)

    def snapshots(self) -> Iterator[Snapshot]:
        """A first snapshot at once, then one per interval until stopped, and a last one.

        One comes before its time where very many connections have ended since: they are kept until then.
        """
        next_snapshot = next_read = time.monotonic()
        while True:
            now, last = time.monotonic(), self._stopped
            due = self._take_requests() or last or now >= next_snapshot - SHORTEST_READ_S / 2
            if due or now >= next_read:
                self._look(now, may_scan=due)
                due = due or self._connections.snapshot_is_urgent
            if now >= next_read:
                next_read = max(next_read, now - SHORTEST_READ_S) + self._read_period_s()
            if due:
                next_snapshot = max(next_snapshot, now) + self._interval_s
                yield self._snapshot()
            if last:
                return
            next_snapshot = min(next_snapshot, now + self._interval_s)
            next_read = min(next_read, now + self._read_period_s())
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=max(0.0, next_read - time.monotonic()))

    def _read_period_s(self) -> float:
        """Seldom, as each wake-up takes a processor from the traffic; but a focus's chart has to move."""
        if self._focus is not None:
            return SHORTEST_READ_S
        reads = math.ceil(self._interval_s / LONGEST_READ_S)
        return max(SHORTEST_READ_S, self._interval_s / reads)

    def _take_requests(self) -> bool:
        """Whether a setter was called: its answer is a snapshot at once."""
        if self._wanted_focus != self._focus:
            self._focus = self._wanted_focus
            self._source.focus(self._connections.set_trace(self._focus))
            self._next_scan = 0.0
            self._asked = True
        asked, self._asked = self._asked, False
        return asked

    def _look(self, now: float, may_scan: bool) -> None:
        """Read the source, and scan it if that is due."""
        began_s = time.thread_time()  # not by the clock: others may have had the processor
        if not (may_scan and now >= self._next_scan and self._scan()):
            self._read()
            return
        self._close_ended()
        self._next_scan = now + self._pause_s(time.thread_time() - began_s)

    def _scan(self) -> bool:
        """Whether it could be done: it fails without a free descriptor, and the next turn tries again."""
        try:
            for entries in self._source.scan(self._connections.unheld_namespaces()):
                self._read()  # what happened before the scan saw it goes first
                self._connections.ingest_scan(entries)
        except OSError as error:
            self._connections.drop_scan()
            self._problem = f"cannot list the sockets: {error.strerror or error}"
            return False
        self._connections.apply_scan()
        self._problem = ""
        return True

    def _pause_s(self, cost_s: float) -> float:
        """From one scan, with the question for what has ended, to the next."""
        easy_s = min(cost_s / EASY_SCAN_SHARE, EASY_SCAN_S) if self._focus is None else 0.0
        return max(cost_s / SCAN_SHARE, easy_s)

    def _close_ended(self) -> None:
        """Close the connections that have ended unseen, as their last record found no room."""
        ended = self._source.ended(self._connections.missing_socks())
        # Others have ended since the latest read: their last records have the final counters.
        self._read()
        self._connections.close_missing(ended)

    def _read(self) -> None:
        batch = self._source.read()
        self._pace.take(int(np.count_nonzero(batch.records["rtt_samples"])), time.monotonic())
        self._source.set_interval(self._pace.interval_s)
        self._lost, self._untracked = batch.lost, batch.untracked
        self._connections.ingest(batch.records)

    def _snapshot(self) -> Snapshot:
        bound = self._connections.bound_namespaces()
        self._connections.name_interfaces(self._source.interface_names(bound))
        snapshot = self._connections.snapshot(self._measure_health())
        waiting = self._source.waiting
        if snapshot.focus is None:
            return dataclasses.replace(snapshot, waiting=waiting)
        key = self._connections.owner_of(snapshot.focus.id)
        uids = snapshot.rows["uid"][snapshot.rows["id"] == snapshot.focus.id].tolist()
        focus = dataclasses.replace(
            snapshot.focus,
            user=self._users.get(uids[0]) if uids else "",
            process=self._processes.describe(key),
            cgroup_path=self._processes.cgroup(key),
        )
        return dataclasses.replace(snapshot, focus=focus, waiting=waiting)

    def _measure_health(self) -> Health:
        then, cpu_then = self._cpu
        self._cpu = now, cpu = time.monotonic(), time.process_time()
        return Health(
            self._source.hook,
            self._source.hook_note,
            samples_per_s=self._connections.samples_per_s(),
            lost=self._lost,
            cpu_percent=100 * (cpu - cpu_then) / max(1e-3, now - then),
            untracked=self._untracked,
            unknown=self._source.unknown,
            problem=self._problem,
        )
