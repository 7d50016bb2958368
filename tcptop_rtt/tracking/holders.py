"""Who holds which connection: told by scans, and by processes that were seen using one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import ENTRY, Direction, Hold, Kind, Records, take_rows
from tcptop_rtt.model.rows import Holder, Indices
from tcptop_rtt.model.snapshot import Owner
from tcptop_rtt.tracking.column_store import ColumnStore
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.row_store import RowStore

_TCP_LISTEN = 10  # include/net/tcp_states.h
_PROCESS = ("tgid", "pid", "started_ns", "process_uid", "comm")
_SEEN = np.dtype([("index", "i8"), *((name, ENTRY[name]) for name in (*_PROCESS, "id", "hold", "inode"))])
"""What is kept of a scan's entries: of 400,000 sockets 27 MB."""

_KEPT = np.dtype(
    [
        ("in_scan", "?"),  # the latest scan has met it
        ("has_descriptor", "?"),  # as that scan found
        ("tgid", "u4"),  # the PID of its process in the first PID namespace; 0: not known
    ]
)

_ANY = (bytes(16), bytes(10) + b"\xff\xff" + bytes(4))
"""Addresses of those that listen on all: IPv6's, and IPv4's."""

_NOTES = {
    Holder.UNKNOWN: "no process is known to hold it",
    Holder.PROCESS: "",
    Holder.LISTENER: "it waits to be accepted",
    Holder.NOBODY: "no process holds it: the kernel still has data to send, or waits for the peer's end",
    Holder.KERNEL: "the kernel itself holds it",
}
"""Why there is no process, or not yet."""


