"""Collects the holders of sockets from the parts of a scan, until the scan is complete."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import places
from tcptop_rtt.model.records import ENTRY, Kind, Records, take_rows
from tcptop_rtt.model.rows import LISTEN, Indices
from tcptop_rtt.tracking.listeners import Listeners, oldest_first
from tcptop_rtt.tracking.located import Located

_FIELDS = ("tgid", "pid", "started_ns", "process_uid", "comm", "hold", "inode")
HOLDER = np.dtype([("row", "i8"), ("id", "u8"), *((name, ENTRY[name]) for name in _FIELDS)])
"""A row and a process that holds it, if any. It is much smaller than an entry: 27 MB for 400,000 sockets."""


class Scan(NamedTuple):
    """The connections of a complete scan, in arrays of dtype :data:`HOLDER`."""

    with_descriptor: NDArray[np.void]
    """One holder for each descriptor of a connection."""
    under_mptcp: NDArray[np.void]
    """Connections without a descriptor under an MPTCP socket, with the process that holds that socket."""
    unheld: NDArray[np.void]
    """All other connections, without a process."""
    listeners: Listeners


class ScanCollector:
    """Collects the entries of a scan, part by part."""

    def __init__(self) -> None:
        self._connections: list[NDArray[np.void]] = []
        self._mptcp: list[NDArray[np.void]] = []
        self._listeners: list[Records] = []

    def take_others(self, entries: Records) -> Records:
        """Collect the entries of listeners and of MPTCP sockets. Returns the entries of connections."""
        mptcp, listening = entries["kind"] == Kind.MPTCP, entries["state"] == LISTEN
        if mptcp.any():
            self._mptcp.append(_holders(entries[mptcp]))
        if listening.any():
            self._listeners.append(take_rows(entries, listening))
        return take_rows(entries, ~(mptcp | listening))

    def add(self, batch: Located, ids: NDArray[np.uint64]) -> None:
        """Collect the entries of connections."""
        holders = _holders(batch.records)
        holders["row"], holders["id"] = batch.rows, ids
        self._connections.append(holders)

    def rows_with_descriptor(self) -> Indices:
        """The rows of connections with a descriptor, in the parts collected so far."""
        parts = [part["row"][part["tgid"] != 0] for part in self._connections]
        return np.concatenate(parts) if parts else np.zeros(0, np.intp)

    def drop(self) -> None:
        """Forget a scan that has failed before its end."""
        for parts in (self._connections, self._mptcp, self._listeners):
            parts.clear()

    def complete(self) -> Scan:
        """Return the whole scan, and begin the next one."""
        connections, mptcp = _join(self._connections, HOLDER), _join(self._mptcp, HOLDER)
        listeners = _join(self._listeners, ENTRY)
        self.drop()
        no_descriptor = connections["tgid"] == 0
        unheld = connections[no_descriptor]
        above = _find_by_inode(mptcp, unheld["inode"])
        under_mptcp = mptcp[above[above >= 0]]
        for name in ("row", "id"):
            under_mptcp[name] = unheld[name][above >= 0]
        return Scan(
            connections[~no_descriptor],
            under_mptcp,
            unheld[above < 0],
            Listeners(listeners, _processes_of(listeners, mptcp)),
        )


def _holders(entries: Records) -> NDArray[np.void]:
    holders = np.zeros(len(entries), HOLDER)
    for name in ("id", *_FIELDS):
        holders[name] = entries[name]
    return holders


def _join(parts: list[NDArray[np.void]], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _processes_of(listeners: Records, mptcp: NDArray[np.void]) -> NDArray[np.void]:
    """The process of each listener. Under an MPTCP socket it is the process that holds that socket."""
    processes = _holders(listeners)
    nameless = np.flatnonzero(processes["tgid"] == 0)
    above = _find_by_inode(mptcp, processes["inode"][nameless])
    processes[nameless[above >= 0]] = mptcp[above[above >= 0]]
    return processes


def _find_by_inode(mptcp: NDArray[np.void], inodes: NDArray[np.uint64]) -> Indices:
    """The place in ``mptcp`` of each inode's socket with its oldest process; -1 if there is none."""
    order = oldest_first(mptcp, mptcp["inode"])
    at = places(mptcp["inode"][order], inodes)
    found = np.full(len(inodes), -1)
    some = np.flatnonzero((at >= 0) & (inodes != 0))
    found[some] = order[at[some]]
    return found
