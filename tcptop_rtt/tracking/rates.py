"""Bits per second of every connection, averaged over about the last second."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.model.ids import among
from tcptop_rtt.model.rows import Indices
from tcptop_rtt.tracking.column_store import ColumnStore
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.row_store import RowStore
from tcptop_rtt.tracking.smoothing import newest_share

_OVER_S = 1.0

_KEPT = np.dtype(
    [
        ("rate_active", "?"),  # a rate is not 0, or a counter has changed since the previous snapshot
        ("rate_base_acked", "u8"),  # the counters as of the latest update of the rates
        ("rate_base_received", "u8"),
        ("rate_base_ns", "u8"),  # the time of these counters, if the row is active
    ]
)

_RATES = {"out_bps": ("rate_base_acked", "bytes_acked"), "in_bps": ("rate_base_received", "bytes_received")}
"""For each rate its base and its counter."""


class Rates:
    """Sets ``out_bps`` and ``in_bps`` of the rows, from ``bytes_acked`` and ``bytes_received``."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._kept = store.attach(ColumnStore(_KEPT))

    def mark_active(self, batch: Located) -> None:
        """Mark the rows whose counters these records change. Call it before the records are copied."""
        kept, rows = self._kept, batch.rows
        before_ns = self._store["time_ns"][rows]
        # If a connection is older than the program, its rates start from the first counters seen.
        first = (before_ns == 0) & (batch["open_seen"] == 0)
        for base, counter in _RATES.values():
            kept.set(base, rows[first], batch[counter][first])
            changed = kept[base][rows] != batch[counter]
            begins = np.flatnonzero(changed & ~kept["rate_active"][rows])
            kept.set("rate_base_ns", rows[begins], np.maximum(before_ns[begins], batch["opened_ns"][begins]))
            kept.set("rate_active", rows[changed], True)

    def update(self, now_ns: int, unmet: Indices) -> None:
        """Bring the rates of all rows up to date.

        :param unmet: rows that scans no longer meet
        """
        store, kept = self._store, self._kept
        active = store.select(kept["rate_active"])
        # Rates end at the time of the counters, as scans may be rarer than snapshots. Rates of closed
        # connections, and of those that no scan reads again, go on falling.
        falls = store["closed"][active] | among(active, unmet)
        until_ns = np.where(falls, np.uint64(now_ns), store["time_ns"][active])
        newer = until_ns > kept["rate_base_ns"][active]
        active, until_ns = active[newer], until_ns[newer]
        elapsed_s = (until_ns - kept["rate_base_ns"][active]) / 1e9
        weight = newest_share(elapsed_s, _OVER_S)
        kept.set("rate_active", active, False)
        kept.set("rate_base_ns", active, until_ns)
        for rate, (base, counter) in _RATES.items():
            now, before = store[counter][active], store[rate][active]
            since = kept[base][active]
            # A counter that has fallen is that of another connection of the socket, and began at 0.
            new = np.where(now < since, now, now - since) * 8.0 / elapsed_s
            smoothed = before + (new - before) * weight
            smoothed = np.floor(smoothed)  # whole bits, as the stream has them
            store.set(rate, active, smoothed)
            kept.set(base, active, now)
            kept.set("rate_active", active[smoothed > 0], True)
