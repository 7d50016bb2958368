"""How likely a difference is where nothing but chance makes one.

What hangs together counts as one: a connection's samples, and what is of the same time. A number's error is
found by weighing such units at random (D. B. Rubin, The Bayesian Bootstrap, 1981), always with the same
random numbers, and the difference is held against Student's t, as there are few units.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

REPLICATES = 400
_SEED = 1
_MOST_DEGREES = 200
_LONGEST_TAIL = 0.8
"""Neighbours in time that are more alike are taken for so much alike."""

Floats = NDArray[np.float64]
Estimate = Callable[[Floats], Floats]
"""Of weights, shape (N, units), the number, shape (N,)."""


class Sample(NamedTuple):
    """The units of one side.

    :param estimate: the number from weighted units
    :param sizes: shape (units,): how much each one has to say
    :param there: shape (units,): which there are at all
    :param alike: how much neighbours are alike, 0: not at all
    """

    estimate: Estimate
    sizes: Floats
    there: NDArray[np.bool_]
    alike: float = 0.0


class _Error(NamedTuple):
    variance: float
    degrees: float


@lru_cache(maxsize=16)
def weights(units: int, stream: int) -> Floats:
    """Random weights of units, the same each time: shape (REPLICATES, units).

    :param stream: those of different ones do not hang together
    """
    return np.random.default_rng((_SEED, stream)).exponential(size=(REPLICATES, units))


def apart(a: Sample, b: Sample, floor: float = 0.0) -> float:
    """The chance of such a difference, of two sides with units of their own; nan: too few to say.

    :param floor: a variance that the difference has at least
    """
    errors = [_error(side, weights(len(side.sizes), stream)) for stream, side in enumerate((a, b))]
    if None in errors:
        return float("nan")
    one, other = (error for error in errors if error)
    whole = one.variance + other.variance
    degrees = min(one.degrees, other.degrees)
    if whole > 0:  # Welch's
        degrees = whole**2 / (one.variance**2 / one.degrees + other.variance**2 / other.degrees)
    return tail(_difference(a, b), whole + floor, degrees)


def together(a: Sample, b: Sample, floor: float = 0.0) -> float:
    """The same of two sides with the same units, in the same order."""
    drawn = weights(len(a.sizes), 0)
    differences = b.estimate(drawn) - a.estimate(drawn)
    differences = differences[np.isfinite(differences)]
    units = min(_effective(a), _effective(b))
    if units < _LEAST_UNITS or len(differences) < REPLICATES // 2:
        return float("nan")
    variance = float(differences.var()) * (units + 1) / (units - 1)
    return tail(_difference(a, b), variance + floor, units - 1)


_LEAST_UNITS = 1.5
"""Of fewer that weigh there is no saying how they differ."""


def _difference(a: Sample, b: Sample) -> float:
    one, other = (float(side.estimate(np.ones((1, len(side.sizes))))[0]) for side in (a, b))
    return other - one


def _error(side: Sample, drawn: Floats) -> _Error | None:
    """How far the number may be off; None: too few units to say."""
    estimates = side.estimate(drawn)
    estimates = estimates[np.isfinite(estimates)]
    units = _effective(side)
    if units < _LEAST_UNITS or len(estimates) < REPLICATES // 2:
        return None
    stretch = (1 + side.alike) / (1 - side.alike)
    # So weighted, units seem to differ a little less than they do.
    variance = float(estimates.var()) * (units + 1) / (units - 1)
    return _Error(variance * stretch, max(1.0, (units - 1) / stretch))


def _effective(side: Sample) -> float:
    """As many units of one size would say as much (L. Kish, Survey Sampling, 1965)."""
    whole = side.sizes.sum()
    return float(whole**2 / (side.sizes**2).sum()) if whole > 0 else 0.0


def alike(series: Floats) -> float:
    """How much of a series each value has in common with the one before it: 0 to less than 1."""
    values = series[np.isfinite(series)]
    if len(values) < _SHORTEST:
        return 0.0
    off = values - values.mean()
    whole = float((off**2).sum())
    return min(_LONGEST_TAIL, max(0.0, float((off[1:] * off[:-1]).sum()) / whole)) if whole > 0 else 0.0


_SHORTEST = 4


def tail(difference: float, variance: float, degrees: float) -> float:
    """The chance of a difference so far from 0 in either direction, by Student's t."""
    if variance <= 0:
        return 1.0 if difference == 0 else 0.0
    if not np.isfinite(difference):
        return 1.0
    return student(abs(difference) / float(np.sqrt(variance)), int(min(max(degrees, 1.0), _MOST_DEGREES)))


def student(t: float, degrees: int) -> float:
    """Both tails of Student's t with a whole number of degrees of freedom.

    It is the finite sum for 1 - p (M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 26.7.3).
    """
    angle = np.arctan(t / np.sqrt(degrees))
    sine, square = np.sin(angle), np.cos(angle) ** 2
    term = total = 1.0
    for number in range(2 + degrees % 2, degrees - 1, 2):
        term *= square * (number - 1) / number
        total += term
    if degrees % 2 == 0:
        inside = sine * total
    else:
        inside = 2 / np.pi * (angle + (sine * np.cos(angle) * total if degrees > 1 else 0))
    return float(max(0.0, 1 - inside))


def beyond(chances: Floats, rate: float) -> NDArray[np.bool_]:
    """Which of many differences are no chance, so that of those found ``rate`` at most are expected to be.

    Y. Benjamini, Y. Hochberg, Controlling the False Discovery Rate, 1995. Where chance alone is at work, one
    or more are found with probability ``rate`` at most.

    :param chances: any shape; nan: not asked
    """
    asked = np.isfinite(chances)
    inorder = np.sort(chances[asked])
    bounds = rate * np.arange(1, len(inorder) + 1) / max(1, len(inorder))
    under = np.flatnonzero(inorder <= bounds)
    found: NDArray[np.bool_] = asked & (chances <= (inorder[under[-1]] if len(under) else -1.0))
    return found
