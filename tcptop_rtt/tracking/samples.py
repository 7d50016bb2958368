"""Counts RTT samples into the rows, each sample once, though scan and hook may both report it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import ENTRY, RECORD, Kind, field_span, names_between
from tcptop_rtt.model.rows import UNKNOWN_U32, Indices
from tcptop_rtt.model.rtt_parts import rtt_parts
from tcptop_rtt.tracking.column_store import ColumnStore
from tcptop_rtt.tracking.history import History
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.peaks import Peaks
from tcptop_rtt.tracking.quantiles import Quantiles
from tcptop_rtt.tracking.row_store import RowStore

_ENDS = ("time_ns", "min_rtt_us")
"""The first and last of the neighbouring fields that hold samples."""

_FIELDS = np.dtype([(name, RECORD[name]) for name in names_between(RECORD, *_ENDS)])
_SPAN = {dtype: field_span(dtype, *_ENDS) for dtype in (RECORD, ENTRY)}

_KEPT = np.dtype(
    [
        ("window_start", "u8"),  # of the latest window whose samples are counted
        ("samples", "u4"),  # how many samples of that window are counted
        ("sum_us", "u8"),  # and their sum
    ]
)


class SampleCounter:
    """Sets ``rtt_samples``, ``rtt_sum/lo/hi_us``, ``last_rtt_us`` of rows; fills history, peaks, quantiles.

    ``counted`` is the number of samples since the latest :meth:`reset`.
    """

    def __init__(self, store: RowStore, history: History, peaks: Peaks, quantiles: Quantiles) -> None:
        self._store = store
        self._history = history
        self._peaks = peaks
        self._quantiles = quantiles
        self._kept = store.attach(ColumnStore(_KEPT))
        self._touched: list[Indices] = []
        self.counted = 0

    def reset(self) -> None:
        """Begin a new period. No row may have moved since the latest :meth:`count`."""
        for rows in self._touched:
            self._store.set("rtt_samples", rows, 0)
        self._touched.clear()
        self.counted = 0

    def count(self, batch: Located) -> None:
        """Count the samples of these records."""
        # Copied into a small array, as each field is read several times.
        fields = batch.records.view(_SPAN[batch.records.dtype])["span"].copy().view(_FIELDS)
        batch = Located(fields, batch.rows, batch.kinds)
        # Single samples of the hook are for the trace only: they come again with their window.
        single = batch.where((batch["single_rtt_us"] > 0) & (batch.kinds != Kind.SEGMENT))
        # A window may come again, from a scan or the hook, and may have gained samples meanwhile.
        latest = self._kept["window_start"][batch.rows]
        again = batch["window_start"] == latest
        counted = np.where(again, self._kept["samples"][batch.rows], 0)
        counted_us = np.where(again, self._kept["sum_us"][batch.rows], 0)
        new = (batch["window_start"] >= latest) & (batch["rtt_samples"] > counted)
        batch, counted, counted_us = batch.where(new), counted[new], counted_us[new]
        self._add(
            batch,
            batch["rtt_samples"] - counted,
            batch["rtt_sum_us"] - counted_us,
            batch["rtt_lo_us"],
            batch["rtt_hi_us"],
            batch["last_rtt_us"],
        )
        self._kept.set("window_start", batch.rows, batch["window_start"])
        self._kept.set("samples", batch.rows, batch["rtt_samples"])
        self._kept.set("sum_us", batch.rows, batch["rtt_sum_us"])
        rtt_us = single["single_rtt_us"]
        self._add(single, np.ones_like(rtt_us), rtt_us.astype(np.uint64), rtt_us, rtt_us, rtt_us)

    def _add(
        self,
        batch: Located,
        samples: NDArray[np.uint32],
        sum_us: NDArray[np.uint64],
        lo_us: NDArray[np.uint32],
        hi_us: NDArray[np.uint32],
        last_us: NDArray[np.uint32],
    ) -> None:
        if not len(batch):
            return
        self.counted += int(samples.sum())
        store = self._store
        fresh = batch.rows[store["rtt_samples"][batch.rows] == 0]
        store.set("rtt_lo_us", fresh, UNKNOWN_U32)
        store.set("rtt_hi_us", fresh, 0)
        store.set("rtt_sum_us", fresh, 0)
        # Not by indexing, as a row may have several records.
        np.add.at(store.writable("rtt_samples"), batch.rows, samples)
        np.add.at(store.writable("rtt_sum_us"), batch.rows, sum_us)
        np.minimum.at(store.writable("rtt_lo_us"), batch.rows, lo_us)
        np.maximum.at(store.writable("rtt_hi_us"), batch.rows, hi_us)
        store.set("last_rtt_us", batch.rows, last_us)
        for past in (self._history, self._peaks):
            past.add(batch.rows, hi_us, batch["time_ns"])
        new: dict[str, NDArray[Any]] = {
            "rtt_samples": samples,
            "rtt_sum_us": sum_us,
            "rtt_lo_us": lo_us,
            "rtt_hi_us": hi_us,
        }
        rows, too_old = batch.rows, batch["time_ns"] < self._quantiles.since_ns
        if too_old.any():
            rows, new = rows[~too_old], {name: values[~too_old] for name, values in new.items()}
        self._quantiles.add(rows, rtt_parts(lambda name: new[name]))
        self._touched.append(batch.rows)
