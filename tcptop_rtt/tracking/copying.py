"""Copies fields of records and entries into rows, unless the value in the row is newer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import ENTRY, RECORD, Direction, Kind, names_between
from tcptop_rtt.model.rows import UNKNOWN_U32, Holder
from tcptop_rtt.tracking.ages import Ages
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.minute import Minute
from tcptop_rtt.tracking.rates import Rates
from tcptop_rtt.tracking.row_store import RowStore

_UNPACED = 1 << 60  # sk_pacing_rate is ~0UL until something paces

_LASTING = ("netns", "ifindex", "rport", "family", "laddr", "raddr")
"""Fields that never change during a connection. Nor do its local port and direction, once known."""

_COPIED = tuple(
    name for name in names_between(RECORD, "bytes_acked", "probes") if name not in (*_LASTING, "uid")
)
"""Fields that are copied unchanged from each record or entry into its row."""

_SCANNED = names_between(ENTRY, "first_byte_us", "congestion_control")
"""Fields that only entries have, copied unchanged into the row."""


class Copying:
    """Copies records into the rows of a store, and informs the rates and the last minute.

    :param rates: marks the rows whose counters change
    :param minute: takes the counters that scans have read
    :param ages: notes when a scan has read a row
    """

    def __init__(self, store: RowStore, rates: Rates, minute: Minute, ages: Ages) -> None:
        self._store = store
        self._rates = rates
        self._minute = minute
        self._ages = ages

    def copy(self, batch: Located) -> None:
        """Copy records into their rows. If a row has several records, the last one counts."""
        self._copy_whole(batch)
        self._copy_retransmits(batch)

    def _copy_whole(self, batch: Located) -> None:
        store, kinds = self._store, batch.kinds
        batch = batch.where((kinds != Kind.RETRANS) & (kinds != Kind.USER) & ~self._superseded(batch))
        if batch.records.dtype == ENTRY:
            self._copy_scanned(batch)
        # A ring buffer record that came during the scan is newer than the scan's entry.
        batch = batch.where(batch["time_ns"] >= store["time_ns"][batch.rows])
        self._rates.mark_active(batch)
        store.copy(batch, "time_ns", "sampled_us", *_COPIED)
        min_rtt_us = batch["min_rtt_us"]
        store.set("min_rtt_us", batch.rows, np.where(min_rtt_us == UNKNOWN_U32, 0, min_rtt_us))
        # Lasting fields are not copied from a segment, unless it is the first record with the local port.
        self._copy_lasting(batch.where((batch.kinds != Kind.SEGMENT) | (store["lport"][batch.rows] == 0)))

    def _superseded(self, batch: Located) -> NDArray[np.bool_]:
        """Mark each segment record that is followed by another segment record of the same row."""
        marks = np.zeros(len(batch), bool)
        segments = np.flatnonzero(batch.kinds == Kind.SEGMENT)
        last = np.empty(self._store.count, np.intp)
        last[batch.rows[segments]] = segments
        marks[segments] = last[batch.rows[segments]] != segments
        return marks

    def _copy_scanned(self, batch: Located) -> None:
        """Copy the fields that only a scan reads, even if the row has a newer record."""
        store, fallen = self._store, self._minute.have_fallen(batch)
        store.copy(batch, *_SCANNED)
        store.set("delivery_rate_bps", batch.rows, batch["delivery_rate"] * 8)
        paced = np.where(batch["pacing_rate"] < _UNPACED, batch["pacing_rate"], 0)
        store.set("pacing_rate_bps", batch.rows, paced * 8)
        self._minute.add_scan(batch, fallen)
        self._ages.add_scan(batch)

    def _copy_lasting(self, batch: Located) -> None:
        """Copy the fields that never change during a connection."""
        if not len(batch):
            return
        store = self._store
        store.copy(batch, *_LASTING)
        store.set("port_chosen", batch.rows, batch["port_chosen"] != 0)
        # The socket's uid is shown until a process is known.
        store.copy(batch.where(store["holder"][batch.rows] == Holder.UNKNOWN), "uid")
        # The port is 0 at SYN_SENT, and again at CLOSE, as tcp_set_state() has called inet_put_port().
        store.copy(batch.where(batch["lport"] != 0), "lport")
        # A record without a direction must not overwrite one that a scan has found.
        store.copy(batch.where(batch["direction"] != Direction.UNKNOWN), "direction")

    def _copy_retransmits(self, batch: Located) -> None:
        """Copy records of retransmissions, unless the row has a newer whole record."""
        batch = batch.where(batch.kinds == Kind.RETRANS)
        newer = batch["time_ns"] >= self._store["time_ns"][batch.rows]
        self._store.copy(batch.where(newer), "retrans", "retransmits", "probes")
