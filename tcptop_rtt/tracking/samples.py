"""The RTT samples that records tell of, counted into their rows, each of them once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import ENTRY, RECORD, Kind, Records, field_span, names_between, take_rows
from tcptop_rtt.model.rows import UNKNOWN_U32, Indices
from tcptop_rtt.tracking.row_store import RowStore

_ENDS = ("interval", "min_rtt_us")
"""First and last of the fields that are about samples."""

_FIELDS = np.dtype([(name, RECORD[name]) for name in names_between(RECORD, *_ENDS)])
_SPAN = {dtype: field_span(dtype, *_ENDS) for dtype in (RECORD, ENTRY)}


class SampleCounter:
    """Counts into ``rtt_samples``, ``rtt_lo/hi_us`` and ``last_rtt_us`` of the rows, and into their history.

    ``counted`` is how many samples there were since the latest :meth:`reset`.
    """

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._touched: list[Indices] = []
        self.counted = 0

    def reset(self) -> None:
        """What has been counted is in a picture; no row may have moved since."""
        for indices in self._touched:
            self._store.rows.set("rtt_samples", indices, 0)
        self._touched.clear()
        self.counted = 0

    def count(self, records: Records, indices: Indices) -> None:
        """Take the samples of these records, of the rows at ``indices``."""
        hidden = self._store.hidden
        # Copied close together, as each of them is looked at several times.
        told = records.view(_SPAN[records.dtype])["span"].copy().view(_FIELDS)
        time_ns = records["time_ns"]
        seen = hidden["interval"][indices]
        # A scan and the hook may tell of the same interval, and of one that found no room later ever more.
        known = np.where(told["interval"] == seen, hidden["counted"][indices], 0)
        new = np.flatnonzero((told["interval"] >= seen) & (told["rtt_samples"] > known))
        # The hook's own single samples are for the focus; they come again with their interval.
        single = np.flatnonzero((told["single_rtt_us"] > 0) & (told["kind"] != Kind.SEGMENT))
        at, rtt_us, at_ns = indices[single], told["single_rtt_us"][single], time_ns[single]
        if len(new) < len(told):
            told, indices, known, time_ns = take_rows(told, new), indices[new], known[new], time_ns[new]
        self._add(
            indices,
            told["rtt_samples"] - known,
            told["rtt_lo_us"],
            told["rtt_hi_us"],
            told["last_rtt_us"],
            time_ns,
        )
        for name, of in (("interval", "interval"), ("counted", "rtt_samples")):
            hidden.set(name, indices, told[of])  # in order of time: the last one stays
        self._add(at, np.ones_like(rtt_us), rtt_us, rtt_us, rtt_us, at_ns)

    def _add(
        self,
        indices: Indices,
        samples: NDArray[np.uint32],
        lo_us: NDArray[np.uint32],
        hi_us: NDArray[np.uint32],
        last_us: NDArray[np.uint32],
        time_ns: NDArray[np.uint64],
    ) -> None:
        if not len(indices):
            return
        self.counted += int(samples.sum())
        rows = self._store.rows
        fresh = indices[rows["rtt_samples"][indices] == 0]
        rows.set("rtt_lo_us", fresh, UNKNOWN_U32)
        rows.set("rtt_hi_us", fresh, 0)
        # A row may have several records.
        np.add.at(rows.writable("rtt_samples"), indices, samples)
        np.minimum.at(rows.writable("rtt_lo_us"), indices, lo_us)
        np.maximum.at(rows.writable("rtt_hi_us"), indices, hi_us)
        rows.set("last_rtt_us", indices, last_us)
        self._store.history.add(indices, hi_us, time_ns)
        self._touched.append(indices)
