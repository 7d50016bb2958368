"""The one state of the program: every connection's latest numbers and recent history.

Columns with one row per connection, fed by batches from a source, handed out as frozen snapshots.
Everything works on whole batches; Python touches single connections only when one opens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.focus import FocusLog
from tcptop_rtt.history import CELL_NS, CELLS, History, Indices
from tcptop_rtt.snapshot import ROW, SPARK_CELLS, Health, Owner, Snapshot
from tcptop_rtt.sources.record import ENTRY, RECORD, Direction, Kind, Records, gather

CLOSED_SHOWN_NS = 5_000_000_000

_RATE_SMOOTHING_S = 1.0
_TCP_CLOSE, _TCP_LISTEN = 7, 10  # include/net/tcp_states.h
_NO_RTT = 0xFFFFFFFF  # minmax_reset(&tp->rtt_min, tcp_jiffies32, ~0U) in tcp_init_sock()


def _piece(dtype: np.dtype[np.void], first: str, last: str) -> np.dtype[np.void]:
    """Some neighbouring fields of a structure as one, which is copied many times faster than they are."""
    fields: Mapping[str, Any] = dtype.fields or {}
    start = fields[first][1]
    size = fields[last][1] + fields[last][0].itemsize - start
    return np.dtype(
        {"names": ["piece"], "formats": [f"V{size}"], "offsets": [start], "itemsize": dtype.itemsize}
    )


_TOLD, _SCANNED = ("bytes_acked", "probes"), ("busy_us", "congestion_control")
"""First and last of the fields that are in a row as they are in a record, and in an entry."""

_PIECES = {
    RECORD: [(_piece(ROW, *_TOLD), _piece(RECORD, *_TOLD))],
    ENTRY: [(_piece(ROW, *ends), _piece(ENTRY, *ends)) for ends in (_TOLD, _SCANNED)],
}
"""What goes from a record or an entry into its row as it is; all other fields have rules of their own."""

_ENDPOINTS = ("laddr", "lport", "raddr", "rport", "netns")

_RATED = {"out_bps": ("seen_acked", "bytes_acked"), "in_bps": ("seen_received", "bytes_received")}
"""Rate, its counter at the previous snapshot, its counter."""

_HIDDEN = np.dtype(
    [
        ("held", "?"),  # by a descriptor, at the last scan
        ("moving", "?"),  # its rates are not 0, or its counters have changed since the previous snapshot
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
        self._count = 0  # rows in use: the first ones
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
        self._take(records, self._locate(records, np.arange(len(records))))

    def _take(self, records: Records, indices: Indices) -> None:
        self._copy(records, indices)
        self._name(records, indices)
        self._count_samples(records, indices)
        # One probe may be on its way; a timeout means that an ACK is overdue.
        rows = self._rows
        rows["stalled"][indices] = (rows["backoff"][indices] >= 1) | (rows["probes"][indices] >= 2)
        self._close(indices[records["kind"] == Kind.CLOSE])
        if self._focus:
            self._focus.take(records)

    def settle(self, entries: Records) -> None:
        """Take a whole scan: it refreshes every row, and is the last word on who holds which socket."""
        self._history.advance(self._clock_ns())
        self._entries = entries
        ids, tgids, listening = entries["id"], entries["tgid"], entries["state"] == _TCP_LISTEN
        connected = np.flatnonzero(~listening)
        # By process, so that the first entry of a connection is its oldest holder's in most cases.
        connected = connected[np.lexsort((tgids[connected], ids[connected]))]
        indices = self._locate(entries, connected)
        first = np.ones(len(connected), bool)
        first[1:] = indices[1:] != indices[:-1]
        self._take(gather(entries, connected[first]), indices[first])
        rows = self._rows
        same = tgids[connected] == rows["pid"][indices]
        keeps = np.zeros(len(rows), bool)
        keeps[indices[same]] = True
        changed = first & ~keeps[indices]
        for chosen in (changed, same):
            rows["pid"][indices[chosen]] = tgids[connected[chosen]]
            rows["comm"][indices[chosen]] = entries["comm"][connected[chosen]]
        self._hidden["held"] = False
        self._hidden["held"][indices] = True
        self._find_directions(gather(entries, listening))

    def _locate(self, records: Records, chosen: Indices) -> Indices:
        """Row indices of the chosen records' connections, opening rows for the unknown."""
        ids = records["id"][chosen].tolist()
        indices = list(map(self._index_of.get, ids))
        if None in indices:
            unknown = [position for position, index in enumerate(indices) if index is None]
            first = {ids[position]: position for position in reversed(unknown)}
            index_of = self._open(gather(records, chosen[sorted(first.values())]))
            for position in unknown:
                indices[position] = index_of[ids[position]]
        return np.array(indices, np.intp)

    def _open(self, records: Records) -> dict[int, int]:
        """Rows for new connections, of which these are the first records: row indices by id."""
        index_of: dict[int, int] = {}
        start, opened, replaced = self._count, [], []
        for position, (connection, sock) in enumerate(
            zip(records["id"].tolist(), records["sock"].tolist(), strict=True)
        ):
            before = self._index_of_sock.get(sock)
            if before is not None:
                known = before < start and not records["born_seen"][position]
                if known and self._same_connection(before, records[position]):
                    # The kernel side has forgotten the socket, for lack of room, and met it again.
                    self.forgotten += 1
                    del self._index_of[int(self._rows["id"][before])]
                    self._rows["id"][before] = connection
                    self._index_of[connection] = index_of[connection] = before
                    continue
                replaced.append(before)
            self._index_of[connection] = index_of[connection] = self._index_of_sock[sock] = self._count
            self._count += 1
            opened.append(position)
        while self._count > len(self._rows):
            self._grow()
        records, new = gather(records, np.array(opened, np.intp)), slice(start, self._count)
        self._rows[new] = np.zeros((), ROW)
        self._hidden[new] = np.zeros((), _HIDDEN)
        self._history.blank(new)
        for name, of in (("id", "id"), ("born", "born_seen")):
            self._rows[name][new] = records[of]
        for name in ("sock", "born_ns"):
            self._hidden[name][new] = records[name]
        self._close(np.array(replaced, np.intp))
        return index_of

    def _same_connection(self, index: int, record: np.void) -> bool:
        row = self._rows[index]
        return not row["closed"] and all(row[name].tobytes() == record[name].tobytes() for name in _ENDPOINTS)

    def _grow(self) -> None:
        old = len(self._rows)
        new = max(1024, 2 * old)
        self._rows = np.concatenate([self._rows, np.zeros(new - old, ROW)])
        self._hidden = np.concatenate([self._hidden, np.zeros(new - old, _HIDDEN)])
        self._history.grow(new - old)

    def _copy(self, records: Records, indices: Indices) -> None:
        rows, seen_ns = self._rows, self._hidden["time_ns"]
        # What the ring buffer held while a scan went on is older than what the scan has told.
        fresh = records["time_ns"] >= seen_ns[indices]
        retrans = fresh & (records["kind"] == Kind.RETRANS)
        for name in ("retrans", "backoff", "probes"):
            rows[name][indices[retrans]] = records[name][retrans]
        whole = fresh & ~np.isin(records["kind"], (Kind.RETRANS, Kind.OWNER))
        if not whole.all():
            records, indices = gather(records, whole), indices[whole]
        # Rates count from what an older connection had at first sight.
        first = (seen_ns[indices] == 0) & (records["born_seen"] == 0)
        for seen, total in _RATED.values():
            self._hidden[seen][indices[first]] = records[total][first]
        seen_ns[indices] = records["time_ns"]
        for to, of in _PIECES[records.dtype]:
            rows.view(to)["piece"][indices] = records.view(of)["piece"]
        # No port yet at SYN_SENT, and none any more at CLOSE: tcp_set_state() has called inet_put_port().
        has_port = records["lport"] != 0
        rows["lport"][indices[has_port]] = records["lport"][has_port]
        # What a scan has found out of an older connection stays.
        told = records["direction"] != Direction.UNKNOWN
        rows["direction"][indices[told]] = records["direction"][told]
        rows["min_rtt_us"][indices] = np.where(records["min_rtt_us"] == _NO_RTT, 0, records["min_rtt_us"])
        self._hidden["port_chosen"][indices] = records["port_chosen"] != 0
        for seen, total in _RATED.values():
            moved = indices[self._hidden[seen][indices] != records[total]]
            self._hidden["moving"][moved] = True
        if records.dtype == ENTRY:
            rows["delivery_rate_bps"][indices] = records["delivery_rate"] * 8
            paced = np.where(records["pacing_rate"] < 1 << 60, records["pacing_rate"], 0)
            rows["pacing_rate_bps"][indices] = paced * 8

    def _name(self, records: Records, indices: Indices) -> None:
        """Note the owners seen in process context; a scan's holders are settled by :meth:`settle`."""
        if records.dtype == ENTRY:
            return
        named = np.flatnonzero(records["tgid"])
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
        self._rows["stalled"][indices] = False
        self._rows["state"][indices] = _TCP_CLOSE
        self._hidden["closed_ns"][indices] = self._clock_ns()
        for index, sock in zip(indices.tolist(), self._hidden["sock"][indices].tolist(), strict=True):
            if self._index_of_sock.get(sock) == index:
                del self._index_of_sock[sock]

    def _find_directions(self, listeners: Records) -> None:
        """Who opened a connection that is older than the program: told by its local port."""
        rows = self._rows[: self._count]
        unknown = np.flatnonzero(rows["direction"] == Direction.UNKNOWN)
        listening = _port_keys(listeners["netns"], listeners["lport"])
        accepted = np.isin(_port_keys(rows["netns"][unknown], rows["lport"][unknown]), listening)
        chosen = self._hidden["port_chosen"][unknown]
        rows["direction"][unknown] = np.where(
            chosen, Direction.OUT, np.where(accepted, Direction.IN, Direction.UNKNOWN)
        )

    def unheld_socks(self) -> dict[int, int]:
        """Live connections that no descriptor holds: socket to id. Their end may have been missed."""
        hidden = self._hidden[: self._count]
        indices = np.flatnonzero(~hidden["held"] & ~self._rows["closed"][: self._count])
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
        past = self._history.latest(CELLS, slice(index, index + 1))[:, 0]
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
        self._update_rates((now_ns - self._snapshot_ns) / 1e9)
        rows, hidden = gather(self._rows, slice(self._count)), self._hidden[: self._count]
        rows["age_ns"] = now_ns - hidden["born_ns"]
        closed = np.flatnonzero(rows["closed"])
        rows["age_ns"][closed] = hidden["closed_ns"][closed] - hidden["born_ns"][closed]
        spark_us = self._history.latest(SPARK_CELLS, slice(self._count))
        for array in (rows, spark_us):
            array.flags.writeable = False
        focus = self._focus.freeze(now_ns, self._holders(), self._owner_note()) if self._focus else None
        self._rows["rtt_samples"][: self._count] = 0
        self._snapshot_ns, self._samples = now_ns, 0
        self._drop_closed(now_ns)
        return Snapshot(time.time_ns(), rows, spark_us, health, focus)

    def _update_rates(self, elapsed_s: float) -> None:
        rows, hidden = self._rows, self._hidden
        moving = np.flatnonzero(hidden["moving"][: self._count])
        weight = 1 - np.exp(-elapsed_s / _RATE_SMOOTHING_S)
        hidden["moving"][moving] = False
        for rate, (seen, total) in _RATED.items():
            now, before = rows[total][moving], rows[rate][moving]
            new = (now - hidden[seen][moving]) * 8.0 / max(elapsed_s, 1e-3)
            smoothed = before + (new - before) * weight
            smoothed[smoothed < 1] = 0
            rows[rate][moving] = smoothed
            hidden[seen][moving] = now
            hidden["moving"][moving] |= smoothed > 0

    def _drop_closed(self, now_ns: int) -> None:
        """Give up rows that closed a while ago; all have been in a snapshot, the one just taken."""
        rows, hidden = self._rows[: self._count], self._hidden[: self._count]
        closed = np.flatnonzero(rows["closed"])
        gone = closed[hidden["closed_ns"][closed] + CLOSED_SHOWN_NS < now_ns]
        # From the last on, so that the row that takes a place is one that stays.
        for index in gone[::-1].tolist():
            del self._index_of[int(self._rows["id"][index])]
            self._count -= 1
            if index < self._count:
                self._move(self._count, index)

    def _move(self, index: int, to: int) -> None:
        self._rows[to] = self._rows[index]
        self._hidden[to] = self._hidden[index]
        self._history.move(index, to)
        self._index_of[int(self._rows["id"][to])] = to
        sock = int(self._hidden["sock"][to])
        if self._index_of_sock.get(sock) == index:
            self._index_of_sock[sock] = to

    def _holders(self) -> tuple[Owner, ...]:
        if not self._focus:
            return ()
        entries = self._entries[self._entries["id"] == self._focus.id]
        return tuple(sorted({Owner(int(e["tgid"]), bytes(e["comm"])) for e in entries}))

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
