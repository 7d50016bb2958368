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
from tcptop_rtt.history import CELL_NS, CELLS, History, Indices
from tcptop_rtt.snapshot import ROW, SPARK_CELLS, Health, Owner, Snapshot
from tcptop_rtt.sources.record import ENTRY, RECORD, Direction, Kind, Records

CLOSED_SHOWN_NS = 5_000_000_000

_RATE_SMOOTHING_S = 1.0
_TCP_CLOSE, _TCP_LISTEN = 7, 10  # include/net/tcp_states.h
_NO_RTT = 0xFFFFFFFF  # minmax_reset(&tp->rtt_min, tcp_jiffies32, ~0U) in tcp_init_sock()

_HANDLED = {
    "id",
    "lport",
    "direction",
    "comm",
    "min_rtt_us",
    "last_rtt_us",
    "rtt_samples",
    "rtt_lo_us",
    "rtt_hi_us",
}
"""What has a rule of its own; all other fields of a record are copied to the row's of the same name."""


def _copied(record: np.dtype[np.void]) -> tuple[str, ...]:
    return tuple(name for name in ROW.names or () if name in (record.names or ()) and name not in _HANDLED)


_COPIED = {RECORD: _copied(RECORD), ENTRY: _copied(ENTRY)}

_RATED = {"out_bps": ("seen_acked", "bytes_acked"), "in_bps": ("seen_received", "bytes_received")}
"""Rate, its counter at the previous snapshot, its counter."""

_HIDDEN = np.dtype(
    [
        ("used", "?"),
        ("held", "?"),  # by a descriptor, at the last scan
        ("sock", "u8"),
        ("interval", "u4"),  # the last one whose samples are counted
        ("port_chosen", "?"),
        ("born_ns", "u8"),
        ("time_ns", "u8"),  # of the newest record
        ("closed_ns", "u8"),
        ("seen_acked", "u8"),  # byte counters at the previous snapshot
        ("seen_received", "u8"),
    ]
)
"""What is kept of a row but not shown."""


