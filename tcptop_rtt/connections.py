"""The one state of the program: every connection's latest numbers and recent history.

Columns with one row per connection, fed by batches from a source, handed out as frozen snapshots.
Everything works on whole batches; Python touches single connections only when one opens.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.focus import FocusLog
from tcptop_rtt.rowstore import RowStore
from tcptop_rtt.samples import SampleCounter
from tcptop_rtt.snapshot import SPARK_CELLS, Health, Indices, Owner, Rows, Snapshot
from tcptop_rtt.sources.record import ENTRY, RECORD, Direction, Kind, Records, gather, names_between

Kinds = NDArray[np.uint32]

CLOSED_SHOWN_NS = 5_000_000_000
CLOSED_KEPT = 10_000
"""Rows that have been closed for so long: more than this do not wait for the next snapshot."""

_RATE_SMOOTHING_S = 1.0
_TCP_LISTEN = 10  # include/net/tcp_states.h
_NO_RTT = 0xFFFFFFFF  # minmax_reset(&tp->rtt_min, tcp_jiffies32, ~0U) in tcp_init_sock()


_LASTING = ("uid", "netns", "rport", "family", "laddr", "raddr")
"""What a connection keeps for its life; so it does its local port and direction, once they are known."""

_TOLD = tuple(name for name in names_between(RECORD, "bytes_acked", "probes") if name not in _LASTING)
"""What goes from a record or an entry into its row as it is; other fields have rules of their own."""
_DETAILS = names_between(ENTRY, "busy_us", "congestion_control")
"""What only a scan tells, and goes into the row as it is."""

_HOLDER = np.dtype([(name, ENTRY[name]) for name in ("id", "tgid", "comm")])
"""What is kept of a scan's entries."""

_RATED = {"out_bps": ("seen_acked", "bytes_acked"), "in_bps": ("seen_received", "bytes_received")}
"""Rate, its counter at the time that the rate is up to, its counter."""