class Holders:
    """The process of each row. A whole scan is the last word on it.

    A process is known by its PID and the time it began: another may have its PID later.
    """

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._kept = store.attach(ColumnStore(_KEPT))
        self._parts: list[NDArray[np.void]] = []
        self._mptcp: list[NDArray[np.void]] = []
        self._listeners: list[Records] = []
        self._held = np.zeros(0, _SEEN)

    def set_users(self, batch: Located) -> None:
        """Show the processes that were seen using a connection."""
        used = batch.where(batch["tgid"] != 0)
        if len(used):
            self._put(used.rows, used.records)

    def _put(self, indices: Indices, processes: NDArray[np.void]) -> None:
        for name, of in (
            ("pid", "pid"),
            ("comm", "comm"),
            ("uid", "process_uid"),
            ("started_ns", "started_ns"),
        ):
            self._store.set(name, indices, processes[of])
        self._store.set("holder", indices, Holder.PROCESS)
        self._kept.set("tgid", indices, processes["tgid"])

    # --- a scan, part by part -------------------------------------------------------------------------

    def collect_listeners(self, entries: Records) -> Records:
        """Keep the entries of listeners and of MPTCP sockets; return the others, those of connections."""
        mptcp, listening = entries["kind"] == Kind.MPTCP, entries["state"] == _TCP_LISTEN
        if mptcp.any():
            self._mptcp.append(_seen(entries[mptcp]))
        if listening.any():
            self._listeners.append(take_rows(entries, listening))
        return take_rows(entries, ~(mptcp | listening))

    def collect_holders(self, batch: Located) -> None:
        """Keep the entries of connections, each with a process that holds it or without any."""
        seen = _seen(batch.records)
        seen["index"], seen["id"] = batch.rows, self._store["id"][batch.rows]
        self._parts.append(seen)

    def drop_scan(self) -> None:
        """Forget what a scan has told that did not come to its end."""
        for parts in (self._parts, self._mptcp, self._listeners):
            parts.clear()

    def apply_scan(self) -> None:
        """The scan is complete: all that it has not met has no descriptor."""
        seen, mptcp = _joined(self._parts, _SEEN), _joined(self._mptcp, _SEEN)
        listeners = _joined(self._listeners, ENTRY)
        self.drop_scan()
        by_descriptor = seen["tgid"] != 0
        unheld = seen[~by_descriptor]
        above = _by_inode(mptcp, unheld["inode"])
        subflows = mptcp[above[above >= 0]]
        for name in ("index", "id"):
            subflows[name] = unheld[name][above >= 0]
        self._held = np.concatenate([seen[by_descriptor], subflows])
        self._mark("in_scan", seen["index"])
        self._mark("has_descriptor", seen["index"][by_descriptor])
        self._settle_held(self._held)
        self._settle_unheld(unheld[above < 0], listeners, mptcp)
        self._find_directions(listeners)

    def _mark(self, name: str, indices: Indices) -> None:
        marks = np.zeros(self._store.capacity, bool)
        marks[indices] = True
        self._kept.set_all(name, marks)

    def _settle_held(self, held: NDArray[np.void]) -> None:
        # By process, so that the first of a connection is its oldest holder in most cases.
        held = held[np.lexsort((held["tgid"], held["index"]))]
        store, indices = self._store, held["index"]
        first = np.ones(len(held), bool)
        first[1:] = indices[1:] != indices[:-1]
        same = held["tgid"] == self._kept["tgid"][indices]
        same &= held["started_ns"] == store["started_ns"][indices]
        same &= store["holder"][indices] == Holder.PROCESS
        keeps = np.zeros(store.capacity, bool)
        keeps[indices[same]] = True
        for chosen in (first & ~keeps[indices], same):
            self._put(indices[chosen], held[chosen])

    def _settle_unheld(self, unheld: NDArray[np.void], listeners: Records, mptcp: NDArray[np.void]) -> None:
        store = self._store
        indices, hold = unheld["index"], unheld["hold"]
        socket = (hold & Hold.SOCKET) != 0
        # The sockets under an MPTCP one that was closed are not marked as dead.
        used = np.isin(store["holder"][indices], (Holder.PROCESS, Holder.NOBODY))
        dead = ((hold & Hold.DEAD) != 0) | used | (store["direction"][indices] == Direction.OUT)
        self._orphan(indices[~socket & dead])
        self._wait(indices[~socket & ~dead], listeners, mptcp)
        self._nobody(indices[socket & ((hold & Hold.FILE) == 0)], Holder.KERNEL)
        # What is left has a file, but no descriptor: io_uring has it, or it is on its way to another process.

    def _orphan(self, indices: Indices) -> None:
        store = self._store
        held = indices[store["holder"][indices] == Holder.PROCESS]
        store.set("was_pid", held, store["pid"][held])
        store.set("was_comm", held, store["comm"][held])
        self._nobody(indices, Holder.NOBODY)

    def _nobody(self, indices: Indices, holder: Holder) -> None:
        for name in ("pid", "comm", "started_ns"):
            self._store.set(name, indices, np.zeros((), self._store[name].dtype))
        self._store.set("holder", indices, holder)
        self._kept.set("tgid", indices, 0)

    def _wait(self, indices: Indices, listeners: Records, mptcp: NDArray[np.void]) -> None:
        """Name who listens where these wait to be accepted."""
        if not len(indices):
            return
        store = self._store
        store.set("direction", indices, Direction.IN)
        endpoints = [
            (int(store["netns"][index]), int(store["lport"][index]), store["laddr"][index].tobytes())
            for index in indices.tolist()
        ]
        named = _named(listeners, mptcp)
        found = _listening(set(endpoints), listeners, named["tgid"])
        place = np.array([found.get(endpoint, -1) for endpoint in endpoints], np.intp)
        self._nobody(indices[place < 0], Holder.UNKNOWN)
        known = indices[place >= 0]
        self._put(known, named[place[place >= 0]])
        store.set("holder", known, Holder.LISTENER)

    def _find_directions(self, listeners: Records) -> None:
        """Who opened a connection that is older than the program: told by its local port."""
        store = self._store
        unknown = store.select(store["direction"] == Direction.UNKNOWN)
        if not len(unknown):
            return
        listening = _port_keys(listeners["netns"], listeners["lport"])
        accepted = np.isin(_port_keys(store["netns"][unknown], store["lport"][unknown]), listening)
        chosen = self._store["port_chosen"][unknown]
        found = np.where(chosen, Direction.OUT, np.where(accepted, Direction.IN, Direction.UNKNOWN))
        store.set("direction", unknown, found)

    # --- questions, and their answers -----------------------------------------------------------------

    def rows_missing_from_scan(self) -> Indices:
        """Live connections that the latest scan has not met."""
        return self._store.select(~(self._kept["in_scan"] | self._store["closed"]))

    def rows_without_descriptor(self) -> Indices:
        """Live connections of which the latest scan has found no descriptor."""
        return self._store.select(~(self._kept["has_descriptor"] | self._store["closed"]))

    def owners_of(self, connection: int) -> tuple[Owner, ...]:
        """All that hold one connection, by the latest scan."""
        held = self._held[self._held["id"] == connection]
        _, first = np.unique(held["tgid"], return_index=True)
        return tuple(sorted(Owner(int(one["pid"]), bytes(one["comm"])) for one in held[first]))

    def note_on(self, connection: int) -> str:
        """Why a connection has no process, or has it only so far; empty if it has one."""
        index = self._store.row_of(connection)
        if index is None:
            return ""
        store = self._store
        holder = store["holder"][index]
        if holder == Holder.UNKNOWN and store["closed"][index]:
            return "it ended before a process was seen using it"
        if holder == Holder.NOBODY and store["was_comm"][index]:
            was_pid = store["was_pid"][index]
            name = store["was_comm"][index].decode("utf-8", "replace")
            return f"was {name} ({was_pid}), gone" if was_pid else f"was {name}, gone"
        notes = [_NOTES[Holder(holder)]]
        if self._kept["tgid"][index] and not store["pid"][index]:
            notes.append("its process is in another PID namespace")
        return "; ".join(filter(None, notes))