class Connections:
    """All connections. Not thread-safe: one thread owns it.

    :param clock_ns: the clock of the records' ``time_ns``
    """

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock_ns = clock_ns
        self._rows = np.zeros(0, ROW)
        self._hidden = np.zeros(0, _HIDDEN)
        self._history = History(clock_ns())
        self._free: list[int] = []
        self._index_of: dict[int, int] = {}
        self._index_of_sock: dict[int, int] = {}
        self._entries: Records = np.zeros(0, ENTRY)
        self._snapshot_ns = clock_ns()
        self._samples = 0
        self._focus: FocusLog | None = None
        self.forgotten = 0

    def ingest(self, records: Records) -> None:
        """Take what a source has read, in order of time."""
        if not len(records):
            return
        self._history.advance(self._clock_ns())
        indices = self._locate(records)
        self._copy(records, indices)
        self._name(records, indices)
        self._count_samples(records, indices)
        self._close(indices[records["kind"] == Kind.CLOSE])
        if self._focus:
            self._focus.take(records)

    def settle(self, entries: Records) -> None:
        """Take a whole scan: it refreshes every row, and is the last word on who holds which socket."""
        listeners = entries[entries["state"] == _TCP_LISTEN]
        entries = entries[entries["state"] != _TCP_LISTEN]
        # By process, so that the first entry of a connection is its oldest holder's in most cases.
        entries = entries[np.lexsort((entries["tgid"], entries["id"]))]
        first = np.ones(len(entries), bool)
        first[1:] = entries["id"][1:] != entries["id"][:-1]
        self._entries = entries
        self.ingest(entries[first])
        indices = self._locate(entries)
        rows = self._rows
        same = entries["tgid"] == rows["pid"][indices]
        keeps = np.zeros(len(rows), bool)
        keeps[indices[same]] = True
        changed = first & ~keeps[indices]
        for chosen in (changed, same):
            rows["pid"][indices[chosen]] = entries["tgid"][chosen]
            rows["comm"][indices[chosen]] = entries["comm"][chosen]
        self._hidden["held"] = False
        self._hidden["held"][indices] = True
        self._find_directions(listeners)

    def _locate(self, records: Records) -> Indices:
        """Row indices of the records' connections, opening rows for the unknown."""
        ids = records["id"].tolist()
        indices = list(map(self._index_of.get, ids))
        if None in indices:
            for position, connection in enumerate(ids):
                if indices[position] is None:
                    known = self._index_of.get(connection)
                    indices[position] = self._open(records[position]) if known is None else known
        return np.array(indices, np.intp)

    def _open(self, record: np.void) -> int:
        """The index of a row for a new connection."""
        connection, sock = int(record["id"]), int(record["sock"])
        before = self._index_of_sock.get(sock)
        if before is not None:
            if not record["born_seen"] and self._same_connection(before, record):
                # The kernel side has forgotten the socket, for lack of room, and met it again.
                self.forgotten += 1
                del self._index_of[int(self._rows["id"][before])]
                self._rows["id"][before] = connection
                self._index_of[connection] = before
                return before
            self._close(np.array([before]))
        if not self._free:
            self._grow()
        index = self._free.pop()
        self._index_of[connection] = self._index_of_sock[sock] = index
        row = np.zeros((), ROW)
        row["id"] = connection
        row["born"] = record["born_seen"]
        self._rows[index] = row
        hidden = np.zeros((), _HIDDEN)
        hidden["used"] = True
        hidden["sock"] = sock
        hidden["born_ns"] = record["born_ns"]
        self._hidden[index] = hidden
        self._history.blank(index)
        return index

    def _same_connection(self, index: int, record: np.void) -> bool:
        row = self._rows[index]
        return not row["closed"] and all(
            row[name].tobytes() == record[name].tobytes()
            for name in ("laddr", "lport", "raddr", "rport", "netns")
        )

    def _grow(self) -> None:
        old = len(self._rows)
        new = max(1024, 2 * old)
        self._rows = np.concatenate([self._rows, np.zeros(new - old, ROW)])
        self._hidden = np.concatenate([self._hidden, np.zeros(new - old, _HIDDEN)])
        self._history.grow(new - old)
        self._free.extend(range(new - 1, old - 1, -1))

    def _copy(self, records: Records, indices: Indices) -> None:
        rows, seen_ns = self._rows, self._hidden["time_ns"]
        # What the ring buffer held while a scan went on is older than what the scan has told.
        fresh = records["time_ns"] >= seen_ns[indices]
        retrans = fresh & (records["kind"] == Kind.RETRANS)
        for name in ("retrans", "backoff", "probes"):
            rows[name][indices[retrans]] = records[name][retrans]
        whole = fresh & ~np.isin(records["kind"], (Kind.RETRANS, Kind.OWNER))
        records, indices = records[whole], indices[whole]
        # Rates count from what an older connection had at first sight.
        first = (seen_ns[indices] == 0) & (records["born_seen"] == 0)
        for seen, total in _RATED.values():
            self._hidden[seen][indices[first]] = records[total][first]
        seen_ns[indices] = records["time_ns"]
        for name in _COPIED[records.dtype]:
            rows[name][indices] = records[name]
        # No port yet at SYN_SENT, and none any more at CLOSE: tcp_set_state() has called inet_put_port().
        has_port = records["lport"] != 0
        rows["lport"][indices[has_port]] = records["lport"][has_port]
        # What a scan has found out of an older connection stays.
        told = records["direction"] != Direction.UNKNOWN
        rows["direction"][indices[told]] = records["direction"][told]
        rows["min_rtt_us"][indices] = np.where(records["min_rtt_us"] == _NO_RTT, 0, records["min_rtt_us"])
        self._hidden["port_chosen"][indices] = records["port_chosen"] != 0
        if records.dtype == ENTRY:
            rows["delivery_rate_bps"][indices] = records["delivery_rate"] * 8
            paced = np.where(records["pacing_rate"] < 1 << 60, records["pacing_rate"], 0)
            rows["pacing_rate_bps"][indices] = paced * 8

    def _name(self, records: Records, indices: Indices) -> None:
        """Note the owners seen in process context; a scan's holders are settled by :meth:`settle`."""
        named = (records["tgid"] != 0) & (records["kind"] != Kind.ENTRY)
        self._rows["pid"][indices[named]] = records["tgid"][named]
        self._rows["comm"][indices[named]] = records["comm"][named]

    def _count_samples(self, records: Records, indices: Indices) -> None:
        seen = self._hidden["interval"]
        whole = (records["rtt_samples"] > 0) & (records["interval"] > seen[indices])
        self._add_samples(
            indices[whole],
            *(records[name][whole] for name in ("rtt_samples", "rtt_lo_us", "rtt_hi_us", "last_rtt_us")),
        )
        np.maximum.at(seen, indices[whole], records["interval"][whole])
        # The hook's own single samples are for the focus; they come again with their interval.
        single = (records["single_rtt_us"] > 0) & (records["kind"] != Kind.SEGMENT)
        rtt_us = records["single_rtt_us"][single]
        self._add_samples(indices[single], np.ones_like(rtt_us), rtt_us, rtt_us, rtt_us)

    def _add_samples(
        self,
        indices: Indices,
        samples: NDArray[np.uint32],
        lo_us: NDArray[np.uint32],
        hi_us: NDArray[np.uint32],
        last_us: NDArray[np.uint32],
    ) -> None:
        rows = self._rows
        fresh = indices[rows["rtt_samples"][indices] == 0]
        rows["rtt_lo_us"][fresh] = _NO_RTT
        rows["rtt_hi_us"][fresh] = 0
        np.add.at(rows["rtt_samples"], indices, samples)
        np.minimum.at(rows["rtt_lo_us"], indices, lo_us)
        np.maximum.at(rows["rtt_hi_us"], indices, hi_us)
        rows["last_rtt_us"][indices] = last_us
        self._history.add(indices, hi_us)
        self._samples += int(samples.sum())

    def _close(self, indices: Indices) -> None:
        indices = indices[~self._rows["closed"][indices]]
        self._rows["closed"][indices] = True
        self._rows["state"][indices] = _TCP_CLOSE
        self._hidden["closed_ns"][indices] = self._clock_ns()
        for index, sock in zip(indices.tolist(), self._hidden["sock"][indices].tolist(), strict=True):
            if self._index_of_sock.get(sock) == index:
                del self._index_of_sock[sock]

    def _find_directions(self, listeners: Records) -> None:
        """Who opened a connection that is older than the program: told by its local port."""
        rows = self._rows
        unknown = np.flatnonzero(self._hidden["used"] & (rows["direction"] == Direction.UNKNOWN))
        listening = _port_keys(listeners["netns"], listeners["lport"])
        accepted = np.isin(_port_keys(rows["netns"][unknown], rows["lport"][unknown]), listening)
        chosen = self._hidden["port_chosen"][unknown]
        rows["direction"][unknown] = np.where(
            chosen, Direction.OUT, np.where(accepted, Direction.IN, Direction.UNKNOWN)
        )

    def unheld_socks(self) -> dict[int, int]:
        """Live connections that no descriptor holds: socket to id. Their end may have been missed."""
        hidden = self._hidden
        indices = np.flatnonzero(hidden["used"] & ~hidden["held"] & ~self._rows["closed"])
        return dict(zip(hidden["sock"][indices].tolist(), self._rows["id"][indices].tolist(), strict=True))

    def forget(self, ids: list[int]) -> None:
        """Close connections that turn out to have ended unseen."""
        self._close(np.array([self._index_of[connection] for connection in ids], np.intp))

    def focus(self, connection: int | None) -> int:
        """Look closely at one connection from now on, or at none; return its socket, 0 if there is none."""
        index = self._index_of.get(connection) if connection is not None else None
        if connection is None or index is None:
            self._focus = None
            return 0
        past = self._history.latest(CELLS, np.array([index]))[:, 0]
        self._focus = FocusLog(connection, past, self._clock_ns(), CELL_NS)
        return 0 if self._rows["closed"][index] else int(self._hidden["sock"][index])

    def owner_of(self, connection: int) -> int:
        """The process that a connection is shown under; 0: not known."""
        index = self._index_of.get(connection)
        return 0 if index is None else int(self._rows["pid"][index])

    def samples_per_s(self) -> float:
        """RTT samples counted since the previous snapshot, per second."""
        return self._samples / max(1e-3, (self._clock_ns() - self._snapshot_ns) / 1e9)

    def snapshot(self, health: Health) -> Snapshot:
        """A frozen picture of now. Begins a new period for rates and for ``rtt_lo/hi/samples``."""
        now_ns = self._clock_ns()
        self._history.advance(now_ns)
        used = np.flatnonzero(self._hidden["used"])
        self._update_rates(used, (now_ns - self._snapshot_ns) / 1e9)
        rows = self._rows[used]
        # One probe may be on its way; a timeout means that an ACK is overdue.
        rows["stalled"] = ~rows["closed"] & ((rows["backoff"] >= 1) | (rows["probes"] >= 2))
        hidden = self._hidden[used]
        rows["age_ns"] = np.where(rows["closed"], hidden["closed_ns"], now_ns) - hidden["born_ns"]
        spark_us = self._history.latest(SPARK_CELLS, used)
        for array in (rows, spark_us):
            array.flags.writeable = False
        focus = self._focus.freeze(now_ns, self._holders(), self._owner_note()) if self._focus else None
        self._rows["rtt_samples"][used] = 0
        self._snapshot_ns, self._samples = now_ns, 0
        self._drop_closed(used, now_ns)
        return Snapshot(time.time_ns(), rows, spark_us, health, focus)

    def _update_rates(self, used: Indices, elapsed_s: float) -> None:
        rows, hidden = self._rows, self._hidden
        weight = 1 - np.exp(-elapsed_s / _RATE_SMOOTHING_S)
        for rate, (seen, total) in _RATED.items():
            new = (rows[total][used] - hidden[seen][used]) * 8.0 / max(elapsed_s, 1e-3)
            smoothed = rows[rate][used] + (new - rows[rate][used]) * weight
            rows[rate][used] = np.where(smoothed < 1, 0, smoothed)
            hidden[seen][used] = rows[total][used]

    def _drop_closed(self, used: Indices, now_ns: int) -> None:
        """Give up rows that closed a while ago; all have been in a snapshot, the one just taken."""
        closed = used[self._rows["closed"][used]]
        gone = closed[self._hidden["closed_ns"][closed] + CLOSED_SHOWN_NS < now_ns]
        self._hidden["used"][gone] = False
        for index, connection in zip(gone.tolist(), self._rows["id"][gone].tolist(), strict=True):
            del self._index_of[connection]
            self._free.append(index)

    def _holders(self) -> tuple[Owner, ...]:
        if not self._focus:
            return ()
        entries = self._entries[self._entries["id"] == self._focus.id]
        return tuple(dict.fromkeys(Owner(int(e["tgid"]), bytes(e["comm"])) for e in entries))

    def _owner_note(self) -> str:
        """Why the focused connection has no process."""
        index = self._index_of.get(self._focus.id) if self._focus else None
        if index is None or self._rows["pid"][index]:
            return ""
        if self._rows["closed"][index]:
            return "it ended before a process was seen using it"
        if self._rows["born"][index]:
            return "no process holds it: it waits to be accepted, or belongs to the kernel"
        return "no process holds it: it was closed, waits to be accepted, or belongs to the kernel"


def _port_keys(netns: NDArray[np.uint32], lport: NDArray[np.uint16]) -> NDArray[np.uint64]:
    return netns.astype(np.uint64) << np.uint64(16) | lport
