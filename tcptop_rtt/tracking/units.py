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


class UnitNames:
    """Sets ``unit`` of the rows, with one look-up per process."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._kept = store.attach(ColumnStore(np.dtype([("named", "u8")])))

    def name(self, look_up: Callable[[ProcessKey], bytes]) -> None:
        """Set the unit of rows whose process is new, of at most MOST_AT_ONCE processes."""
        store = self._store
        processes = _mixed(store["pid"], store["started_ns"])
        rows = store.select(processes != self._kept["named"])
        if not len(rows):
            return
        different, first = np.unique(processes[rows], return_index=True)
        for process, row in list(zip(different.tolist(), rows[first].tolist(), strict=True))[:MOST_AT_ONCE]:
            key = ProcessKey(int(store["pid"][row]), int(store["started_ns"][row]))
            its_rows = rows[processes[rows] == np.uint64(process)]
            store.set("unit", its_rows, look_up(key) if key.pid else b"")
            self._kept.set("named", its_rows, np.uint64(process))


def _mixed(pids: NDArray[np.uint32], started_ns: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number for each process; 0 if there is none."""
    mixed: NDArray[np.uint64] = pids.astype(np.uint64) << np.uint64(40) ^ started_ns
    return np.where(pids == 0, np.uint64(0), mixed)
