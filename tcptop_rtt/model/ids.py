"""Finds rows by their ids: equal ids in two tables mean the same connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Indices, Mask, Rows

Ids = NDArray[np.uint64]

_FEW = 8
"""Up to so many values are compared one after another, which is faster than sorting them."""


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Return the different values, ascending.

    ``np.unique()`` and ``np.union1d()`` do the same, but import ``numpy.ma``, which takes 15 ms of the start.
    """
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_first]


def among(values: NDArray[Any], others: NDArray[Any] | Sequence[int]) -> Mask:
    """Return which of the values are among the others.

    ``np.isin()`` does the same, but imports ``numpy.ma`` once there are many others: at some time while the
    program runs, when no descriptor may be free.
    """
    others = np.asarray(others)
    found: Mask = np.zeros(len(values), bool)
    if len(others) <= _FEW:
        for other in others:
            found |= values == other
    else:
        ordered = np.sort(others)
        at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
        found[:] = ordered[at] == values
    return found


def places(ascending: Ids, ids: Ids) -> Indices:
    """Return the first index of each id in ``ascending``; -1: it is not there."""
    if not len(ascending):
        return np.full(len(ids), -1)
    at = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return np.where(ascending[at] == ids, at, -1)


def matched(before: Ids, now: Ids) -> Indices:
    """Return the earlier index of each id in ``now``; -1: it is new. Neither array has an id twice."""
    found = np.full(len(now), -1)
    common = min(len(before), len(now))
    stays = before[:common] == now[:common]
    found[:common][stays] = np.flatnonzero(stays)
    # Most rows keep their index; sorting only the others takes a tenth of the time.
    moved = np.flatnonzero(found < 0)
    left = np.concatenate([np.flatnonzero(~stays), np.arange(common, len(before))])
    left = left[np.argsort(before[left])]
    at = places(before[left], now[moved])
    found[moved[at >= 0]] = left[at[at >= 0]]
    return found


def gained(
    before: NDArray[np.void] | Rows, now: NDArray[np.void] | Rows, name: str, at: Indices
) -> NDArray[np.int64]:
    """Return the increase of a counter; for new rows its whole value.

    :param at: the earlier index of each row, as :func:`matched` returns it
    """
    count = now[name].astype(np.int64)
    met = at >= 0
    count[met] -= before[name][at[met]]
    return count
