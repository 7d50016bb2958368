"""Median and 95th percentile of each connection's RTT samples of about the last minute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import distinct
from tcptop_rtt.model.rows import UNKNOWN_U32, Indices
from tcptop_rtt.model.rtt_parts import Part
from tcptop_rtt.tracking.room import resized
from tcptop_rtt.tracking.row_store import RowStore

HALF_NS = 30_000_000_000
"""Samples are dropped after one to two of these."""
MANY = 2_000
MANY_UPDATED_NS = 2_900_000_000
"""More than MANY rows are updated only once per MANY_UPDATED_NS: each row takes about a microsecond."""

_AT_ONCE = 2_048
"""Rows that are updated together: intermediate results then fit into a processor's cache."""

STEPS_PER_OCTAVE = 8
_FIRST_OCTAVE, _OCTAVES = 4, 20  # from 16 us to 17 s
STEPS = _OCTAVES * STEPS_PER_OCTAVE

_FIELDS = {"rtt_p50_us": 0.5, "rtt_p95_us": 0.95}


class Quantiles:
    """Sets ``rtt_p50_us`` and ``rtt_p95_us`` of the rows; 0 if there was no sample.

    Samples are counted in steps, each 9 % wider than the one before. A row with samples has a slot of 1.3 KB.
    Other rows have none, as most connections of a big machine are idle.
    """

    def __init__(self, store: RowStore, now_ns: int) -> None:
        self._store = store
        self._slot = np.full(0, -1, np.int32)  # of each row; -1 if it has none
        self._row = np.zeros(0, np.intp)  # of each slot in use
        self._free = np.zeros(0, np.int32)
        self._half = now_ns // HALF_NS
        # Indexed by half, slot and step; the two after it by half and slot.
        self._counts = np.zeros((2, 0, STEPS), np.uint32)
        self._lowest = np.zeros((2, 0), np.uint32)
        self._highest = np.zeros((2, 0), np.uint32)
        self._due = np.zeros(0, bool)  # by slot: whether its row is out of date
        self._updated_ns = 0

    # --- rows come and go -----------------------------------------------------------------------------

    def resize(self, length: int) -> None:
        """Make room for this many rows in all. If it is less than before, free slots are dropped, too."""
        is_less = length < len(self._slot)
        self._slot = resized(self._slot, length, -1)
        if is_less:
            self._drop_free_slots()

    def _drop_free_slots(self) -> None:
        used = np.flatnonzero(self._slot >= 0)
        slots = self._slot[used]
        # np.take() keeps the arrays contiguous, as add() needs them; indexing would change their order.
        self._counts, self._lowest, self._highest = (
            np.take(part, slots, axis=1) for part in (self._counts, self._lowest, self._highest)
        )
        self._row, self._due = used, self._due[slots]
        self._slot[used] = np.arange(len(used))
        self._free = np.zeros(0, np.int32)

    def clear(self, rows: slice) -> None:
        """Forget the samples of rows that new connections take."""
        slots = self._slot[rows]
        self._release(slots[slots >= 0])
        self._slot[rows] = -1

    def move(self, rows: Indices, to: Indices) -> None:
        """Move the samples of some rows to others, whose own samples are dropped."""
        replaced = self._slot[to]
        self._release(replaced[replaced >= 0])
        moved = self._slot[rows]
        self._slot[to] = moved
        self._slot[rows] = -1
        some = moved >= 0
        self._row[moved[some]] = to[some]

    def _release(self, slots: NDArray[np.int32]) -> None:
        self._counts[:, slots] = 0
        self._forget_ends(slots)
        self._due[slots] = False
        self._free = np.concatenate([self._free, slots])

    def _forget_ends(self, slots: NDArray[np.int32] | slice, half: int | slice = slice(None)) -> None:
        self._lowest[half, slots] = UNKNOWN_U32
        self._highest[half, slots] = 0

    def _slots_of(self, rows: Indices) -> NDArray[np.int32]:
        """The slots of rows. A row without a slot gets one."""
        new = distinct(rows[self._slot[rows] < 0])
        if len(new):
            if len(self._free) < len(new):
                self._make_room(len(new) - len(self._free))
            taken, self._free = self._free[-len(new) :], self._free[: -len(new)]
            self._slot[new], self._row[taken] = taken, new
        return self._slot[rows]

    def _make_room(self, slots: int) -> None:
        before = len(self._row)
        # Twice the room, as copying takes long, and pages without counts take no memory yet.
        more = max(slots, 256, before)
        counts = np.zeros((2, before + more, STEPS), np.uint32)
        counts[:, :before] = self._counts
        self._counts = counts
        self._row, self._due, self._lowest, self._highest = (
            resized(part, before + more) for part in (self._row, self._due, self._lowest, self._highest)
        )
        self._forget_ends(slice(before, None))
        self._free = np.concatenate([self._free, np.arange(before, before + more, dtype=np.int32)])

    # --- samples come in, quantiles go out ------------------------------------------------------------

    def advance(self, now_ns: int) -> None:
        """Begin the half minute that is due."""
        half = now_ns // HALF_NS
        if half <= self._half:
            return
        used = np.flatnonzero(self._slot >= 0)
        slots = self._slot[used]
        for begun in {half % 2} if half == self._half + 1 else {0, 1}:
            self._counts[begun, slots] = 0  # free slots are 0 already
            self._forget_ends(slice(None), begun)
        self._half = half
        silent = (self._highest[:, slots] == 0).all(axis=0)
        for name in _FIELDS:
            self._store.set(name, used[silent], 0)
        self._slot[used[silent]] = -1
        self._release(slots[silent])
        self._due[slots[~silent]] = True

    @property
    def since_ns(self) -> int:
        """When the oldest samples were taken that are not dropped yet."""
        return max(0, self._half - 1) * HALF_NS

    def add(self, rows: Indices, parts: tuple[Part, ...]) -> None:
        """Count samples of rows.

        :param parts: values of each row, and how many of its samples count as that value
        """
        slots, half = self._slots_of(rows).astype(np.intp), self._half % 2
        all_counts = self._counts[half].reshape(-1)  # np.add.at() is thirty times as fast as with two indices
        for us, counts in parts:
            some = (counts > 0) & (us > 0)
            octaves = np.log2(us[some]) - _FIRST_OCTAVE
            steps = np.clip(octaves * STEPS_PER_OCTAVE, 0, STEPS - 1).astype(np.intp)
            np.add.at(all_counts, slots[some] * STEPS + steps, counts[some].astype(np.uint32))
            np.minimum.at(self._lowest[half], slots[some], us[some].astype(np.uint32))
            np.maximum.at(self._highest[half], slots[some], np.ceil(us[some]).astype(np.uint32))
        self._due[slots] = True

    def update(self, now_ns: int) -> None:
        """Update the rows that are out of date."""
        slots = np.flatnonzero(self._due)
        if not len(slots) or (len(slots) > MANY and now_ns - self._updated_ns < MANY_UPDATED_NS):
            return
        self._updated_ns = now_ns
        self._due[slots] = False
        for start in range(0, len(slots), _AT_ONCE):
            self._update(slots[start : start + _AT_ONCE])

    def _update(self, slots: Indices) -> None:
        rows = self._row[slots]
        upto = self._counts[0, slots]
        upto += self._counts[1, slots]
        np.cumsum(upto, axis=1, out=upto)
        lowest, highest = self._lowest[:, slots].min(axis=0), self._highest[:, slots].max(axis=0)
        for name, share in _FIELDS.items():
            self._store.set(name, rows, _quantile_us(upto, lowest, highest, share))


def _quantile_us(
    upto: NDArray[np.uint32], lowest: NDArray[np.uint32], highest: NDArray[np.uint32], share: float
) -> NDArray[np.uint32]:
    """The RTT below which this share of the samples is, in microseconds, shape (rows,).

    Samples count as spread evenly within a step, or within its part between lowest and highest sample.

    :param upto: samples up to the end of each step, shape (rows, STEPS)
    """
    every = np.arange(len(upto))
    wanted = np.ceil(share * upto[:, -1]).astype(np.uint32)
    step = np.argmax(upto >= wanted[:, None], axis=1)
    before = np.where(step > 0, upto[every, step - 1], 0)
    part = (wanted - before) / np.maximum(upto[every, step] - before, 1)
    start, end = (2.0 ** (_FIRST_OCTAVE + (step + one) / STEPS_PER_OCTAVE) for one in (0, 1))
    # The first step has no lower end, and the last step no upper end.
    start = np.where(step == 0, lowest, np.clip(start, lowest, highest))
    end = np.where(step == STEPS - 1, highest, np.clip(end, lowest, highest))
    found: NDArray[np.uint32] = np.maximum(start + (end - start) * part, 1).astype(np.uint32)
    return found
