"""Row numbers by id, for whole batches of ids at once: a dict would take a Python call for each id."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.outside import MOST_ID
from tcptop_rtt.model.rows import Indices

Ids = NDArray[np.uint64]

_FREE, _REMOVED = np.uint64(0), np.uint64(MOST_ID)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: Fibonacci hashing
_FEWEST_BITS = 10


class IdIndex:
    """A hash table with open addressing.

    Ids are neither 0 nor MOST_ID, and row numbers are below 2**31. No id may occur twice in one call of
    :meth:`set` or :meth:`remove`.
    """

    def __init__(self) -> None:
        self._make(_FEWEST_BITS)

    def _make(self, bits: int) -> None:
        self._ids = np.zeros(1 << bits, np.uint64)
        self._rows = np.zeros(1 << bits, np.int32)
        self._shift, self._mask = np.uint64(64 - bits), (1 << bits) - 1
        self._count = 0
        self._used = 0  # slots that are not free, including those of removed ids

    def __len__(self) -> int:
        return self._count

    def find(self, ids: Ids) -> Indices:
        """The row of each id; -1 for ids that are not in the table."""
        slots = self._slots(ids)
        return np.where(slots < 0, np.intp(-1), self._rows[slots])

    def get(self, id: int) -> int | None:  # noqa: A002 - as in the snapshot
        """The row of one id, or None."""
        row = int(self.find(np.array([id], np.uint64))[0])
        return None if row < 0 else row

    def set(self, ids: Ids, rows: Indices) -> None:
        """Add new ids, or give known ids another row."""
        if 3 * (self._used + len(ids)) > 2 * len(self._ids):
            self._grow(len(ids))
        slots, pending = self._home(ids), np.arange(len(ids))
        while len(pending):
            free = pending[self._ids[slots[pending]] == _FREE]
            self._ids[slots[free]] = ids[free]  # if several ids want a slot, one gets it; the others go on
            new = int(np.count_nonzero(self._ids[slots[free]] == ids[free]))
            self._count, self._used = self._count + new, self._used + new
            there = self._ids[slots[pending]] == ids[pending]
            done, pending = pending[there], pending[~there]
            self._rows[slots[done]] = rows[done]
            slots[pending] = (slots[pending] + 1) & self._mask

    def remove(self, ids: Ids) -> None:
        """Remove ids, all of which have to be in the table."""
        self._ids[self._slots(ids)] = _REMOVED
        self._count -= len(ids)

    def _home(self, ids: Ids) -> Indices:
        return (ids * _SPREAD >> self._shift).astype(np.intp)

    def _slots(self, ids: Ids) -> Indices:
        """The slot of each id; -1 for ids that are not in the table."""
        result = np.full(len(ids), -1, np.intp)
        slots, pending = self._home(ids), np.arange(len(ids))
        while len(pending):
            at = self._ids[slots[pending]]
            there = at == ids[pending]
            result[pending[there]] = slots[pending[there]]
            pending = pending[~there & (at != _FREE)]
            slots[pending] = (slots[pending] + 1) & self._mask
        return result

    def _grow(self, more: int) -> None:
        live = (self._ids != _FREE) & (self._ids != _REMOVED)
        ids, rows = self._ids[live], self._rows[live].astype(np.intp)
        bits = _FEWEST_BITS
        while 1 << bits < 2 * (len(ids) + more):
            bits += 1
        self._make(bits)
        self.set(ids, rows)
