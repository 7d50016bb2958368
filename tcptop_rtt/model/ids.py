"""Where ids stand among others: a row is the same in two tables where its id is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Indices, Rows

Ids = NDArray[np.uint64]


def places(ascending: Ids, ids: Ids) -> Indices:
    """Where ids stand among others, of the same the first; -1: nowhere."""
    if not len(ascending):
        return np.full(len(ids), -1)
    at = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return np.where(ascending[at] == ids, at, -1)


def matched(before: Ids, now: Ids) -> Indices:
    """Where the rows of now have been before, in any order; -1: they were not there. No id comes twice."""
    found = np.full(len(now), -1)
    common = min(len(before), len(now))
    stays = before[:common] == now[:common]
    found[:common][stays] = np.flatnonzero(stays)
    # Most rows are where they were: to sort the others only takes a tenth of the time.
    moved = np.flatnonzero(found < 0)
    left = np.concatenate([np.flatnonzero(~stays), np.arange(common, len(before))])
    left = left[np.argsort(before[left])]
    at = places(before[left], now[moved])
    found[moved[at >= 0]] = left[at[at >= 0]]
    return found


def gained(
    before: NDArray[np.void] | Rows, now: NDArray[np.void] | Rows, name: str, at: Indices
) -> NDArray[np.int64]:
    """How far a counter has come since; of new rows all that it has.

    :param at: where the rows of now have been before, as :func:`matched` finds them
    """
    count = now[name].astype(np.int64)
    met = at >= 0
    count[met] -= before[name][at[met]]
    return count
