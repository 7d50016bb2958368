"""Reads and scans a source into the connections, as often as the budget allows."""

from __future__ import annotations

import dataclasses
import math
import resource
from collections.abc import Callable
from functools import partial

import numpy as np

from tcptop_rtt.feeds.budget import Budget, stretched_s
from tcptop_rtt.feeds.clock import Clock
from tcptop_rtt.feeds.cost_meter import CostMeter
from tcptop_rtt.feeds.namespaces import own_netns
from tcptop_rtt.feeds.pacing import Pace
from tcptop_rtt.feeds.thrift import Spacing, Spent, Thrift
from tcptop_rtt.model.outside import TEXT_BYTES, read_bytes
from tcptop_rtt.model.snapshot import Health, ProcessKey, Snapshot
from tcptop_rtt.sources.base import Source
from tcptop_rtt.tracking.connections import Connections


class Reader:
    """Owns the connections. One thread owns it.

    :param unit_of: returns the unit that a process runs in; empty if none, or not known
    :param is_gone: returns whether a process has certainly ended
    """

    def __init__(
        self,
        source: Source,
        budget: Budget,
        clock: Clock,
        unit_of: Callable[[ProcessKey], bytes],
        is_gone: Callable[[ProcessKey], bool],
    ) -> None:
        self._unit_of = unit_of
        self._is_gone = is_gone
        self._source = source
        self._budget = budget
        self._clock = clock
        self._connections = Connections(clock.monotonic_ns, clock.wall_ns)
        self._pace = Pace(clock.monotonic_s(), budget)
        self.meter = CostMeter(source, clock)
        """Measures what the program costs."""
        self._thrift = Thrift(budget, self.meter)
        self._cpu = clock.monotonic_s(), clock.process_s()
        self._dropped_records = self._untracked = 0
        self._problem = ""
        self._last_scan = -math.inf
        self._scanned = clock.monotonic_s()
        """When the latest successful scan began."""
        self._scan_s = 0.0
        self._refresh_s = 0.0
        """The refresh interval that was asked for with the latest snapshot."""
        self._records = 0
        """Records since the latest snapshot; below, the processor time of reads and scans since then."""
        self._reading_s = self._scanning_s = 0.0
        self._incoming_per_s = 0.0
        """Records per second between the latest two reads, dropped records included."""
        self._read_at = clock.monotonic_s()
        self._tracing = False
        self._netns = own_netns()

    @property
    def health(self) -> Health:
        """The health before the first snapshot."""
        return Health(self._source.hook, self._source.hook_note, missed=self._source.missed)

    @property
    def polls(self) -> bool:
        """Whether the source knows connections by scans only, and sees no single ACK."""
        return self._source.polls

    @property
    def snapshot_is_urgent(self) -> bool:
        """Whether very many connections have ended since the last snapshot, so that memory grows."""
        return self._connections.snapshot_is_urgent

    def holder_of(self, connection: int) -> ProcessKey:
        """The process that a connection is shown under."""
        return self._connections.holder_of(connection)

    def trace(self, connection: int | None) -> None:
        """Have every ACK of one connection reported, or of none. The next :meth:`look` may scan at once."""
        self._tracing = connection is not None
        self._source.trace(self._connections.set_trace(connection))
        self.forget_pause()

    def forget_pause(self) -> None:
        """Have the next :meth:`look` scan, if it may, however lately that was done."""
        self._last_scan = -math.inf

    def look(self, now: float, may_scan: bool) -> None:
        """Read the source, and scan it if that is due."""
        began_s = self._clock.thread_s()  # not wall time: other threads may have had the processor
        if not (may_scan and now >= self._last_scan + self._scan_pause_s and self._scan()):
            self._read()
            self._reading_s += self._clock.thread_s() - began_s
            return
        self._close_ended()
        self._scan_s = self._clock.thread_s() - began_s
        self._scanning_s += self._scan_s
        self._last_scan = self._scanned = now

    def snapshot(self, refresh_s: float, late_s: float) -> Snapshot:
        """Make a snapshot of all connections, and begin a new period.

        :param refresh_s: the wanted time between two snapshots
        :param late_s: how much later than due this snapshot is
        """
        bound = self._connections.bound_namespaces()
        self._connections.name_interfaces(self._source.interface_names(bound))
        self._connections.name_units(self._unit_of)
        self._refresh_s = refresh_s
        snapshot = self._connections.snapshot(self._measure_health(late_s))
        return dataclasses.replace(snapshot, waiting=self._source.waiting, cost=self.meter.latest)

    def spaced_refresh_s(self, refresh_s: float) -> float:
        """The time between two snapshots that the budget allows.

        :param refresh_s: the wanted time
        """
        return stretched_s(refresh_s, self._thrift.spacing.refreshes, self._budget.longest_refresh_s)

    def spaced_read_s(self, read_s: float) -> float:
        """The time between two reads that the budget allows.

        :param read_s: the wanted time
        """
        budget = self._budget
        room_s = budget.most_between_reads / self._incoming_per_s if self._incoming_per_s else math.inf
        longest_s = min(budget.longest_spaced_read_s, room_s)
        return stretched_s(read_s, self._thrift.spacing.records, longest_s)

    def _scan(self) -> bool:
        """Scan, and return whether that succeeded. It fails if no descriptor is free, and is tried again."""
        unheld = partial(self._connections.unheld_namespaces, self._clock.monotonic_ns())
        try:
            for entries in self._source.scan(unheld):
                self._read()  # records of what happened before the scan have to be ingested first
                self._connections.ingest_scan(entries)
        except OSError as error:
            self._connections.drop_scan()
            self._problem = f"cannot list the sockets: {error.strerror or error}"
            return False
        self._connections.apply_scan(self._is_gone)
        self._problem = ""
        return True

    @property
    def _scan_pause_s(self) -> float:
        """The time from one scan, including the query for ended connections, to the next."""
        times, longest_s = self._thrift.spacing.scans, self._budget.longest_scan_s
        return self._usual_pause_s() if times == 1 else stretched_s(self._usual_scan_s(), times, longest_s)

    def _usual_scan_s(self) -> float:
        """The time between two scans without a budget: each scan comes with a snapshot."""
        return max(self._usual_pause_s(), self._refresh_s)

    def _usual_pause_s(self) -> float:
        budget, cost_s = self._budget, self._scan_s
        if self._source.polls:
            return cost_s / budget.max_poll_share
        target_s = 0.0 if self._tracing else min(cost_s / budget.target_scan_share, budget.fresh_scan_s)
        return max(cost_s / budget.max_scan_share, target_s)

    def _close_ended(self) -> None:
        """Close the connections that have ended but whose last record was dropped."""
        ended = self._source.ended(self._connections.missing_socks())
        # Other connections have ended since the latest read: their last records have the final counters.
        self._read()
        self._connections.close_missing(ended)

    def _read(self) -> None:
        batch, now = self._source.read(), self._clock.monotonic_s()
        came = len(batch.records) + batch.dropped_records - self._dropped_records
        self._incoming_per_s = came / max(1e-3, now - self._read_at)
        self._read_at = now
        self._pace.spacing = self._thrift.spacing.records
        self._pace.take(int(np.count_nonzero(batch.records["rtt_samples"])), now)
        self._source.set_report_interval(self._pace.report_interval_s)
        self._dropped_records, self._untracked = batch.dropped_records, batch.untracked
        self._records += len(batch.records)
        self._connections.ingest(batch.records)
        self._connections.ingest_last(batch.last)

    def _behind_s(self, late_s: float) -> float:
        """How old the data may be, if scans, records or this snapshot are late; 0 if as fresh as intended."""
        age_s = max(self._clock.monotonic_s() - self._scanned, self._pace.report_interval_s, late_s)
        return age_s if age_s > self._budget.fresh_scan_s + self._refresh_s else 0.0

    def _measure_health(self, late_s: float) -> Health:
        then, cpu_then = self._cpu
        self._cpu = now, cpu = self._clock.monotonic_s(), self._clock.process_s()
        passed_s = max(1e-3, now - then)
        samples_per_s = 0.0 if self._source.polls else self._connections.samples_per_s()
        budget, thrift = self._budget, self._thrift
        reading_s, scanning_s, records = self._reading_s, self._scanning_s, self._records
        self._reading_s = self._scanning_s = self._records = 0
        rest_s = max(0.0, cpu - cpu_then - reading_s - scanning_s)
        samples = round(samples_per_s * passed_s)
        scan_share = self._scan_s / max(self._usual_scan_s(), 1e-3)
        thrift.take(Spent(passed_s, reading_s, scan_share, rest_s, records, samples), self._most())
        return Health(
            self._source.hook,
            self._source.hook_note,
            missed=self._source.missed,
            samples_per_s=samples_per_s,
            dropped_records=self._dropped_records,
            cpu_percent=100 * (cpu - cpu_then) / passed_s,
            untracked=self._untracked,
            lacking=self._source.lacking,
            problem=self._problem or self._source.problem,
            records_per_s=records / passed_s,
            report_interval_s=self._pace.report_interval_s,
            scan_s=self._scan_s,
            scan_pause_s=self._scan_pause_s,
            rss_bytes=_rss_bytes(),
            refresh_s=self.spaced_refresh_s(self._refresh_s),
            budget_percent=0.0 if budget.most_share == math.inf else 100 * budget.most_share,
            cost_percent=_percent(thrift.share),
            kernel_percent=_percent(thrift.kernel_share),
            kernel_note=self.meter.latest.note if self.meter.latest else "",
            spaced=frozenset(name for name, times in thrift.spacing._asdict().items() if times > 1),
            behind_s=self._behind_s(late_s),
            netns=self._netns,
        )

    def _most(self) -> Spacing:
        """The largest factor for each: its longest period by the budget over its period without one."""
        budget = self._budget
        longest = (
            (budget.longest_report_s, self._pace.unspaced_s),
            (budget.longest_scan_s, self._usual_scan_s()),
            (budget.longest_refresh_s, self._refresh_s),
        )
        return Spacing(*(max(1.0, most_s / usual_s) if usual_s else 1.0 for most_s, usual_s in longest))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _rss_bytes() -> int:
    """The memory of this process; 0 if it cannot be read."""
    try:
        pages = read_bytes("/proc/self/statm", TEXT_BYTES).split()
    except OSError:
        return 0
    return int(pages[1]) * resource.getpagesize()
