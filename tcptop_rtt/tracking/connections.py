"""The one state of the program: every connection's latest numbers and recent history.

Columns with one row per connection, fed by batches from a source, handed out as frozen snapshots.
Everything works on whole batches; Python touches single connections only when one opens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import ENTRY, RECORD, Direction, Kind, Records, names_between, take_rows
from tcptop_rtt.model.rows import UNKNOWN_U32, Holder, Indices, Rows
from tcptop_rtt.model.snapshot import SPARK_CELLS, Focus, Health, ProcessKey, Snapshot
from tcptop_rtt.tracking.holders import Holders
from tcptop_rtt.tracking.row_store import RowStore
from tcptop_rtt.tracking.samples import SampleCounter
from tcptop_rtt.tracking.trace import TraceLog

Kinds = NDArray[np.uint32]

CLOSED_SHOWN_NS = 5_000_000_000
CLOSED_KEPT = 10_000
"""Rows that have been closed for so long: more than this do not wait for the next snapshot."""

_RATE_SMOOTHING_S = 1.0
_NO_RTT = 0xFFFFFFFF  # minmax_reset(&tp->rtt_min, tcp_jiffies32, ~0U) in tcp_init_sock()


_LASTING = ("netns", "ifindex", "rport", "family", "laddr", "raddr")
"""What a connection keeps for its life; so it does its local port and direction, once they are known."""

_TOLD = tuple(
    name for name in names_between(RECORD, "bytes_acked", "probes") if name not in (*_LASTING, "uid")
)
"""What goes from a record or an entry into its row as it is; other fields have rules of their own."""
_DETAILS = names_between(ENTRY, "busy_us", "congestion_control")
"""What only a scan tells, and goes into the row as it is."""

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
        self._take(records, self._store.locate(records, np.arange(len(records))))

    def _take(self, records: Records, indices: Indices) -> None:
        kinds = records["kind"].copy()  # close together, as they are looked at often
        self._copy(records, indices, kinds)
        self._copy_retransmits(records, indices, kinds)
        if records.dtype == RECORD:
            self._holders.name(records, indices)
        self._samples.count(records, indices)
        # One probe may be on its way; a timeout means that an ACK is overdue.
        rows = self._store.rows
        overdue = (rows["retransmits"][indices] >= 1) | (rows["probes"][indices] >= 2)
        rows.set("stalled", indices, overdue & ~rows["closed"][indices])
        self._store.close(indices[kinds == Kind.CLOSE])
        if self._trace:
            self._trace.add(records[rows["id"][indices] == self._trace.id])

    def ingest_scan(self, entries: Records) -> None:
        """Take a part of a scan, which refreshes the rows that it meets.

        Before it, :meth:`ingest` what the ring buffer held at its end: of intervals that end while it goes
        on, the scan may tell the last one, and the ring buffer those before.
        """
        now_ns = self._clock_ns()
        self._store.history.advance(now_ns)
        self._store.minute.advance(now_ns)
        entries = self._holders.see(entries)
        indices = self._store.locate(entries, np.arange(len(entries)))
        self._holders.see_connections(entries, indices)
        # A connection has an entry per descriptor.
        _, first = np.unique(indices, return_index=True)
        self._take(take_rows(entries, first), indices[first])

    def apply_scan(self) -> None:
        """All parts of a scan have been taken: it is the last word on who holds which socket."""
        self._holders.apply_scan()

    def drop_scan(self) -> None:
        """A scan has failed before its end."""
        self._holders.drop_scan()

    def _copy(self, records: Records, indices: Indices, kinds: Kinds) -> None:
        """Of several records of a row the last whole one counts."""
        rows, hidden = self._store.rows, self._store.hidden
        whole = (kinds != Kind.RETRANS) & (kinds != Kind.OWNER) & ~self._superseded(kinds, indices)
        if not whole.all():
            records, indices, kinds = take_rows(records, whole), indices[whole], kinds[whole]
        if records.dtype == ENTRY:
            self._copy_details(records, indices)
        # What has come through the ring buffer while a scan went on is newer than what the scan tells.
        before_ns = hidden["time_ns"][indices]
        fresh = records["time_ns"] >= before_ns
        if not fresh.all():
            records, indices, kinds = take_rows(records, fresh), indices[fresh], kinds[fresh]
            before_ns = before_ns[fresh]
        # Rates count from what an older connection had at first sight.
        first = (before_ns == 0) & (records["open_seen"] == 0)
        for seen, total in _RATED.values():
            hidden.set(seen, indices[first], records[total][first])
            moved = hidden[seen][indices] != records[total]
            begins = np.flatnonzero(moved & ~hidden["moving"][indices])
            began_ns = np.maximum(before_ns[begins], records["opened_ns"][begins])
            hidden.set("seen_ns", indices[begins], began_ns)
            hidden.set("moving", indices[moved], True)
        for name in ("time_ns", "sampled_us"):
            hidden.set(name, indices, records[name])
        for name in _TOLD:
            rows.set(name, indices, records[name])
        rows.set("min_rtt_us", indices, np.where(records["min_rtt_us"] == _NO_RTT, 0, records["min_rtt_us"]))
        # Of these a segment tells nothing new, unless nothing has told of them before.
        telling = np.flatnonzero((kinds != Kind.SEGMENT) | (rows["lport"][indices] == 0))
        self._copy_lasting(records, indices, telling)

    def _copy_details(self, records: Records, indices: Indices) -> None:
        """Take what only a scan tells: nothing that has come meanwhile is newer."""
        rows, hidden = self._store.rows, self._store.hidden
        for name in _DETAILS:
            rows.set(name, indices, records[name])
        hidden.set("counted_ms", indices, records["time_ns"] // 1_000_000 & UNKNOWN_U32)
        hidden.set("counted_retrans", indices, records["retrans"])
        # What an older connection had before it was first seen may be of any time.
        self._store.minute.begin(indices[~(rows["scanned"][indices] | rows["open_seen"][indices])])
        self._store.minute.note()
        rows.set("scanned", indices, True)
        rows.set("delivery_rate_bps", indices, records["delivery_rate"] * 8)
        paced = np.where(records["pacing_rate"] < 1 << 60, records["pacing_rate"], 0)
        rows.set("pacing_rate_bps", indices, paced * 8)

    def _copy_lasting(self, records: Records, indices: Indices, telling: Indices) -> None:
        rows = self._store.rows
        for name in _LASTING:
            rows.set(name, indices[telling], records[name][telling])
        # Who made the socket is all that is known until a process is.
        nameless = telling[rows["holder"][indices[telling]] == Holder.UNKNOWN]
        rows.set("uid", indices[nameless], records["uid"][nameless])
        # No port yet at SYN_SENT, and none any more at CLOSE: tcp_set_state() has called inet_put_port().
        with_port = telling[records["lport"][telling] != 0]
        rows.set("lport", indices[with_port], records["lport"][with_port])
        # What a scan has found out of an older connection stays.
        told = telling[records["direction"][telling] != Direction.UNKNOWN]
        rows.set("direction", indices[told], records["direction"][told])
        self._store.hidden.set("port_chosen", indices[telling], records["port_chosen"][telling] != 0)

    def _superseded(self, kinds: Kinds, indices: Indices) -> NDArray[np.bool_]:
        """Which records tell of a segment that a later one of the same row tells of, too."""
        found = np.zeros(len(kinds), bool)
        segments = np.flatnonzero(kinds == Kind.SEGMENT)
        last = np.empty(self._store.count, np.intp)
        last[indices[segments]] = segments
        found[segments] = last[indices[segments]] != segments
        return found

    def _copy_retransmits(self, records: Records, indices: Indices, kinds: Kinds) -> None:
        """Take the records that tell of nothing else, unless a whole one is newer."""
        brief = np.flatnonzero(kinds == Kind.RETRANS)
        brief = brief[records["time_ns"][brief] >= self._store.hidden["time_ns"][indices[brief]]]
        for name in ("retrans", "retransmits", "probes"):
            self._store.rows.set(name, indices[brief], records[name][brief])

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
