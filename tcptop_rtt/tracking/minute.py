"""What the counters of every connection have gained over about the last minute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Indices
from tcptop_rtt.tracking.column_store import ColumnStore, Where

STEP_NS = 10_000_000_000
STEPS = 6  # with the present one: from 50 to 60 s are looked back

_COUNTED = ("segs_in", "data_segs_in", "data_segs_out", "busy_us", "rwnd_limited_us", "sndbuf_limited_us")
_GAINED = ("window_ms", "retrans_1m", *(f"{name}_1m" for name in _COUNTED))


class Minute:
    """Keeps of each row what its counters were when each of the last steps began.

    They are kept as 32 bits, which is enough for differences. Time comes first, as in the history of RTTs.

    :param rows: those of the connections, with the counters as the latest scan has found them
    :param hidden: what else is kept of them: when that was, and the retransmissions of then
    """

    def __init__(self, rows: ColumnStore, hidden: ColumnStore, now_ns: int) -> None:
        self._rows = rows
        self._hidden = hidden
        self._past = np.zeros((STEPS, len(_GAINED), 0), np.uint32)
        self._now = now_ns // STEP_NS
        self._is_news = False

    def _counters(self, where: Where) -> list[NDArray[np.uint32]]:
        columns = [self._hidden[name] for name in ("counted_ms", "counted_retrans")]
        columns += [self._rows[name] for name in _COUNTED]
        return [column[where].astype(np.uint32, copy=False) for column in columns]

    def grow(self, rows: int) -> None:
        """Make room for so many rows more."""
        self._past = np.concatenate([self._past, np.zeros((*self._past.shape[:2], rows), np.uint32)], axis=2)

    def begin(self, where: Where) -> None:
        """What the counters of these rows are now is not of this minute."""
        for number, values in enumerate(self._counters(where)):
            self._past[:, number, where] = values

    def move(self, indices: Indices, to: Indices) -> None:
        """Give the past of some rows to others."""
        self._past[:, :, to] = self._past[:, :, indices]

    def advance(self, now_ns: int) -> None:
        """Begin the steps that time has come for, before the next scan is taken."""
        now = now_ns // STEP_NS
        for begun in range(max(self._now, now - STEPS) + 1, now + 1):
            self._past[begun % STEPS] = self._counters(slice(None))
            self._is_news = True
        self._now = now

    def note(self) -> None:
        """A scan has told of counters."""
        self._is_news = True

    def tell(self) -> None:
        """Bring the rows up to date."""
        if not self._is_news:
            return
        self._is_news = False
        oldest = self._past[(self._now + 1) % STEPS]
        for name, then, now in zip(_GAINED, oldest, self._counters(slice(None)), strict=True):
            self._rows.set_all(name, now - then)
