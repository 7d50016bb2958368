"""How far numbers have shifted from A to B, as numbers and as text, and which has shifted farthest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.comparing.compared import MEASURES
from tcptop_rtt.model.rows import Get

MARK = "*"
"""Stands behind a shift that is more than chance."""
TOO_FEW = "few"
"""Stands in place of a mark if a side has too little data."""


def shift(rows: Get, name: str) -> NDArray[np.float64]:
    """Returns how far a number has shifted, as a share of A: 0.5: half as much again; -1: B is 0.

    It is inf if only A is 0, and nan if A or B is not known. For loss, it is the difference of the shares.
    """
    before, after = rows(f"{name}_a"), rows(f"{name}_b")
    if name == "loss":
        return np.asarray(after - before)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where((before == 0) & (after == 0), 0.0, after / before - 1)
    return np.asarray(found)


def shift_text(row: np.void, name: str) -> str:
    """Returns ``+50%``, ``x12``, ``new`` or ``gone``; loss in percentage points, ``+1.2``; empty: unknown."""
    moved = float(shift(row.__getitem__, name))
    if np.isnan(moved):
        return ""
    if name == "loss":
        return f"{100 * moved:+.1f}" if abs(moved) >= _LEAST_LOSS else "0.0"
    if np.isinf(moved):
        return "new"
    if moved <= -1:
        return "gone"
    if moved >= _TIMES:
        return f"x{moved + 1:.0f}"
    return f"{moved:+.0%}" if abs(moved) >= _LEAST_SHARE else "0%"


_TIMES = 9.995
_LEAST_LOSS, _LEAST_SHARE = 0.0005, 0.005


def mark(row: np.void, name: str) -> str:
    """Returns whether a shift is more than chance: :data:`MARK`, :data:`TOO_FEW` or empty."""
    if row[f"{name}_beyond"]:
        return MARK
    return TOO_FEW if np.isnan(row[f"{name}_chance"]) else ""


def far_off(get: Get, name: str) -> NDArray[np.float64]:
    """Returns how far a number has shifted, up or down: twice as much is as far as half as much."""
    moved = shift(get, name)
    if name == "loss":
        return np.abs(moved) * _LOSS_WEIGHT
    with np.errstate(divide="ignore"):
        return np.minimum(np.abs(np.log2(np.maximum(moved + 1, 0))), _FARTHEST)


_LOSS_WEIGHT = 50.0
"""A rise of loss by two percentage points is as far as twice the RTT."""
_FARTHEST = 20.0


def farthest(get: Get) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Returns each row's farthest shift beyond chance (0: none), and the index of its measure."""
    far = np.stack([np.where(get(f"{name}_beyond"), far_off(get, name), 0.0) for name in MEASURES])
    return far.max(axis=0), far.argmax(axis=0)
