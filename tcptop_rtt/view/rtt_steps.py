"""Counts RTT samples by their length, in steps that are each 2 % longer than the one before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Get, Indices
from tcptop_rtt.model.rtt_parts import rtt_parts

STEPS_PER_OCTAVE = 32
"""The middle of a step differs from a sample in it by 1.1 % at most."""
STEPS = 1024
_PENDING = 1 << 18
"""So many counts are collected before those of the same step are added up."""


class StepCounts:
    """The number of samples by group, unit of the group and step.

    Up to three samples of a row between two snapshots are exact. Of more, the lowest and the highest are
    exact, and all others count at their mean.

    :param units: how many units each group has
    """

    def __init__(self, units: int = 1) -> None:
        self._units = units
        self._keys = np.zeros(0, np.int64)  # group, unit and step, as one number
        self._counts = np.zeros(0, np.int64)
        self._pending: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._waiting = 0

    def add(self, group: NDArray[np.integer], unit: Indices | int, get: Get) -> None:
        """Count the samples of rows.

        :param group: the group of each row, a number from 0 on
        :param unit: the unit of each row in its group
        :param get: gives the values of a field of the rows, which may have no samples
        """
        places = group.astype(np.int64) * self._units + unit
        for us, counts in rtt_parts(get):
            some = (counts > 0) & (us > 0)
            octaves = np.log2(np.maximum(us[some], 1))
            steps = np.minimum(octaves * STEPS_PER_OCTAVE, STEPS - 1).astype(np.int64)
            self._pending.append((places[some] * STEPS + steps, counts[some]))
            self._waiting += int(some.sum())
        if self._waiting > _PENDING:
            self._add_up()

    def halve(self) -> None:
        """Merge units in pairs: 0 with 1, 2 with 3 and so on."""
        self._add_up()
        place, step = np.divmod(self._keys, STEPS)
        group, unit = np.divmod(place, self._units)
        self._pending.append(((group * self._units + unit // 2) * STEPS + step, self._counts))
        self._keys = self._counts = np.zeros(0, np.int64)
        self._add_up()

    def of(self, group: int) -> NDArray[np.float64]:
        """The counts of one group, shape (units, STEPS)."""
        self._add_up()
        size = self._units * STEPS
        start, end = np.searchsorted(self._keys, (group * size, (group + 1) * size))
        found = np.zeros(size)
        found[self._keys[start:end] - group * size] = self._counts[start:end]
        return found.reshape(self._units, STEPS)

    def percentiles(
        self, whole_of: NDArray[np.integer], wholes: int, shares: Sequence[float]
    ) -> list[NDArray[np.float64]]:
        """For each share the RTTs of wholes, in microseconds, shape (wholes,); 0 if a whole has no sample.

        A whole is several groups together. Its RTT is the middle of the step with the sample of nearest rank.

        :param whole_of: the number of the whole that each group belongs to, by the group's number
        """
        self._add_up()
        place, steps = np.divmod(self._keys, STEPS)
        whole = whole_of[place // self._units]
        order = np.lexsort((steps, whole))
        whole, steps, counts = whole[order], steps[order], self._counts[order]
        upto = np.cumsum(counts)
        total = np.bincount(whole, weights=counts, minlength=wholes).astype(np.int64)
        some = np.flatnonzero(total)
        before = (np.cumsum(total) - total)[some]
        found = []
        for share in shares:
            us = np.zeros(wholes)
            at = np.searchsorted(upto, before + np.ceil(share * total[some]).astype(np.int64))
            us[some] = 2 ** ((steps[at] + 0.5) / STEPS_PER_OCTAVE)
            found.append(us)
        return found

    def _add_up(self) -> None:
        if not self._pending:
            return
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._pending)])
        counts = np.concatenate([self._counts, *(counts for _, counts in self._pending)])
        self._keys, place = np.unique(keys, return_inverse=True)
        self._counts = np.zeros(len(self._keys), np.int64)
        np.add.at(self._counts, place, counts)
        self._pending.clear()
        self._waiting = 0


def percentile_us(counts: NDArray[np.float64], first: int, share: float) -> NDArray[np.float64]:
    """The RTT below which this share of the samples is, in microseconds; nan if there is no sample.

    The samples of a step count as spread evenly over it on the log scale.

    :param counts: by step, shape (..., steps)
    :param first: the number of the first step
    """
    upto = np.cumsum(counts, axis=-1)
    total = upto[..., -1:]
    wanted = share * total
    at = np.minimum((upto < wanted).sum(axis=-1, keepdims=True), counts.shape[-1] - 1)
    inside = np.take_along_axis(counts, at, -1)
    before = np.take_along_axis(upto, at, -1) - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.clip((wanted - before) / inside, 0, 1)
        found = np.where(total > 0, 2.0 ** ((first + at + part) / STEPS_PER_OCTAVE), np.nan)
    return found[..., 0]
