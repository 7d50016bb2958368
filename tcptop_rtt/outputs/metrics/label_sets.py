"""Assigns slots to sets of labels. The number of slots is limited; sets without a slot share one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import matched
from tcptop_rtt.model.rows import Indices

OTHER_SLOT = 0
"""The slot of all sets without a slot of their own. It always exists."""
KEPT_NS = 300_000_000_000
"""How long a set without connections is kept, so that Prometheus can scrape its last values."""


class LabelSets:
    """Slots for sets of labels. A set is identified by a key, which is a hash of its labels.

    A new set gets a free slot, if there is one. A slot is freed when its set has not been used for KEPT_NS.

    :param most: the number of slots, without the one for others
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
        """Return the slot of each row.

        :param keys: a key per row, equal for rows with equal labels
        :param begin: called for each set that gets a slot, with the slot and a row that has these labels
        """
        different, first, number, count = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        slots = self._find(different)
        self._used_ns[slots[slots >= 0]] = now_ns
        # Only after marking the sets in use, as a refresh interval may be longer than KEPT_NS.
        self._drop_unused(now_ns)
        new = np.flatnonzero(slots < 0)
        free = np.flatnonzero(~self._taken)
        # If there are too few slots, the sets with the most rows get them.
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
        """Free the slots of sets that have not been used for KEPT_NS."""
        self._taken &= self._used_ns + KEPT_NS >= now_ns
        self._taken[OTHER_SLOT] = True

    def _find(self, keys: NDArray[np.uint64]) -> Indices:
        """Return the slot of each key, -1 if it has none. The keys are distinct."""
        own = self.taken[1:]
        at = matched(self._keys[own], keys)
        found = np.full(len(keys), -1)
        found[at >= 0] = own[at[at >= 0]]
        return found
