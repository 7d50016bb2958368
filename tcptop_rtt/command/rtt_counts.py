"""How long the RTT samples of many connections were, in steps of which each is 2 % longer than the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Get
from tcptop_rtt.model.rtt_parts import rtt_parts

STEPS_PER_OCTAVE = 32
"""The middle of a step is at most 1.1 % off."""
_STEP_BITS = 10
_PENDING = 1 << 18
"""So many counts are kept before those of one step are added up."""


class RttCounts:
    """Samples by connection, each under a number of its own from 0 on.

    Of those that came together between two snapshots up to three are exact, and of more the rest counts at
    its mean.
    """

    def __init__(self) -> None:
        self._keys = np.zeros(0, np.uint64)  # connection and step
        self._counts = np.zeros(0, np.uint64)
        self._pending: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []
        self._waiting = 0

    def add(self, slots: NDArray[np.integer], get: Get) -> None:
        """Count the samples of one snapshot.

        :param slots: the number of each row's connection
        :param get: gives the values of a field of the rows, which may have no samples
        """
        for us, counts in rtt_parts(get):
            some = (counts > 0) & (us > 0)
            self._count(slots[some], us[some], counts[some])
        if self._waiting > _PENDING:
            self._add_up()

    def _count(self, slots: NDArray[Any], us: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        steps = np.floor(np.log2(np.maximum(us, 1)) * STEPS_PER_OCTAVE).astype(np.uint64)
        steps = np.minimum(steps, np.uint64((1 << _STEP_BITS) - 1))
        self._pending.append(
            (slots.astype(np.uint64) << np.uint64(_STEP_BITS) | steps, counts.astype(np.uint64))
        )
        self._waiting += len(steps)

    def _add_up(self) -> None:
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._pending)])
        counts = np.concatenate([self._counts, *(counts for _, counts in self._pending)])
        self._keys, place = np.unique(keys, return_inverse=True)
        self._counts = np.zeros(len(self._keys), np.uint64)
        np.add.at(self._counts, place, counts)
        self._pending.clear()
        self._waiting = 0

    def percentiles(
        self, group_of: NDArray[np.integer], groups: int, shares: Sequence[float]
    ) -> list[NDArray[np.float64]]:
        """For each share the RTT of each group in microseconds, shape (groups,); 0: it has no sample.

        :param group_of: the number of the group of each connection, by the connection's own number
        """
        self._add_up()
        group = group_of[(self._keys >> np.uint64(_STEP_BITS)).astype(np.intp)]
        steps = self._keys & np.uint64((1 << _STEP_BITS) - 1)
        order = np.lexsort((steps, group))
        group, steps, counts = group[order], steps[order], self._counts[order].astype(np.int64)
        upto = np.cumsum(counts)
        total = np.bincount(group, weights=counts, minlength=groups).astype(np.int64)
        some = np.flatnonzero(total)
        before = (np.cumsum(total) - total)[some]
        found = []
        for share in shares:
            us = np.zeros(groups)
            place = np.searchsorted(upto, before + np.ceil(share * total[some]).astype(np.int64))
            us[some] = 2 ** ((steps[place] + 0.5) / STEPS_PER_OCTAVE)
            found.append(us)
        return found
