"""Follows listeners from scan to scan: keeps their ids, and how much each drops per second."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among, places
from tcptop_rtt.model.listeners import LISTENER
from tcptop_rtt.model.snapshot import ProcessKey
from tcptop_rtt.tracking.listeners import Listeners, oldest_first
from tcptop_rtt.tracking.side_tables import frozen
from tcptop_rtt.tracking.smoothing import EVENTS_OVER_S, LEAST_EVENTS_PER_S, newest_share

UNHELD_KEPT_NS = 60_000_000_000
"""How long a listener without a descriptor is kept after a scan has met it. Only scans of whole network
namespaces meet such listeners, and these scans are further apart than those of descriptors."""
MOST_NAMED = 200
"""At most this many processes are looked up before one snapshot; each costs some system calls."""

_KEPT = np.dtype(
    [
        *LISTENER.descr,
        ("sock", "u8"),
        ("read_ns", "u8"),
        ("held", "?"),  # a scan has met a descriptor of it
        ("named", "?"),  # the unit of its process has been looked up
    ]
)
_SAME = ("netns", "ifindex", "family", "laddr", "lport")
"""Fields that never change during the life of a listener."""


class ListenerStore:
    """Keeps the listeners. They are far fewer than connections, so each scan builds all rows anew."""

    def __init__(self) -> None:
        self._rows = np.zeros(0, _KEPT)
        self._ids = 0

    def apply(self, listeners: Listeners, now_ns: int) -> None:
        """Take the listeners that a complete scan has found."""
        before, fresh = self._rows, _one_each(listeners)
        self._continue(before, fresh)
        # A scan of a network namespace writes all of its listeners, including those with a descriptor.
        scanned = listeners.entries["netns"][listeners.entries["tgid"] == 0]
        stays = ~(before["held"] | among(before["netns"], scanned) | among(before["sock"], fresh["sock"]))
        stays &= before["read_ns"] + UNHELD_KEPT_NS > now_ns
        rows = np.concatenate([fresh, before[stays]])
        self._rows = rows[np.argsort(rows["sock"])]

    def _continue(self, before: NDArray[np.void], fresh: NDArray[np.void]) -> None:
        """Let known listeners keep id, rate and unit. The others are new, and get new ids."""
        fresh["drops_per_s"] = np.nan
        same = np.zeros(len(fresh), bool)
        if len(before):
            place = places(before["sock"], fresh["sock"])
            then, same = before[place], place >= 0
            for name in _SAME:
                same &= then[name] == fresh[name]
            same &= then["drops"] <= fresh["drops"]  # else another socket has this memory now
            then, now = then[same], fresh[same]
            now["id"] = then["id"]
            elapsed_s = np.maximum(now["read_ns"] - then["read_ns"], 1) / 1e9
            now["drops_per_s"] = _smoothed(
                then["drops_per_s"], (now["drops"] - then["drops"]) / elapsed_s, elapsed_s
            )
            known = (then["pid"] == now["pid"]) & (then["started_ns"] == now["started_ns"])
            now["unit"][known] = then["unit"][known]
            fresh[same] = now
        new = int(np.count_nonzero(~same))
        fresh["id"][~same] = np.arange(self._ids + 1, self._ids + 1 + new)
        self._ids += new

    def bound_namespaces(self) -> set[int]:
        """The network namespaces of listeners that are bound to an interface."""
        return {*self._rows["netns"][self._rows["ifindex"] != 0].tolist()}

    def name_interfaces(self, names: Mapping[tuple[int, int], bytes]) -> None:
        """Set the names of interfaces, given by network namespace and index."""
        for at in np.flatnonzero(self._rows["ifindex"]).tolist():
            row = self._rows[at]
            row["interface"] = names.get((int(row["netns"]), int(row["ifindex"])), b"")

    def name_units(self, look_up: Callable[[ProcessKey], bytes]) -> None:
        """Set the unit of each listener's process, once after each scan that has met the listener."""
        for at in np.flatnonzero(~self._rows["named"])[:MOST_NAMED].tolist():
            row = self._rows[at]
            try:
                unit = look_up(ProcessKey(int(row["pid"]), int(row["started_ns"]))) if row["pid"] else b""
            except OSError:
                return  # no descriptor is free: the next snapshot tries it again
            row["unit"], row["named"] = unit, True

    def freeze(self, now_ns: int) -> NDArray[np.void]:
        """All listeners as found by the latest scans, read-only."""
        return frozen(self._rows, LISTENER, "read_ms", "read_ns", now_ns)


def _smoothed(
    before: NDArray[np.float64], rate: NDArray[np.float64], elapsed_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    weight = np.where(np.isnan(before), 1.0, newest_share(elapsed_s, EVENTS_OVER_S))
    smoothed = np.nan_to_num(before) * (1 - weight) + rate * weight
    return np.where(smoothed < LEAST_EVENTS_PER_S, 0.0, smoothed)


def _one_each(listeners: Listeners) -> NDArray[np.void]:
    """One row per socket, in the order of the sockets, with the oldest process that holds the socket."""
    entries, processes = listeners.entries, listeners.processes
    nobody = processes["tgid"] == 0
    order = oldest_first(processes, nobody, entries["sock"])
    _, first, number = np.unique(entries["sock"][order], return_index=True, return_inverse=True)
    entries, processes = entries[order], processes[order]
    rows = np.zeros(len(first), _KEPT)
    for name in (*_SAME, "sock", "queue", "queue_limit", "drops"):
        rows[name] = entries[name][first]
    for name in ("pid", "comm", "started_ns"):
        rows[name] = processes[name][first]
    has_process = processes["tgid"][first] != 0
    rows["uid"] = np.where(has_process, processes["process_uid"][first], entries["uid"][first])
    rows["read_ns"] = entries["time_ns"][first]
    rows["held"] = np.bincount(number, weights=entries["tgid"] != 0, minlength=len(first)) > 0
    return rows