class Connections:
    """All connections. Not thread-safe: one thread owns it.

    :param clock_ns: the clock of the records' ``time_ns``
    """

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock_ns = clock_ns
        self._store = RowStore(clock_ns)
        self._holders = np.zeros(0, _HOLDER)
        self._snapshot_ns = clock_ns()
        self._samples = SampleCounter(self._store)
        self._focus: FocusLog | None = None

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
        self._name(records, indices)
        self._samples.count(records, indices)
        # One probe may be on its way; a timeout means that an ACK is overdue.
        rows = self._store.rows
        overdue = (rows["backoff"][indices] >= 1) | (rows["probes"][indices] >= 2)
        rows.put("stalled", indices, overdue & ~rows["closed"][indices])
        self._store.close(indices[kinds == Kind.CLOSE])
        if self._focus:
            self._focus.take(records)

    def settle(self, entries: Records) -> None:
        """Take a whole scan: it refreshes every row, and is the last word on who holds which socket.

        Before it, :meth:`ingest` what the ring buffer held at its end: of intervals that end while it goes
        on, the scan may tell the last one, and the ring buffer those before.
        """
        self._store.history.advance(self._clock_ns())
        self._holders = np.empty(len(entries), _HOLDER)
        for name in _HOLDER.names or ():
            self._holders[name] = entries[name]
        ids, tgids, listening = entries["id"], entries["tgid"], entries["state"] == _TCP_LISTEN
        connected = np.flatnonzero(~listening)
        # By process, so that the first entry of a connection is its oldest holder's in most cases.
        connected = connected[np.lexsort((tgids[connected], ids[connected]))]
        indices = self._store.locate(entries, connected)
        first = np.ones(len(connected), bool)
        first[1:] = indices[1:] != indices[:-1]
        self._take(gather(entries, connected[first]), indices[first])
        rows = self._store.rows
        same = tgids[connected] == rows["pid"][indices]
        keeps = np.zeros(len(rows), bool)
        keeps[indices[same]] = True
        changed = first & ~keeps[indices]
        for chosen in (changed, same):
            rows.put("pid", indices[chosen], tgids[connected[chosen]])
            rows.put("comm", indices[chosen], entries["comm"][connected[chosen]])
        self._store.hidden.replace("held", np.zeros(len(self._store.hidden), bool))
        self._store.hidden.put("held", indices, True)
        self._find_directions(gather(entries, listening))

    def _copy(self, records: Records, indices: Indices, kinds: Kinds) -> None:
        """Of several records of a row the last whole one counts."""
        rows, hidden = self._store.rows, self._store.hidden
        whole = (kinds != Kind.RETRANS) & (kinds != Kind.OWNER) & ~self._superseded(kinds, indices)
        if not whole.all():
            records, indices, kinds = gather(records, whole), indices[whole], kinds[whole]
        if records.dtype == ENTRY:
            self._copy_details(records, indices)
        # What has come through the ring buffer while a scan went on is newer than what the scan tells.
        before_ns = hidden["time_ns"][indices]
        fresh = records["time_ns"] >= before_ns
        if not fresh.all():
            records, indices, kinds = gather(records, fresh), indices[fresh], kinds[fresh]
            before_ns = before_ns[fresh]
        # Rates count from what an older connection had at first sight.
        first = (before_ns == 0) & (records["born_seen"] == 0)
        for seen, total in _RATED.values():
            hidden.put(seen, indices[first], records[total][first])
            moved = hidden[seen][indices] != records[total]
            begins = np.flatnonzero(moved & ~hidden["moving"][indices])
            began_ns = np.maximum(before_ns[begins], records["born_ns"][begins])
            hidden.put("seen_ns", indices[begins], began_ns)
            hidden.put("moving", indices[moved], True)
        hidden.put("time_ns", indices, records["time_ns"])
        for name in _TOLD:
            rows.put(name, indices, records[name])
        rows.put("min_rtt_us", indices, np.where(records["min_rtt_us"] == _NO_RTT, 0, records["min_rtt_us"]))
        # Of these a segment tells nothing new, unless nothing has told of them before.
        telling = np.flatnonzero((kinds != Kind.SEGMENT) | (rows["lport"][indices] == 0))
        self._copy_lasting(records, indices, telling)

    def _copy_details(self, records: Records, indices: Indices) -> None:
        """Take what only a scan tells: nothing that has come meanwhile is newer."""
        rows = self._store.rows
        for name in _DETAILS:
            rows.put(name, indices, records[name])
        rows.put("delivery_rate_bps", indices, records["delivery_rate"] * 8)
        paced = np.where(records["pacing_rate"] < 1 << 60, records["pacing_rate"], 0)
        rows.put("pacing_rate_bps", indices, paced * 8)

    def _copy_lasting(self, records: Records, indices: Indices, telling: Indices) -> None:
        rows = self._store.rows
        for name in _LASTING:
            rows.put(name, indices[telling], records[name][telling])
        # No port yet at SYN_SENT, and none any more at CLOSE: tcp_set_state() has called inet_put_port().
        with_port = telling[records["lport"][telling] != 0]
        rows.put("lport", indices[with_port], records["lport"][with_port])
        # What a scan has found out of an older connection stays.
        told = telling[records["direction"][telling] != Direction.UNKNOWN]
        rows.put("direction", indices[told], records["direction"][told])
        self._store.hidden.put("port_chosen", indices[telling], records["port_chosen"][telling] != 0)

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
        for name in ("retrans", "backoff", "probes"):
            self._store.rows.put(name, indices[brief], records[name][brief])

    def _name(self, records: Records, indices: Indices) -> None:
        """Note the owners seen in process context; a scan's holders are settled by :meth:`settle`."""
        if records.dtype == ENTRY:
            return
        named = np.flatnonzero(records["tgid"])
        self._store.rows.put("pid", indices[named], records["tgid"][named])
        self._store.rows.put("comm", indices[named], records["comm"][named])

    def _find_directions(self, listeners: Records) -> None:
        """Who opened a connection that is older than the program: told by its local port."""
        rows = self._store.rows
        unknown = np.flatnonzero(rows["direction"][: self._store.count] == Direction.UNKNOWN)
        if not len(unknown):
            return
        listening = _port_keys(listeners["netns"], listeners["lport"])
        accepted = np.isin(_port_keys(rows["netns"][unknown], rows["lport"][unknown]), listening)
        chosen = self._store.hidden["port_chosen"][unknown]
        found = np.where(chosen, Direction.OUT, np.where(accepted, Direction.IN, Direction.UNKNOWN))
        rows.put("direction", unknown, found)

    def unheld_socks(self) -> dict[int, int]:
        """Live connections that no descriptor holds: socket to id. Their end may have been missed."""
        rows, hidden = self._store.rows, self._store.hidden
        indices = np.flatnonzero(~(hidden["held"] | rows["closed"])[: self._store.count])
        return dict(zip(hidden["sock"][indices].tolist(), rows["id"][indices].tolist(), strict=True))

    def forget(self, ids: list[int]) -> None:
        """Close connections that turn out to have ended unseen."""
        self._store.close(self._store.index_of.find(np.array(ids, np.uint64)))

    def focus(self, connection: int | None) -> int:
        """Look closely at one connection from now on, or at none; return its socket, 0 if there is none."""
        index = self._store.index_of.get(connection) if connection is not None else None
        if connection is None or index is None:
            self._focus = None
            return 0
        self._focus = FocusLog(connection, *self._store.history.past(index))
        return 0 if self._store.rows["closed"][index] else int(self._store.hidden["sock"][index])

    def owner_of(self, connection: int) -> int:
        """The process that a connection is shown under; 0: not known."""
        index = self._store.index_of.get(connection)
        return 0 if index is None else int(self._store.rows["pid"][index])

    @property
    def snapshot_is_urgent(self) -> bool:
        """Whether so many connections have ended since the last one that memory grows for them."""
        closed = self._store.closed()
        if len(closed) <= CLOSED_KEPT:
            return False
        old = self._store.hidden["closed_ns"][closed] < self._clock_ns() - CLOSED_SHOWN_NS
        return int(np.count_nonzero(old)) > CLOSED_KEPT

    @property
    def forgotten(self) -> int:
        """Times that the kernel side forgot a connection for lack of room."""
        return self._store.forgotten

    def samples_per_s(self) -> float:
        """RTT samples counted since the previous snapshot, per second."""
        return self._samples.counted / max(1e-3, (self._clock_ns() - self._snapshot_ns) / 1e9)

    def snapshot(self, health: Health) -> Snapshot:
        """A frozen picture of now. Begins a new period for rates and for ``rtt_lo/hi/samples``."""
        now_ns = self._clock_ns()
        self._store.history.advance(now_ns)
        self._update_rates(now_ns)
        self._update_ages(now_ns)
        rows = Rows(self._store.rows.lend(self._store.count))
        cells_us = self._store.history.latest(SPARK_CELLS, self._store.count)
        focus = self._focus.freeze(now_ns, self._owners(), self._owner_note()) if self._focus else None
        self._samples.begin_anew()
        self._snapshot_ns = now_ns
        # All have been in a picture, the one just taken.
        self._store.drop_closed(now_ns - CLOSED_SHOWN_NS)
        return Snapshot(time.time_ns(), now_ns, rows, cells_us, health, focus)

    def _update_ages(self, now_ns: int) -> None:
        born_ns, closed = self._store.hidden["born_ns"], self._store.closed()
        self._store.rows.replace("age_ns", now_ns - born_ns)
        self._store.rows.put("age_ns", closed, self._store.hidden["closed_ns"][closed] - born_ns[closed])

    def _update_rates(self, now_ns: int) -> None:
        rows, hidden = self._store.rows, self._store.hidden
        moving = np.flatnonzero(hidden["moving"][: self._store.count])
        # Between the times that the counters are of, as scans may be rarer than pictures; the closed's stay.
        told_ns = np.where(rows["closed"][moving], np.uint64(now_ns), hidden["time_ns"][moving])
        told = told_ns > hidden["seen_ns"][moving]
        moving, told_ns = moving[told], told_ns[told]
        elapsed_s = (told_ns - hidden["seen_ns"][moving]) / 1e9
        weight = 1 - np.exp(-elapsed_s / _RATE_SMOOTHING_S)
        hidden.put("moving", moving, False)
        hidden.put("seen_ns", moving, told_ns)
        for rate, (seen, total) in _RATED.items():
            now, before = rows[total][moving], rows[rate][moving]
            new = (now - hidden[seen][moving]) * 8.0 / elapsed_s
            smoothed = before + (new - before) * weight
            smoothed[smoothed < 1] = 0
            rows.put(rate, moving, smoothed)
            hidden.put(seen, moving, now)
            hidden.put("moving", moving[smoothed > 0], True)

    def _owners(self) -> tuple[Owner, ...]:
        if not self._focus:
            return ()
        holders = self._holders[self._holders["id"] == self._focus.id]
        return tuple(sorted({Owner(int(one["tgid"]), bytes(one["comm"])) for one in holders}))

    def _owner_note(self) -> str:
        """Why the focused connection has no process."""
        index = self._store.index_of.get(self._focus.id) if self._focus else None
        if index is None or self._store.rows["pid"][index]:
            return ""
        if self._store.rows["closed"][index]:
            return "it ended before a process was seen using it"
        if self._store.rows["born"][index]:
            return "no process holds it: it waits to be accepted, or belongs to the kernel"
        return "no process holds it: it was closed, waits to be accepted, or belongs to the kernel"


def _port_keys(netns: NDArray[np.uint32], lport: NDArray[np.uint16]) -> NDArray[np.uint64]:
    return netns.astype(np.uint64) << np.uint64(16) | lport
