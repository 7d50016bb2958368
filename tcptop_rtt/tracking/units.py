"""Names the unit (container, pod or systemd unit) that runs the process of each connection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.snapshot import ProcessKey
from tcptop_rtt.tracking.column_store import ColumnStore
from tcptop_rtt.tracking.row_store import RowStore

MOST_AT_ONCE = 200
"""At most this many processes are looked up before one snapshot; each costs some system calls."""
ROWS_AGAIN = 64
"""Of this many rows the unit is looked up again before each snapshot."""


class UnitNames:
    """Sets ``unit`` of the rows: of a new process at once, then again from time to time."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._kept = store.attach(ColumnStore(np.dtype([("named", "u8")])))
        self._next = 0  # the row from which units are looked up again

    def name(self, look_up: Callable[[ProcessKey], bytes]) -> None:
        """Set the unit of rows whose process is new, of at most MOST_AT_ONCE processes, and of some others.

        :param look_up: may be asked for the same process again and again
        """
        store = self._store
        processes = _mixed(store["pid"], store["started_ns"])
        self._name_again(look_up, processes)
        rows = store.select(processes != self._kept["named"])
        if not len(rows):
            return
        different, first = np.unique(processes[rows], return_index=True)
        for process, row in list(zip(different.tolist(), rows[first].tolist(), strict=True))[:MOST_AT_ONCE]:
            key = ProcessKey(int(store["pid"][row]), int(store["started_ns"][row]))
            its_rows = rows[processes[rows] == np.uint64(process)]
            try:
                unit = look_up(key) if key.pid else b""
            except OSError:
                return  # no descriptor is free: the next snapshot tries it again
            store.set("unit", its_rows, unit)
            self._kept.set("named", its_rows, np.uint64(process))

    def _name_again(self, look_up: Callable[[ProcessKey], bytes], processes: NDArray[np.uint64]) -> None:
        """Follow processes that are moved, as logind moves sshd's once it knows the user."""
        store = self._store
        begin = self._next if self._next < store.count else 0
        self._next = min(begin + ROWS_AGAIN, store.count)
        rows = np.arange(begin, self._next)
        for row in rows[~store["closed"][rows] & (processes[rows] == self._kept["named"][rows])].tolist():
            pid = int(store["pid"][row])
            try:
                unit = look_up(ProcessKey(pid, int(store["started_ns"][row]))) if pid else b""
            except OSError:
                return
            if unit and unit != store["unit"][row]:  # of a process that has ended nothing can be read
                store.set("unit", store.select(processes == processes[row]), unit)


def _mixed(pids: NDArray[np.uint32], started_ns: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number for each process; 0 if there is none."""
    mixed: NDArray[np.uint64] = pids.astype(np.uint64) << np.uint64(40) ^ started_ns
    return np.where(pids == 0, np.uint64(0), mixed)
