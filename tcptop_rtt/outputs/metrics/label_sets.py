"""Which sets of labels there are: a bounded number, each in a slot of its own; what finds none shares one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import matched
from tcptop_rtt.model.rows import Indices

OTHER_SLOT = 0
"""For all that have no slot of their own. It is always there."""
KEPT_NS = 300_000_000_000
"""A set without any connection is kept for so long: Prometheus has seen its last values by then."""


class LabelSets:
    """Slots for sets of labels, each known by a number that is made of them.

    A slot goes to the first that comes while there is one. Once its set has gone it is free again.

    :param most: slots, beside the one for others
    """

    def __init__(self, most: int) -> None:
        self._keys = np.zeros(most + 1, np.uint64)
        self._used_ns = np.zeros(most + 1, np.int64)
        self._taken = np.zeros(most + 1, bool)
        self._taken[OTHER_SLOT] = True

    @property
    def taken(self) -> Indices:
        """The slots in use, the one for others first."""
        return np.flatnonzero(self._taken)

    def slots_of(self, keys: NDArray[np.uint64], now_ns: int, begin: Callable[[int, int], None]) -> Indices:
        """The slot of each row.

        :param keys: a number per row, the same where their labels are
        :param begin: is told of each set that gets a slot: the slot, and a row that has these labels
        """
        different, first, number, count = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        slots = self._find(different)
        self._used_ns[slots[slots >= 0]] = now_ns
        # Only now, as it may be longer from one refresh to the next than a set is kept.
        self._drop_unused(now_ns)
        new = np.flatnonzero(slots < 0)
        free = np.flatnonzero(~self._taken)
        # Where there are too few slots, those with the most connections get them.
        lucky = new[np.argsort(-count[new], kind="stable")][: len(free)]
        slots[new] = OTHER_SLOT
        slots[lucky] = free[: len(lucky)]
        self._taken[slots[lucky]] = True
        self._keys[slots[lucky]] = different[lucky]
        for slot, row in zip(slots[lucky].tolist(), first[lucky].tolist(), strict=True):
            begin(slot, row)
        self._used_ns[slots[lucky]] = now_ns
        found: Indices = slots[number]
        return found

    def _drop_unused(self, now_ns: int) -> None:
        """Free the slots of sets that have gone."""
        self._taken &= self._used_ns + KEPT_NS >= now_ns
        self._taken[OTHER_SLOT] = True

    def _find(self, keys: NDArray[np.uint64]) -> Indices:
        """The slot of each key, of which none comes twice; -1: it has none."""
        own = self.taken[1:]
        at = matched(self._keys[own], keys)
        found = np.full(len(keys), -1)
        found[at >= 0] = own[at[at >= 0]]
        return found
