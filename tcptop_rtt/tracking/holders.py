"""The process of each connection, from scans and from records of processes that use a connection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among, places
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.records import Direction, Hold
from tcptop_rtt.model.rows import NOT_HELD, Holder, Indices
from tcptop_rtt.model.snapshot import NamedProcess, ProcessKey
from tcptop_rtt.tracking.column_store import ColumnStore
from tcptop_rtt.tracking.listeners import Listeners, oldest_first
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.row_store import RowStore
from tcptop_rtt.tracking.scan import HOLDER, Scan

ASKED_AT_ONCE = 100
"""Of at most this many processes it is asked after each scan whether they have ended."""

_KEPT = np.dtype(
    [
        ("in_scan", "?"),  # the latest scan has met the connection
        ("tgid", "u4"),  # the PID of its process in the initial PID namespace; 0 if unknown
    ]
)

_PROCESS_COLUMNS = {"pid": "pid", "comm": "comm", "uid": "process_uid", "started_ns": "started_ns"}
"""For each column the field of a record or holder."""

_NOTES = {
    Holder.UNKNOWN: "no process is known to hold it",
    Holder.PROCESS: "",
    Holder.LISTENER: "it waits to be accepted",
    Holder.NOBODY: "no process holds it: the kernel still has data to send, or waits for the peer to close",
    Holder.KERNEL: "the kernel itself holds it",
}
"""Why a row has no process, or none yet."""


class Holders:
    """Sets ``holder`` and the process of each row.

    A process is identified by its PID and start time, as another process may get the same PID later.
    """

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._kept = store.attach(ColumnStore(_KEPT))
        self._held = np.zeros(0, HOLDER)
        self._next_asked = 0  # the place of the process of which it is asked next whether it has ended

    # --- from records ---------------------------------------------------------------------------------

    def set_users(self, batch: Located) -> None:
        """Set the processes that records report as users of a connection."""
        used = batch.where(batch["tgid"] != 0)
        if len(used):
            self._set_process(used.rows, used.records)

    def _set_process(self, rows: Indices, processes: NDArray[np.void]) -> None:
        for column, field in _PROCESS_COLUMNS.items():
            self._store.set(column, rows, processes[field])
        self._store.set("holder", rows, Holder.PROCESS)
        self._kept.set("tgid", rows, processes["tgid"])

    # --- from a scan ----------------------------------------------------------------------------------

    def apply(self, scan: Scan, is_gone: Callable[[ProcessKey], bool]) -> None:
        """Set the holders that a complete scan has found, in place of those known before.

        :param is_gone: returns whether a process has certainly ended
        """
        self._held = np.concatenate([scan.with_descriptor, scan.under_mptcp])
        self._mark_met(self._held, scan.unheld)
        self._set_holders(self._held)
        self._set_unheld(scan.unheld, scan.listeners, is_gone)
        self._set_directions(scan.listeners)

    def _mark_met(self, *holders: NDArray[np.void]) -> None:
        marks = np.zeros(self._store.capacity, bool)
        for part in holders:
            marks[part["row"]] = True
        self._kept.set_all("in_scan", marks)

    def _set_holders(self, held: NDArray[np.void]) -> None:
        """Set one process for each row: the one set before if it still holds the row, else the oldest."""
        held = held[oldest_first(held, held["row"])]
        store, rows = self._store, held["row"]
        first = np.ones(len(held), bool)
        first[1:] = rows[1:] != rows[:-1]
        shown = held["tgid"] == self._kept["tgid"][rows]
        shown &= held["started_ns"] == store["started_ns"][rows]
        shown &= store["holder"][rows] == Holder.PROCESS
        keeps = np.zeros(store.capacity, bool)
        keeps[rows[shown]] = True
        for mask in (first & ~keeps[rows], shown):
            self._set_process(rows[mask], held[mask])

    def _set_unheld(
        self, unheld: NDArray[np.void], listeners: Listeners, is_gone: Callable[[ProcessKey], bool]
    ) -> None:
        store, rows, hold = self._store, unheld["row"], unheld["hold"]
        has_socket = (hold & Hold.SOCKET) != 0
        # The kernel does not mark sockets under a closed MPTCP socket as dead.
        used = among(store["holder"][rows], (Holder.PROCESS, Holder.NOBODY))
        dead = ((hold & Hold.DEAD) != 0) | used | (store["direction"][rows] == Direction.OUT)
        self._set_left(rows[~has_socket & dead], Holder.NOBODY)
        self._set_waiting(rows[~has_socket & ~dead], listeners)
        self._clear_process(rows[has_socket & ((hold & Hold.FILE) == 0)], Holder.KERNEL)
        self._clear_process(rows[(hold & Hold.UNSEEN) != 0], Holder.UNKNOWN)
        # The other sockets have a file but no descriptor: io_uring has it, or it is being sent to a process.
        no_descriptor = rows[has_socket & ((hold & Hold.FILE) != 0)]
        self._set_left(self._left_by_gone(no_descriptor, is_gone), Holder.UNKNOWN)

    def _left_by_gone(self, rows: Indices, is_gone: Callable[[ProcessKey], bool]) -> Indices:
        """Return which of the rows have a process that has ended; each scan asks for some processes."""
        store = self._store
        # Of a process in another PID namespace neither number is known here.
        named = (store["pid"][rows] != 0) & (store["started_ns"][rows] != 0)
        rows = rows[named & (store["holder"][rows] == Holder.PROCESS)]
        if not len(rows):
            return rows
        pids, started_ns = store["pid"][rows], store["started_ns"][rows]
        _, first, process = np.unique(mixed([pids, started_ns]), return_index=True, return_inverse=True)
        begin = self._next_asked if self._next_asked < len(first) else 0
        self._next_asked = begin + ASKED_AT_ONCE
        asked = np.arange(begin, min(self._next_asked, len(first)))
        keys = (ProcessKey(int(pids[row]), int(started_ns[row])) for row in first[asked])
        gone = asked[[is_gone(key) for key in keys]]
        left: Indices = rows[among(process, gone)]
        return left

    def _set_left(self, rows: Indices, holder: Holder) -> None:
        """Set the holder of rows whose process does not hold them any more, and keep its name."""
        held = rows[self._store["holder"][rows] == Holder.PROCESS]
        for last, name in (("was_pid", "pid"), ("was_comm", "comm")):
            self._store.set(last, held, self._store[name][held])
        self._clear_process(rows, holder)

    def _set_waiting(self, rows: Indices, listeners: Listeners) -> None:
        """Set the listener as the process of connections that wait to be accepted."""
        if not len(rows):
            return
        store = self._store
        store.set("direction", rows, Direction.IN)
        places, full = listeners.find(lambda name: store[name][rows])
        store.set("queue_full", rows, full)
        self._clear_process(rows[places < 0], Holder.UNKNOWN)
        waiting = rows[places >= 0]
        self._set_process(waiting, listeners.processes[places[places >= 0]])
        store.set("holder", waiting, Holder.LISTENER)

    def _clear_process(self, rows: Indices, holder: Holder) -> None:
        for name in ("pid", "comm", "started_ns"):
            self._store.set(name, rows, np.zeros((), self._store[name].dtype))
        self._store.set("holder", rows, holder)
        self._kept.set("tgid", rows, 0)

    def _set_directions(self, listeners: Listeners) -> None:
        """Set who opened connections that are older than the program, by either end."""
        store = self._store
        rows = store.select(store["direction"] == Direction.UNKNOWN)
        if not len(rows):
            return
        accepted = listeners.accept(lambda name: store[name][rows])
        inwards = np.where(accepted, Direction.IN, Direction.UNKNOWN)
        found = np.where(store["port_chosen"][rows], Direction.OUT, inwards)
        store.set("direction", rows, found)
        self._set_against_other_ends(rows[found == Direction.UNKNOWN])

    def _set_against_other_ends(self, rows: Indices) -> None:
        """Set who opened connections whose other end is in the same network namespace."""
        store = self._store
        others = store.select(store["direction"] != Direction.UNKNOWN)
        others = others[among(store["lport"][others], store["rport"][rows])]
        here, there = ("laddr", "lport"), ("raddr", "rport")
        mirrored = mixed(store[name][others] for name in ("netns", *there, *here))
        order = np.argsort(mirrored)
        at = places(mirrored[order], mixed(store[name][rows] for name in ("netns", *here, *there)))
        rows, others = rows[at >= 0], others[order[at[at >= 0]]]
        came_in = store["direction"][others] == Direction.IN
        store.set("direction", rows, np.where(came_in, Direction.OUT, Direction.IN))

    # --- questions, and their answers -----------------------------------------------------------------

    def rows_missing_from_scan(self) -> Indices:
        """Live connections that the latest scan has not met."""
        return self._store.select(~(self._kept["in_scan"] | self._store["closed"]))

    def rows_no_longer_met(self) -> Indices:
        """Those of them that an earlier scan has met."""
        missing = self.rows_missing_from_scan()
        found: Indices = missing[self._store["scanned"][missing]]
        return found

    def holders_of(self, connection: int) -> tuple[NamedProcess, ...]:
        """All processes that held a connection at the latest scan."""
        held = self._held[self._held["id"] == connection]
        _, first = np.unique(held["tgid"], return_index=True)
        return tuple(sorted(NamedProcess(int(one["pid"]), bytes(one["comm"])) for one in held[first]))

    def note_on(self, connection: int) -> str:
        """Why a connection has no process, or only that of its listener; empty if it has its own."""
        row = self._store.row_of(connection)
        if row is None:
            return ""
        store = self._store
        holder = store["holder"][row]
        if holder == Holder.UNKNOWN and store["closed"][row]:
            return "it ended before a process was seen using it"
        if holder in NOT_HELD and store["was_comm"][row]:
            was_pid = store["was_pid"][row]
            name = store["was_comm"][row].decode("utf-8", "replace")
            return f"was {name} ({was_pid}), gone" if was_pid else f"was {name}, gone"
        notes = [_NOTES[Holder(holder)]]
        if self._kept["tgid"][row] and not store["pid"][row]:
            notes.append("its process is in another PID namespace")
        return "; ".join(filter(None, notes))