def _seen(entries: Records) -> NDArray[np.void]:
    seen = np.zeros(len(entries), _SEEN)
    for name in _SEEN.names[1:] if _SEEN.names else ():
        seen[name] = entries[name]
    return seen


def _joined(parts: list[NDArray[np.void]], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _by_inode(mptcp: NDArray[np.void], inodes: NDArray[np.uint64]) -> Indices:
    """Where an MPTCP socket of each inode is; -1: nowhere. Of several processes that of the lowest PID."""
    if not len(mptcp):
        return np.full(len(inodes), -1)
    order = np.lexsort((mptcp["tgid"], mptcp["inode"]))
    known = mptcp["inode"][order]
    place = np.minimum(np.searchsorted(known, inodes), len(known) - 1)
    return np.where((known[place] == inodes) & (inodes != 0), order[place], -1)


def _named(listeners: Records, mptcp: NDArray[np.void]) -> NDArray[np.void]:
    """The listeners' processes: of those of MPTCP, who holds the socket above."""
    named = _seen(listeners)
    nameless = np.flatnonzero(named["tgid"] == 0)
    above = _by_inode(mptcp, named["inode"][nameless])
    named[nameless[above >= 0]] = mptcp[above[above >= 0]]
    return named


def _listening(
    endpoints: Iterable[tuple[int, int, bytes]], listeners: Records, tgids: NDArray[np.uint32]
) -> dict[tuple[int, int, bytes], int]:
    """By network namespace, port and address the place of the listener: of several that of the lowest PID."""
    at: dict[tuple[int, int, bytes], int] = {}
    for place in np.argsort(tgids, kind="stable")[::-1].tolist():
        if tgids[place]:
            one = listeners[place]
            at[int(one["netns"]), int(one["lport"]), one["laddr"].tobytes()] = place
    found = {}
    for netns, lport, laddr in endpoints:
        for address in (laddr, *_ANY):
            if (netns, lport, address) in at:
                found[netns, lport, laddr] = at[netns, lport, address]
                break
    return found


def _port_keys(netns: NDArray[np.uint32], lport: NDArray[np.uint16]) -> NDArray[np.uint64]:
    return netns.astype(np.uint64) << np.uint64(16) | lport
