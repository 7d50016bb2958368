"""The one state of the program: every connection's latest numbers and recent history.

Columns with one row per connection, fed by batches from a source, handed out as frozen snapshots.
Everything works on whole batches; Python touches single connections only when one opens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import ENTRY, RECORD, Direction, Kind, Records, names_between
from tcptop_rtt.model.rows import UNKNOWN_U32, Holder, Rows
from tcptop_rtt.model.snapshot import SPARK_CELLS, Focus, Health, ProcessKey, Snapshot
from tcptop_rtt.tracking.holders import Holders
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.row_store import RowStore
from tcptop_rtt.tracking.samples import SampleCounter
from tcptop_rtt.tracking.trace import TraceLog

CLOSED_SHOWN_NS = 5_000_000_000
CLOSED_KEPT = 10_000
"""Rows that have been closed for so long: more than this do not wait for the next snapshot."""

_RATE_SMOOTHING_S = 1.0
_NO_RTT = 0xFFFFFFFF  # minmax_reset(&tp->rtt_min, tcp_jiffies32, ~0U) in tcp_init_sock()
_UNPACED = 1 << 60  # sk_pacing_rate is ~0UL until something paces

_LASTING = ("netns", "ifindex", "rport", "family", "laddr", "raddr")
"""Fields that a connection keeps for its life, as it keeps its local port and direction once known."""

_COPIED = tuple(
    name for name in names_between(RECORD, "bytes_acked", "probes") if name not in (*_LASTING, "uid")
)
"""Fields that go from each record or entry into its row as they are."""

_SCANNED = names_between(ENTRY, "busy_us", "congestion_control")
"""Fields that only entries have, and that go into the row as they are."""

_RATED = {"out_bps": ("seen_acked", "bytes_acked"), "in_bps": ("seen_received", "bytes_received")}
"""Rate, its counter at the time that the rate is up to, its counter."""


class Connections:
    """All connections. Not thread-safe: one thread owns it.

    :param clock_ns: the clock of the records' ``time_ns``
    """

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock_ns = clock_ns
        self._store = RowStore(clock_ns)
        self._holders = Holders(self._store)
        self._snapshot_ns = clock_ns()
        self._samples = SampleCounter(self._store)
        self._trace: TraceLog | None = None

    def ingest(self, records: Records) -> None:
        """Take what a source has read, in order of time."""
        if not len(records):
            return
        self._store.history.advance(self._clock_ns())
        self._apply(self._store.locate(records))

    def _apply(self, batch: Located) -> None:
        self._copy(batch)
        self._copy_retransmits(batch)
        if batch.records.dtype == RECORD:
            self._holders.set_users(batch)
        self._samples.count(batch)
        # One probe may be on its way; a timeout means that an ACK is overdue.
        rows = self._store.rows
        overdue = (rows["retransmits"][batch.rows] >= 1) | (rows["probes"][batch.rows] >= 2)
        rows.set("stalled", batch.rows, overdue & ~rows["closed"][batch.rows])
        self._store.close(batch.rows[batch.kinds == Kind.CLOSE])
        if self._trace:
            self._trace.add(batch.records[rows["id"][batch.rows] == self._trace.id])

    def ingest_scan(self, entries: Records) -> None:
        """Take a part of a scan, which refreshes the rows of its connections.

        :meth:`ingest` what the ring buffer holds first. When an interval of samples ends during a scan, the
        scan may have the latest interval, and the ring buffer those before.
        """
        now_ns = self._clock_ns()
        self._store.history.advance(now_ns)
        self._store.minute.advance(now_ns)
        batch = self._store.locate(self._holders.collect_listeners(entries))
        self._holders.collect_holders(batch)
        # A connection has an entry per descriptor.
        _, first = np.unique(batch.rows, return_index=True)
        self._apply(batch.at(first))

    def apply_scan(self) -> None:
        """The scan is complete: from now on its holders of each socket count."""
        self._holders.apply_scan()

    def drop_scan(self) -> None:
        """The scan has failed before its end: forget its holders."""
        self._holders.drop_scan()

    def _copy(self, batch: Located) -> None:
        """Copy whole records into their rows. Of several records of a row the last one counts."""
        rows, hidden = self._store.rows, self._store.hidden
        kinds = batch.kinds
        batch = batch.where((kinds != Kind.RETRANS) & (kinds != Kind.OWNER) & ~self._superseded(batch))
        if batch.records.dtype == ENTRY:
            self._copy_details(batch)
        # A record from the ring buffer that came during the scan is newer than the scan's entry.
        batch = batch.where(batch["time_ns"] >= hidden["time_ns"][batch.rows])
        before_ns = hidden["time_ns"][batch.rows]
        # Rates count from what an older connection had at first sight.
        first = (before_ns == 0) & (batch["open_seen"] == 0)
        for seen, total in _RATED.values():
            hidden.set(seen, batch.rows[first], batch[total][first])
            moved = hidden[seen][batch.rows] != batch[total]
            begins = np.flatnonzero(moved & ~hidden["moving"][batch.rows])
            began_ns = np.maximum(before_ns[begins], batch["opened_ns"][begins])
            hidden.set("seen_ns", batch.rows[begins], began_ns)
            hidden.set("moving", batch.rows[moved], True)
        for name in ("time_ns", "sampled_us"):
            hidden.set(name, batch.rows, batch[name])
        for name in _COPIED:
            rows.set(name, batch.rows, batch[name])
        rows.set("min_rtt_us", batch.rows, np.where(batch["min_rtt_us"] == _NO_RTT, 0, batch["min_rtt_us"]))
        # A segment has nothing new about the rest, unless it is the first record that has the port.
        self._copy_lasting(batch.where((batch.kinds != Kind.SEGMENT) | (rows["lport"][batch.rows] == 0)))

    def _copy_details(self, batch: Located) -> None:
        """Copy what only a scan reads, even where records of a later time have come before."""
        rows, hidden = self._store.rows, self._store.hidden
        for name in _SCANNED:
            rows.set(name, batch.rows, batch[name])
        hidden.set("counted_ms", batch.rows, batch["time_ns"] // 1_000_000 & UNKNOWN_U32)
        hidden.set("counted_retrans", batch.rows, batch["retrans"])
        # What an older connection had before it was first seen may be of any time.
        self._store.minute.begin(batch.rows[~(rows["scanned"][batch.rows] | rows["open_seen"][batch.rows])])
        self._store.minute.note()
        rows.set("scanned", batch.rows, True)
        rows.set("delivery_rate_bps", batch.rows, batch["delivery_rate"] * 8)
        paced = np.where(batch["pacing_rate"] < _UNPACED, batch["pacing_rate"], 0)
        rows.set("pacing_rate_bps", batch.rows, paced * 8)

    def _copy_lasting(self, batch: Located) -> None:
        """Copy what stays for a connection's life."""
        rows = self._store.rows
        for name in _LASTING:
            rows.set(name, batch.rows, batch[name])
        self._store.hidden.set("port_chosen", batch.rows, batch["port_chosen"] != 0)
        # The socket's user stands in until a process is known.
        ownerless = batch.where(rows["holder"][batch.rows] == Holder.UNKNOWN)
        rows.set("uid", ownerless.rows, ownerless["uid"])
        # No port yet at SYN_SENT, and none any more at CLOSE: tcp_set_state() has called inet_put_port().
        bound = batch.where(batch["lport"] != 0)
        rows.set("lport", bound.rows, bound["lport"])
        # Of an older connection a scan may have found the direction: it stays.
        directed = batch.where(batch["direction"] != Direction.UNKNOWN)
        rows.set("direction", directed.rows, directed["direction"])

    def _superseded(self, batch: Located) -> NDArray[np.bool_]:
        """Mark the segments that another segment of the same row follows."""
        marks = np.zeros(len(batch), bool)
        segments = np.flatnonzero(batch.kinds == Kind.SEGMENT)
        last = np.empty(self._store.count, np.intp)
        last[batch.rows[segments]] = segments
        marks[segments] = last[batch.rows[segments]] != segments
        return marks

    def _copy_retransmits(self, batch: Located) -> None:
        """Copy records of retransmissions, unless a whole record is newer."""
        batch = batch.where(batch.kinds == Kind.RETRANS)
        batch = batch.where(batch["time_ns"] >= self._store.hidden["time_ns"][batch.rows])
        for name in ("retrans", "retransmits", "probes"):
            self._store.rows.set(name, batch.rows, batch[name])

    def missing_socks(self) -> dict[int, int]:
        """Live connections that the latest scan has not met: socket to id. Their end may have been missed."""
        rows, hidden = self._store.rows, self._store.hidden
        indices = np.flatnonzero(~(hidden["met"] | rows["closed"])[: self._store.count])
        return dict(zip(hidden["sock"][indices].tolist(), hidden["kernel_id"][indices].tolist(), strict=True))

    def unheld_namespaces(self) -> set[int]:
        """The network namespaces of live connections that no descriptor is known to hold."""
        rows, hidden = self._store.rows, self._store.hidden
        unheld = ~(hidden["held"] | rows["closed"])[: self._store.count]
        return {*np.unique(rows["netns"][: self._store.count][unheld]).tolist()}

    def bound_namespaces(self) -> set[int]:
        """The network namespaces of connections that are bound to an interface."""
        rows = self._store.rows
        bound = np.flatnonzero(rows["ifindex"][: self._store.count])
        return {*np.unique(rows["netns"][bound]).tolist()}

    def name_interfaces(self, names: Mapping[tuple[int, int], bytes]) -> None:
        """Note what the interfaces are called, by network namespace and index."""
        rows = self._store.rows
        bound = np.flatnonzero(rows["ifindex"][: self._store.count])
        keys = zip(rows["netns"][bound].tolist(), rows["ifindex"][bound].tolist(), strict=True)
        told = np.array([names.get(key, b"") for key in keys], rows["interface"].dtype)
        changed = told != rows["interface"][bound]
        rows.set("interface", bound[changed], told[changed])

    def close_missing(self, ids: list[int]) -> None:
        """Close connections that turn out to have ended unseen."""
        self._store.close(self._store.index_of.find(np.array(ids, np.uint64)))

    def set_trace(self, connection: int | None) -> int:
        """Look closely at one connection from now on, or at none; return its socket, 0 if there is none."""
        index = self._store.index_of.get(connection) if connection is not None else None
        if connection is None or index is None:
            self._trace = None
            return 0
        self._trace = TraceLog(connection, *self._store.history.past(index))
        return 0 if self._store.rows["closed"][index] else int(self._store.hidden["sock"][index])

    def owner_of(self, connection: int) -> ProcessKey:
        """The process that a connection is shown under."""
        index = self._store.index_of.get(connection)
        if index is None:
            return ProcessKey(0, 0)
        return ProcessKey(*(int(self._store.rows[name][index]) for name in ("pid", "started_ns")))

    @property
    def snapshot_is_urgent(self) -> bool:
        """Whether so many connections have ended since the last one that memory grows for them."""
        closed = self._store.closed()
        if len(closed) <= CLOSED_KEPT:
            return False
        old = self._store.hidden["closed_ns"][closed] < self._clock_ns() - CLOSED_SHOWN_NS
        return int(np.count_nonzero(old)) > CLOSED_KEPT

    def samples_per_s(self) -> float:
        """RTT samples counted since the previous snapshot, per second."""
        return self._samples.counted / max(1e-3, (self._clock_ns() - self._snapshot_ns) / 1e9)

    def snapshot(self, health: Health) -> Snapshot:
        """A frozen picture of now. Begins a new period for rates and for ``rtt_lo/hi/samples``."""
        now_ns = self._clock_ns()
        self._store.history.advance(now_ns)
        self._store.minute.advance(now_ns)
        self._store.minute.tell()
        self._update_rates(now_ns)
        self._update_ages(now_ns)
        rows = Rows(self._store.rows.freeze(self._store.count))
        cells_us = self._store.history.latest(SPARK_CELLS, self._store.count)
        focus = self._freeze(self._trace, now_ns) if self._trace else None
        self._samples.reset()
        self._snapshot_ns = now_ns
        # All have been in a picture, the one just taken.
        self._store.drop_closed(now_ns - CLOSED_SHOWN_NS)
        return Snapshot(time.time_ns(), now_ns, rows, cells_us, health, focus)

    def _update_ages(self, now_ns: int) -> None:
        opened_ns, closed = self._store.hidden["opened_ns"], self._store.closed()
        self._store.rows.set_all("age_ns", now_ns - opened_ns)
        self._store.rows.set("age_ns", closed, self._store.hidden["closed_ns"][closed] - opened_ns[closed])
        sampled_us = self._store.hidden["sampled_us"]
        ages_ms = np.maximum(now_ns // 1000 - sampled_us.astype(np.int64), 0) // 1000
        ages_ms[(sampled_us == 0) | (ages_ms > UNKNOWN_U32)] = UNKNOWN_U32
        self._store.rows.set_all("rtt_age_ms", ages_ms.astype(np.uint32))

    def _update_rates(self, now_ns: int) -> None:
        rows, hidden = self._store.rows, self._store.hidden
        moving = np.flatnonzero(hidden["moving"][: self._store.count])
        # Between the times that the counters are of, as scans may be rarer than pictures; the closed's stay.
        told_ns = np.where(rows["closed"][moving], np.uint64(now_ns), hidden["time_ns"][moving])
        told = told_ns > hidden["seen_ns"][moving]
        moving, told_ns = moving[told], told_ns[told]
        elapsed_s = (told_ns - hidden["seen_ns"][moving]) / 1e9
        weight = 1 - np.exp(-elapsed_s / _RATE_SMOOTHING_S)
        hidden.set("moving", moving, False)
        hidden.set("seen_ns", moving, told_ns)
        for rate, (seen, total) in _RATED.items():
            now, before = rows[total][moving], rows[rate][moving]
            new = (now - hidden[seen][moving]) * 8.0 / elapsed_s
            smoothed = before + (new - before) * weight
            smoothed[smoothed < 1] = 0
            rows.set(rate, moving, smoothed)
            hidden.set(seen, moving, now)
            hidden.set("moving", moving[smoothed > 0], True)

    def _freeze(self, log: TraceLog, now_ns: int) -> Focus:
        return log.freeze(now_ns, self._holders.of(log.id), self._holders.note(log.id))
