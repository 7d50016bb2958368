"""The feed of this machine: reads a source on a timer, and yields snapshots."""

from __future__ import annotations

import dataclasses
import math
import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress

from tcptop_rtt.feeds.base import Capability, Feed
from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.clock import Clock
from tcptop_rtt.feeds.namespaces import namespace_name
from tcptop_rtt.feeds.processes import Processes, UserNames
from tcptop_rtt.feeds.reader import Reader
from tcptop_rtt.feeds.socket_use import ENDS, Socket, UseWatch
from tcptop_rtt.feeds.units import Units
from tcptop_rtt.model.snapshot import Health, Origin, ProcessKey, Snapshot
from tcptop_rtt.sources.base import Source


def ready(source: Source) -> Future[Source]:
    """A future that already has the source."""
    future: Future[Source] = Future()
    future.set_result(source)
    return future


class LiveFeed(Feed):
    """Snapshots of this machine's connections.

    :param source: may still be opening; whoever has opened it closes it, once the feed has ended
    :param refresh_s: time between two snapshots
    :param processes: gives facts about processes
    :param users: gives names of users
    :param use: finds which threads are blocked on a socket; None: they are not looked for
    :param stage: says what takes long while the source is opening
    """

    def __init__(
        self,
        source: Future[Source],
        refresh_s: float,
        budget: Budget | None = None,
        clock: Clock | None = None,
        processes: Processes | None = None,
        users: UserNames | None = None,
        use: UseWatch | None = None,
        stage: Callable[[], str] = str,
    ) -> None:
        self._source = source
        self._refresh_s = refresh_s
        self._budget = budget or Budget()
        self._clock = clock or Clock()
        self._processes = processes or Processes()
        self._units = Units(self._processes.cgroup, self._clock.monotonic_s)
        self._users = users or UserNames()
        self._use = use or UseWatch(lambda _pid, _inode: None)
        self._stage = stage
        self._reader: Reader | None = None
        self._wanted_trace: int | None = None
        self._traced: int | None = None
        self._asked = self._cost_wanted = self._scan_wanted = False
        self._stopped = False
        # A signal handler may call stop() on this thread while it waits: an Event would deadlock.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        source.add_done_callback(lambda _: self._wake.put(None))

    def set_refresh(self, seconds: float) -> None:
        """Set the time between two snapshots, and make one at once."""
        self._refresh_s = seconds
        self._asked = True
        self._wake.put(None)

    def set_trace(self, connection: int | None) -> None:
        """Report every ACK of one connection in each snapshot's ``trace``, or of none."""
        self._wanted_trace = connection
        self._wake.put(None)

    def scan(self) -> None:
        """Scan for a snapshot at once, whatever the budget says."""
        self._scan_wanted = True
        self._wake.put(None)

    def measure_cost(self) -> None:
        """Measure what the program costs in the second that begins now."""
        self._cost_wanted = True
        self._wake.put(None)

    def stop(self) -> None:
        """End :meth:`open`, or the iteration of :meth:`snapshots` at its next turn."""
        self._stopped = True
        self._wake.put(None)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All but PLAY, and without TRACE if the source sees no single ACKs."""
        polls = self._reader is not None and self._reader.polls
        always = frozenset({Capability.REFRESH, Capability.MEASURE})
        return always if polls else always | {Capability.TRACE}

    @property
    def health(self) -> Health:
        """The health before the first snapshot."""
        if self._reader is None:
            return Health()
        return self._reader.health

    @property
    def stage(self) -> str:
        """What takes long while the source is opening."""
        return self._stage()

    @property
    def origin(self) -> Origin:
        """This machine, with the hook once it is known."""
        machine = os.uname()
        boot_time_ns = self._clock.wall_ns() - self._clock.since_boot_ns()
        return Origin(machine.nodename, machine.release, self.health.hook, boot_time_ns)

    def cgroup(self, process: ProcessKey) -> str | None:
        """The control group of a process of this machine."""
        with suppress(OSError):
            return self._units.path(process)
        return None

    def open(self) -> None:
        """Wait for the source, or until stopped.

        :raises TcptopError: the source cannot run here; the message says why
        """
        while not (self._stopped or self._source.done()):
            self._wake.get()
        if self._reader is None and not self._stopped:
            source, processes = self._source.result(), self._processes
            self._reader = Reader(source, self._budget, self._clock, self._units.of, processes.is_gone)

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield a snapshot at once, then one per interval until stopped, and a last one.

        If very many connections have ended, a snapshot comes early: ended rows are kept until one shows them.
        """
        self.open()
        if self._reader is not None:
            yield from self._snapshots(self._reader)

    def _snapshots(self, reader: Reader) -> Iterator[Snapshot]:
        clock, shortest_read_s = self._clock, self._budget.shortest_read_s
        next_snapshot = next_read = clock.monotonic_s()
        while True:
            now, last = clock.monotonic_s(), self._stopped
            due = self._take_requests(reader) or last or now >= next_snapshot - shortest_read_s / 2
            due = self._has_measured(reader) or due
            if due or now >= next_read:
                reader.look(now, may_scan=due)
                due = due or reader.snapshot_is_urgent
            if now >= next_read:
                next_read = max(next_read, now - shortest_read_s) + self._read_period_s(reader)
            if due:
                snapshot = reader.snapshot(self._refresh_s, late_s=max(0.0, now - next_snapshot))
                next_snapshot = max(next_snapshot, now) + reader.spaced_refresh_s(self._refresh_s)
                yield self._described(snapshot, reader)
            if last:
                return
            next_snapshot = min(next_snapshot, now + reader.spaced_refresh_s(self._refresh_s))
            next_read = min(next_read, now + self._read_period_s(reader), next_snapshot)
            wake_s = min(next_read, reader.meter.over_s)
            clock.wait(self._wake, max(0.0, wake_s - clock.monotonic_s()))

    def _read_period_s(self, reader: Reader) -> float:
        """The time between two reads: long to spare the traffic, short while the chart of a trace moves."""
        if self._traced is not None and Capability.TRACE in self.capabilities:
            return reader.spaced_read_s(self._budget.shortest_read_s)
        reads = math.ceil(self._refresh_s / self._budget.longest_read_s)
        return reader.spaced_read_s(max(self._budget.shortest_read_s, self._refresh_s / reads))

    def _has_measured(self, reader: Reader) -> bool:
        """Whether a measurement that was asked for has just ended."""
        if not reader.meter.look() or not self._cost_wanted:
            return False
        self._cost_wanted = False
        return True

    def _take_requests(self, reader: Reader) -> bool:
        """Carry out what setters have asked for; return whether that needs a snapshot at once."""
        if self._wanted_trace != self._traced:
            self._traced = self._wanted_trace
            reader.trace(self._traced)
            self._asked = True
        if self._cost_wanted:
            reader.meter.begin()
        if self._scan_wanted:
            self._scan_wanted = False
            reader.forget_pause()
            self._asked = True
        asked, self._asked = self._asked, False
        return asked

    def _described(self, snapshot: Snapshot, reader: Reader) -> Snapshot:
        """Add what this machine knows of the traced connection's process."""
        if snapshot.trace is None:
            return snapshot
        key = reader.holder_of(snapshot.trace.id)
        here = snapshot.rows["id"] == snapshot.trace.id
        uids, netns, *ends = (snapshot.rows[name][here].tolist() for name in ("uid", "netns", *ENDS))
        trace = dataclasses.replace(
            snapshot.trace,
            user=self._users.get(uids[0]) if uids else "",
            process=self._processes.describe(key),
            cgroup_path=self.cgroup(key),
            parents=self._processes.parents(key),
            netns_name=namespace_name(netns[0]) if netns else "",
            use=self._use.of(Socket(key.pid, *(end[0] for end in ends))) if ends[0] and key.pid else None,
        )
        return dataclasses.replace(snapshot, trace=trace)
