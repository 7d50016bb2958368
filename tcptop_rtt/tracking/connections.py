"""The state of the program: every connection's latest numbers and recent history.

Batches of records come in, frozen snapshots go out. Separate parts apply the records: copying, rates,
samples, holders, the last minute, the trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import distinct
from tcptop_rtt.model.kernel_time import monotonic_ns
from tcptop_rtt.model.records import RECORD, Direction, Kind, Records
from tcptop_rtt.model.rows import ESTABLISHED, Indices
from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, ProcessKey, Snapshot, Trace
from tcptop_rtt.tracking.ages import Ages
from tcptop_rtt.tracking.copying import Copying
from tcptop_rtt.tracking.history import History
from tcptop_rtt.tracking.holders import Holders
from tcptop_rtt.tracking.listener_store import ListenerStore
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.minute import Minute
from tcptop_rtt.tracking.peaks import Peaks
from tcptop_rtt.tracking.quantiles import Quantiles
from tcptop_rtt.tracking.rates import Rates
from tcptop_rtt.tracking.row_store import RowStore
from tcptop_rtt.tracking.samples import SampleCounter
from tcptop_rtt.tracking.scan import ScanCollector
from tcptop_rtt.tracking.targets import Targets
from tcptop_rtt.tracking.trace import TraceLog
from tcptop_rtt.tracking.units import UnitNames

CLOSED_SHOWN_NS = 5_000_000_000
CLOSED_KEPT = 10_000
"""If more rows than this have been closed for CLOSED_SHOWN_NS, a snapshot is taken early to drop them."""


class Connections:
    """All connections. Not thread-safe: one thread owns it.

    :param clock_ns: the clock of the records' ``time_ns``
    :param wall_ns: the clock of the snapshots' ``time_ns``
    """

    def __init__(
        self, clock_ns: Callable[[], int] = monotonic_ns, wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._clock_ns = clock_ns
        self._wall_ns = wall_ns
        self._snapshot_ns = clock_ns()
        self._store = RowStore(clock_ns)
        self._history = self._store.attach(History(self._snapshot_ns))
        self._peaks = self._store.attach(Peaks(self._store, self._snapshot_ns))
        self._quantiles = self._store.attach(Quantiles(self._store, self._snapshot_ns))
        self._minute = self._store.attach(Minute(self._store, self._snapshot_ns))
        self._rates = Rates(self._store)
        self._ages = Ages(self._store)
        self._copying = Copying(self._store, self._rates, self._minute, self._ages)
        self._samples = SampleCounter(self._store, self._history, self._peaks, self._quantiles)
        self._holders = Holders(self._store)
        self._units = UnitNames(self._store)
        self._listeners = ListenerStore()
        self._targets = Targets(self._store, self._snapshot_ns)
        self._scan = ScanCollector()
        self._trace: TraceLog | None = None

    # --- records come in ------------------------------------------------------------------------------

    def ingest(self, records: Records) -> None:
        """Apply the records that a source has read, in order of time."""
        if not len(records):
            return
        self._advance(self._clock_ns())
        self._apply(self._store.locate(records))

    def ingest_scan(self, entries: Records) -> None:
        """Apply one part of a scan to the rows of its connections.

        Call :meth:`ingest` with the records in the ring buffer first: if a window of samples ends during the
        scan, the scan may have the latest window, and the ring buffer the windows before it.
        """
        now_ns = self._clock_ns()
        self._advance(now_ns)
        self._minute.advance(now_ns)
        entries = self._scan.take_others(entries)
        batch = self._store.locate(entries)
        self._scan.add(batch, self._store["id"][batch.rows])
        # A connection has one entry per descriptor, and the first one is enough.
        _, first = np.unique(batch.rows, return_index=True)
        self._apply(batch.at(first))

    def ingest_last(self, entries: Records) -> None:
        """Apply entries written at the end of connections. Call :meth:`ingest` with their records first."""
        if not len(entries):
            return
        now_ns = self._clock_ns()
        self._advance(now_ns)
        self._minute.advance(now_ns)
        self._apply(self._store.locate(entries))

    def apply_scan(self, is_gone: Callable[[ProcessKey], bool] = lambda _: False) -> None:
        """Take the holders of sockets, and the listeners, from the scan, which is complete now.

        :param is_gone: returns whether a process has certainly ended
        """
        scan = self._scan.complete()
        self._holders.apply(scan, is_gone)
        self._listeners.apply(scan.listeners, self._clock_ns())

    def drop_scan(self) -> None:
        """Forget the parts of a scan that has failed before its end."""
        self._scan.drop()

    def _advance(self, now_ns: int) -> None:
        """Begin the cells and half minutes that are due, before samples are counted into them."""
        self._history.advance(now_ns)
        self._peaks.advance(now_ns)
        self._quantiles.advance(now_ns)

    def _apply(self, batch: Located) -> None:
        self._copying.copy(batch)
        if batch.records.dtype == RECORD:
            self._holders.set_users(batch)
            self._time_connect(batch)
        self._samples.count(batch)
        store, rows = self._store, batch.rows
        overdue = _overdue(store["retransmits"][rows], store["probes"][rows])
        store.set("stalled", rows, overdue & ~store["closed"][rows])
        store.set("followed", rows[batch["followed"] != 0], True)
        closed = batch.where(batch.kinds == Kind.CLOSE)
        store.close(closed.rows)
        store.set("ended_ns", closed.rows, closed["time_ns"])
        store.set("end_seen", closed.rows, True)
        self._targets.count(batch)
        if self._trace:
            traced = batch.records[store["id"][rows] == self._trace.id]
            overdue = _overdue(traced["retransmits"], traced["probes"])
            self._trace.add(traced, overdue & (traced["kind"] != Kind.CLOSE))

    def _time_connect(self, batch: Located) -> None:
        """Set how long our own connect() has taken, from the first record of state ESTABLISHED."""
        batch = batch.where((batch.kinds == Kind.STATE) & (batch["state"] == ESTABLISHED))
        store = self._store
        new = batch.where(
            (batch["direction"] == Direction.OUT)
            & (batch["open_seen"] != 0)
            & (store["connect_us"][batch.rows] == 0)
        )
        store.set("connect_us", new.rows, np.maximum((new["time_ns"] - new["opened_ns"]) // 1000, 1))

    # --- questions of the worker, and their answers ---------------------------------------------------

    def missing_socks(self) -> dict[int, int]:
        """Live connections that the latest scan has not met: socket to id. Their end may have been missed."""
        rows = self._holders.rows_missing_from_scan()
        socks, ids = self._store["sock"][rows], self._store["kernel_id"][rows]
        return dict(zip(socks.tolist(), ids.tolist(), strict=True))

    def close_missing(self, ids: list[int]) -> None:
        """Close connections that have ended without a record of their end."""
        rows = self._store.rows_of(np.array(ids, np.uint64))
        self._store.close(rows[rows >= 0])  # one may have another id since it was asked for

    def unheld_namespaces(self, before_ns: int) -> set[int]:
        """The network namespaces of live connections without a descriptor in the scan under way.

        :param before_ns: when the scan began: it need not have met connections that were opened later
        """
        store = self._store
        unheld = ~store["closed"] & (store["opened_ns"] < before_ns)
        unheld[self._scan.rows_with_descriptor()] = False
        return self._namespaces_of(store.select(unheld))

    def bound_namespaces(self) -> set[int]:
        """The network namespaces of connections and listeners that are bound to an interface."""
        return self._namespaces_of(self._bound()) | self._listeners.bound_namespaces()

    def _namespaces_of(self, rows: Indices) -> set[int]:
        return {*distinct(self._store["netns"][rows]).tolist()}

    def _bound(self) -> Indices:
        return self._store.select(self._store["ifindex"] != 0)

    def name_interfaces(self, names: Mapping[tuple[int, int], bytes]) -> None:
        """Set the names of interfaces, given by network namespace and index."""
        store, rows = self._store, self._bound()
        keys = zip(store["netns"][rows].tolist(), store["ifindex"][rows].tolist(), strict=True)
        interfaces = np.array([names.get(key, b"") for key in keys], store["interface"].dtype)
        changed = interfaces != store["interface"][rows]
        store.set("interface", rows[changed], interfaces[changed])
        self._listeners.name_interfaces(names)

    def name_units(self, look_up: Callable[[ProcessKey], bytes]) -> None:
        """Set the unit (container, pod or systemd unit) of each process.

        :param look_up: returns the unit of a process; may be called for the same process again and again
        """
        self._units.name(look_up)
        self._listeners.name_units(look_up)

    def set_trace(self, connection: int | None) -> int:
        """Log every ACK of one connection from now on, or of none. Returns its socket; 0 if it has none."""
        row = self._store.row_of(connection) if connection is not None else None
        if connection is None or row is None:
            self._trace = None
            return 0
        retrans, stalled = int(self._store["retrans"][row]), bool(self._store["stalled"][row])
        self._trace = TraceLog(connection, *self._history.past(row), self._clock_ns(), retrans, stalled)
        return 0 if self._store["closed"][row] else int(self._store["sock"][row])

    def holder_of(self, connection: int) -> ProcessKey:
        """The process that is shown as the holder of a connection."""
        row = self._store.row_of(connection)
        if row is None:
            return ProcessKey(0, 0)
        return ProcessKey(*(int(self._store[name][row]) for name in ("pid", "started_ns")))

    # --- snapshots go out -----------------------------------------------------------------------------

    @property
    def snapshot_is_urgent(self) -> bool:
        """Whether so many connections have ended since the last snapshot that their rows take much memory."""
        closed = self._store.closed()
        if len(closed) <= CLOSED_KEPT:
            return False
        return len(self._store.passed(closed, self._clock_ns() - CLOSED_SHOWN_NS)) > CLOSED_KEPT

    def samples_per_s(self) -> float:
        """RTT samples counted since the previous snapshot, per second."""
        return self._samples.counted / max(1e-3, (self._clock_ns() - self._snapshot_ns) / 1e9)

    def snapshot(self, health: Health) -> Snapshot:
        """All connections as they are now. Begins a new period for rates and for ``rtt_lo/hi/samples``."""
        now_ns, wall_ns = self._clock_ns(), self._wall_ns()
        self._advance(now_ns)
        self._minute.advance(now_ns)
        self._minute.update()
        unmet = self._holders.rows_no_longer_met()
        self._rates.update(now_ns, unmet)
        self._peaks.update(now_ns, wall_ns)
        self._quantiles.update(now_ns)
        self._ages.update(now_ns, unmet)
        rows = self._store.freeze()
        cells_us = self._history.latest(SPARK_CELLS, self._store.count)
        trace = self._freeze(self._trace, now_ns) if self._trace else None
        self._samples.reset()
        self._snapshot_ns = now_ns
        # Each row dropped here has been in a snapshot, at least in this one.
        self._store.drop_closed(now_ns - CLOSED_SHOWN_NS)
        targets, listeners = self._targets.freeze(now_ns), self._listeners.freeze(now_ns)
        return Snapshot(wall_ns, now_ns, rows, cells_us, health, trace, targets=targets, listeners=listeners)

    def _freeze(self, trace: TraceLog, now_ns: int) -> Trace:
        return trace.freeze(now_ns, self._holders.holders_of(trace.id), self._holders.note_on(trace.id))


def _overdue(retransmits: NDArray[np.uint8], probes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether an answer is overdue. A single unanswered probe is not: it may still be in flight."""
    overdue: NDArray[np.bool_] = (retransmits >= 1) | (probes >= 2)
    return overdue
