"""Computes how likely a difference is by chance alone.

Dependent data count as one unit: the samples of a connection, or all data of a slice of time. The variance of
a number is estimated by giving the units random weights (D. B. Rubin, The Bayesian Bootstrap, 1981), always
the same ones. The difference is tested with Student's t, as there are few units.
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
"""A higher correlation of neighbours in time is taken as this."""

Floats = NDArray[np.float64]
Estimate = Callable[[Floats], Floats]
"""Computes the number, shape (N,), from weights of shape (N, units)."""


class Sample(NamedTuple):
    """The units of one side.

    :param estimate: computes the number from weighted units
    :param sizes: shape (units,): how much each unit counts as evidence
    :param there: shape (units,): which units have data
    :param alike: the correlation of neighbouring units; 0: they are independent
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
    """Returns random weights of units, the same in each call: shape (REPLICATES, units).

    :param stream: weights of different streams are independent
    """
    return np.random.default_rng((_SEED, stream)).exponential(size=(REPLICATES, units))


def apart(a: Sample, b: Sample, floor: float = 0.0) -> float:
    """Returns the chance of such a difference between sides with units of their own; nan: too few units.

    :param floor: added to the estimated variance of the difference
    """
    errors = [_error(side, weights(len(side.sizes), stream)) for stream, side in enumerate((a, b))]
    if None in errors:
        return float("nan")
    one, other = (error for error in errors if error)
    whole = one.variance + other.variance
    degrees = min(one.degrees, other.degrees)
    if whole > 0:  # Welch's degrees of freedom
        degrees = whole**2 / (one.variance**2 / one.degrees + other.variance**2 / other.degrees)
    return tail(_difference(a, b), whole + floor, degrees)


def together(a: Sample, b: Sample, floor: float = 0.0) -> float:
    """Returns the same chance for sides that have the same units, in the same order."""
    drawn = weights(len(a.sizes), 0)
    differences = b.estimate(drawn) - a.estimate(drawn)
    differences = differences[np.isfinite(differences)]
    units = min(_effective(a), _effective(b))
    if units < _LEAST_UNITS or len(differences) < REPLICATES // 2:
        return float("nan")
    variance = float(differences.var()) * (units + 1) / (units - 1)
    return tail(_difference(a, b), variance + floor, units - 1)


_LEAST_UNITS = 1.5
"""The variance among fewer effective units cannot be estimated."""


def _difference(a: Sample, b: Sample) -> float:
    one, other = (float(side.estimate(np.ones((1, len(side.sizes))))[0]) for side in (a, b))
    return other - one


def _error(side: Sample, drawn: Floats) -> _Error | None:
    """Returns the variance of a side's number, with degrees of freedom; None: too few units."""
    estimates = side.estimate(drawn)
    estimates = estimates[np.isfinite(estimates)]
    units = _effective(side)
    if units < _LEAST_UNITS or len(estimates) < REPLICATES // 2:
        return None
    stretch = (1 + side.alike) / (1 - side.alike)
    # Random weights underestimate the variance a little.
    variance = float(estimates.var()) * (units + 1) / (units - 1)
    return _Error(variance * stretch, max(1.0, (units - 1) / stretch))


def _effective(side: Sample) -> float:
    """Returns how many units of equal size would be as much evidence (L. Kish, Survey Sampling, 1965)."""
    whole = side.sizes.sum()
    return float(whole**2 / (side.sizes**2).sum()) if whole > 0 else 0.0


def alike(series: Floats) -> float:
    """Returns the correlation of each value of a series with the previous one: 0 to less than 1."""
    values = series[np.isfinite(series)]
    if len(values) < _SHORTEST:
        return 0.0
    off = values - values.mean()
    whole = float((off**2).sum())
    return min(_LONGEST_TAIL, max(0.0, float((off[1:] * off[:-1]).sum()) / whole)) if whole > 0 else 0.0


_SHORTEST = 4


def tail(difference: float, variance: float, degrees: float) -> float:
    """Returns the chance of a difference so far from 0 in either direction, by Student's t."""
    if variance <= 0:
        return 1.0 if difference == 0 else 0.0
    if not np.isfinite(difference):
        return 1.0
    return student(abs(difference) / float(np.sqrt(variance)), int(min(max(degrees, 1.0), _MOST_DEGREES)))


def student(t: float, degrees: int) -> float:
    """Returns both tails of Student's t for a whole number of degrees of freedom.

    Finite sum for 1 - p (M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 26.7.3).
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
    """Returns the significant differences: at most the share ``rate`` of them is expected to be chance.

    Y. Benjamini, Y. Hochberg, Controlling the False Discovery Rate, 1995. If all differences are chance, the
    probability that any is found is ``rate`` at most.

    :param chances: any shape; nan: not tested
    """
    asked = np.isfinite(chances)
    inorder = np.sort(chances[asked])
    bounds = rate * np.arange(1, len(inorder) + 1) / max(1, len(inorder))
    under = np.flatnonzero(inorder <= bounds)
    found: NDArray[np.bool_] = asked & (chances <= (inorder[under[-1]] if len(under) else -1.0))
    return found
