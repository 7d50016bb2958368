"""Ages of rows: how long ago a connection was opened, was sampled, and last sent or received."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.model.rows import UNKNOWN_U32, Indices
from tcptop_rtt.tracking.column_store import ColumnStore
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.minute import milliseconds
from tcptop_rtt.tracking.row_store import RowStore

_KEPT = np.dtype([("aged_ms", "u4")])  # when the ages in _SCANNED were right, modulo 2**32
_SCANNED = ("last_sent_ms", "last_received_ms", "last_ack_ms")


class Ages:
    """Sets the fields of ``ROW`` that are ages."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._kept = store.attach(ColumnStore(_KEPT))

    def add_scan(self, batch: Located) -> None:
        """Note when a scan read these rows."""
        self._kept.set("aged_ms", batch.rows, milliseconds(batch["time_ns"]))

    def update(self, now_ns: int, unmet: Indices) -> None:
        """Bring all ages up to date.

        :param unmet: rows that scans no longer meet, as those of a network namespace that is gone. Their
            ages grow, too, though no scan reads them
        """
        store, closed = self._store, self._store.closed()
        opened_ns, sampled_us = store["opened_ns"], store["sampled_us"]
        store.set_all("age_ns", now_ns - opened_ns)
        store.set("age_ns", closed, store["ended_ns"][closed] - opened_ns[closed])
        # Both times are cut to milliseconds, so that all ages grow by the same amount between two snapshots.
        ages_ms = np.maximum(now_ns // 1_000_000 - sampled_us.astype(np.int64) // 1000, 0)
        ages_ms[(sampled_us == 0) | (ages_ms > UNKNOWN_U32)] = UNKNOWN_U32
        store.set_all("rtt_age_ms", ages_ms.astype(np.uint32))
        self._age_unmet(now_ns, unmet)

    def _age_unmet(self, now_ns: int, rows: Indices) -> None:
        now_ms = np.uint32(now_ns // 1_000_000 & UNKNOWN_U32)
        elapsed_ms = now_ms - self._kept["aged_ms"][rows]
        for name in _SCANNED:
            before = self._store[name][rows]
            self._store.set(name, rows, np.where(before == UNKNOWN_U32, before, before + elapsed_ms))
        self._kept.set("aged_ms", rows, now_ms)
