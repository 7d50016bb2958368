"""How much the counters of every connection have gained over about the last minute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import UNKNOWN_U32, Indices
from tcptop_rtt.tracking.column_store import ColumnStore, Where
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.room import resized
from tcptop_rtt.tracking.row_store import RowStore

STEP_NS = 10_000_000_000
STEPS = 6  # including the present one, so a window is 50 to 60 s long

_KEPT = np.dtype(
    [
        ("scanned_ms", "u4"),  # time of the latest scan, or of the opening if there was none, modulo 2**32
        ("retrans", "u4"),  # as read by the latest scan, like the other counters
    ]
)
_COUNTERS = (
    *("dsack_dups", "segs_in", "data_segs_in", "data_segs_out"),
    *("busy_us", "rwnd_limited_us", "sndbuf_limited_us"),
    *("answers", "answer_sum_us", "replies", "reply_sum_us", "crossings"),
    *("slow_answers", "slow_replies"),
)
_GAINS = ("window_ms", "retrans_1m", *(f"{name}_1m" for name in _COUNTERS))


class Minute:
    """Keeps the counters of each row as they were when each of the last steps began.

    Only 32 bits of each counter are kept, enough for differences. Time is the first axis, as in the history.
    """

    def __init__(self, store: RowStore, now_ns: int) -> None:
        self._store = store
        self._kept = store.attach(ColumnStore(_KEPT))
        self._past = np.zeros((STEPS, len(_GAINS), 0), np.uint32)
        self._now = now_ns // STEP_NS
        self._stale = False

    def _counters(self, rows: Where) -> list[NDArray[np.uint32]]:
        columns = [
            self._kept["scanned_ms"],
            self._kept["retrans"],
            *(self._store[name] for name in _COUNTERS),
        ]
        return [column[rows].astype(np.uint32, copy=False) for column in columns]

    def _begin(self, rows: Where) -> None:
        """Count the gains of these rows from now on."""
        for number, values in enumerate(self._counters(rows)):
            self._past[:, number, rows] = values

    def have_fallen(self, batch: Located) -> NDArray[np.bool_]:
        """Mark the entries whose counters are below those of their rows. Call it before they are copied.

        The socket has begun another connection with the same id.
        """
        fallen = batch["retrans"] < self._kept["retrans"][batch.rows]
        for name in _COUNTERS:
            fallen |= batch[name] < self._store[name][batch.rows]
        # An entry that is older than a record in the row has earlier counters of the same connection.
        newer: NDArray[np.bool_] = batch["time_ns"] >= self._store["time_ns"][batch.rows]
        return fallen & newer

    def resize(self, length: int) -> None:
        """Make room for this many rows in all."""
        self._past = resized(self._past, length)

    def clear(self, rows: slice) -> None:
        """Count the gains of new connections from the time they were opened."""
        self._kept.set("scanned_ms", rows, milliseconds(self._store["opened_ns"][rows]))
        self._begin(rows)

    def move(self, rows: Indices, to: Indices) -> None:
        """Copy the past of some rows over that of others."""
        self._past[:, :, to] = self._past[:, :, rows]

    def advance(self, now_ns: int) -> None:
        """Begin the steps that are due. Call it before :meth:`add_scan`."""
        now = now_ns // STEP_NS
        for begun in range(max(self._now, now - STEPS) + 1, now + 1):
            self._past[begun % STEPS] = self._counters(slice(None))
            self._stale = True
        self._now = now

    def add_scan(self, batch: Located, fallen: NDArray[np.bool_]) -> None:
        """Take the counters that a scan has read, after they were copied into the rows.

        :param fallen: from :meth:`have_fallen`; the gains of these rows are counted from now on
        """
        self._kept.set("scanned_ms", batch.rows, milliseconds(batch["time_ns"]))
        self._kept.set("retrans", batch.rows, batch["retrans"])
        # A connection older than the program may have gained its first counts at any time.
        older = ~(self._store["scanned"][batch.rows] | self._store["open_seen"][batch.rows])
        self._begin(batch.rows[older | fallen])
        self._store.set("scanned", batch.rows, True)
        self._stale = True

    def update(self) -> None:
        """Bring the gains of all rows up to date."""
        if not self._stale:
            return
        self._stale = False
        oldest = self._past[(self._now + 1) % STEPS]
        for name, then, now in zip(_GAINS, oldest, self._counters(slice(None)), strict=True):
            self._store.set_all(name, now - then)


def milliseconds(time_ns: NDArray[np.uint64]) -> NDArray[np.integer]:
    """Milliseconds modulo 2**32, of which differences are still right."""
    return time_ns // 1_000_000 & UNKNOWN_U32
