"""Compares each group on two sides: its numbers on both, and whether a shift is more than chance."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.comparing import chances
from tcptop_rtt.comparing.chances import Floats, Sample
from tcptop_rtt.comparing.tally import KEY, Tally
from tcptop_rtt.model.ids import matched
from tcptop_rtt.view.rtt_steps import STEPS_PER_OCTAVE, percentile_us

MEASURES = ("p50_us", "p99_us", "loss", "in_bps", "out_bps", "connections")
"""Percentiles of RTT samples, the share of data segments sent again, rates, open connections."""
FALSE_ALARMS = 0.05
"""The expected share of chance among all shifts that are marked, over all groups and measures."""

LEAST_CONNECTIONS = 3
LEAST_SLICES = 6
LEAST_SAMPLES = {"p50_us": 20, "p99_us": 300}
LEAST_SEGMENTS = 100
LEAST_RETRANS = 5
"""On both sides together: with fewer retransmits, two shares cannot be distinguished."""

_STEP_VARIANCE = (np.log(2) / STEPS_PER_OCTAVE) ** 2 / 2
"""Variance of the logarithms' difference, as the RTT of each side is only known up to a step."""
_SHARES = {"p50_us": 0.5, "p99_us": 0.99}
_AMOUNTS = {"in_bps": "in_bits", "out_bps": "out_bits", "connections": "open_s"}

COMPARED = np.dtype(
    [
        *((name, KEY[name]) for name in KEY.names or ()),
        ("samples_a", "u8"),
        ("samples_b", "u8"),
        # nan: not known.
        *((f"{name}_{side}", "f8") for name in MEASURES for side in "ab"),
        *((f"{name}_chance", "f8") for name in MEASURES),  # p-value of the shift; nan: too little data
        *((f"{name}_beyond", "?") for name in MEASURES),  # the shift is more than chance
    ]
)
"""A group: its numbers on side A and on side B."""


class _Pair(NamedTuple):
    """One group on both sides."""

    a: Tally
    b: Tally
    at: tuple[int, int]  # index of the group on each side; -1: absent

    @property
    def sides(self) -> Iterator[tuple[Tally, int]]:
        return zip((self.a, self.b), self.at, strict=True)

    def bundles(self, name: str) -> list[Floats]:
        """Returns the sums of an amount by bundle, on each side."""
        return [side.of_bundles(name)[at] if at >= 0 else side.none("bundles") for side, at in self.sides]

    def slices(self, name: str) -> list[Floats]:
        """Returns the sums of an amount by slice, on each side, for the slices that the side has."""
        return [
            (side.of_slices(name)[at] if at >= 0 else side.none("slices"))[: side.slices]
            for side, at in self.sides
        ]


def compare(a: Tally, b: Tally, same: bool) -> NDArray[np.void]:
    """Returns all groups that either side has, of dtype COMPARED.

    :param same: both sides are of one recording: equal numbers on both sides mean the same connection
    """
    keys = np.concatenate([a.keys, b.keys])
    _, first = np.unique(keys["id"], return_index=True)
    rows = np.zeros(len(first), COMPARED)
    for name in KEY.names or ():
        rows[name] = keys[name][first]
    places = [matched(side.keys["id"], rows["id"]) for side in (a, b)]
    for row, at_a, at_b in zip(rows, *(place.tolist() for place in places), strict=True):
        _fill(row, _Pair(a, b, (at_a, at_b)), same)
    asked = np.stack([rows[f"{name}_chance"] for name in MEASURES])
    for name, beyond in zip(MEASURES, chances.beyond(asked, FALSE_ALARMS), strict=True):
        rows[f"{name}_beyond"] = beyond
    return rows


def _fill(row: np.void, pair: _Pair, same: bool) -> None:
    samples = [float(each.sum()) for each in pair.bundles("samples")]
    row["samples_a"], row["samples_b"] = samples
    _percentiles(row, pair, same)
    _loss(row, pair, same)
    for name, amount in _AMOUNTS.items():
        _rate(row, pair, name, amount, same)


# --- the chance of a shift ----------------------------------------------------------------------------


def _chance(bundles: list[Sample], slices: list[Sample], same: bool, floor: float = 0.0) -> float:
    """Returns the higher of the chances by bundle and by slice; nan: there is too little data.

    :param bundles: one sample per side, with the same units in the same order, even those without data
    :param slices: one sample per side
    """
    if min(np.count_nonzero(each.there) for each in slices) < LEAST_SLICES:
        return float("nan")
    by_time = chances.apart(slices[0], slices[1], floor)
    on = [each.there for each in bundles]
    by_connection = float("nan")
    if min(np.count_nonzero(each) for each in on) >= LEAST_CONNECTIONS:
        by_connection = (chances.together if same else chances.apart)(bundles[0], bundles[1], floor)
    if np.isnan(by_connection) and same and bool((on[0] == on[1]).all()):
        return by_time  # the same connections on both sides differ by time only
    return float(np.maximum(by_time, by_connection))


# --- round-trip times ---------------------------------------------------------------------------------


class _Steps:
    """The RTT samples of one side, from which both percentiles are computed.

    :param counts: samples by unit and step
    :param in_time: units are slices of time, whose neighbours may be correlated
    """

    def __init__(self, counts: Floats, in_time: bool) -> None:
        self._counts = counts
        self.whole: Floats = counts.sum(axis=0)
        self._sizes: Floats = counts.sum(axis=1)
        some = np.flatnonzero(self.whole)
        self._first, end = (int(some[0]), int(some[-1]) + 1) if len(some) else (0, 0)
        self._within = counts[:, self._first : end]
        self._alike = 0.0
        if in_time:
            steps, sizes = self._within @ np.arange(end - self._first), self._sizes
            means = np.divide(steps, sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)
            self._alike = chances.alike(means)

    def sample(self, share: float) -> Sample:
        """Returns the units for one percentile."""
        sizes = self._sizes
        # Only the few units with samples near a high percentile are evidence for it.
        if share > 0.5:
            above = self.whole.sum() - np.cumsum(self.whole)
            sizes = self._counts[:, above < 2 * (1 - share) * self.whole.sum()].sum(axis=1)
        estimate = partial(_log_percentile, self._within, self._first, share)
        return Sample(estimate, sizes, self._sizes > 0, self._alike)


def _percentiles(row: np.void, pair: _Pair, same: bool) -> None:
    counts = [_Steps(side.by_bundle.of(at), False) if at >= 0 else None for side, at in pair.sides]
    least = min(row["samples_a"], row["samples_b"])
    asked = [name for name in _SHARES if None not in counts and least >= LEAST_SAMPLES[name]]
    timed = [_Steps(side.by_slice.of(at), True) for side, at in pair.sides] if asked else []
    for name, share in _SHARES.items():
        for side, each in zip("ab", counts, strict=True):
            row[f"{name}_{side}"] = percentile_us(each.whole, 0, share) if each is not None else np.nan
        row[f"{name}_chance"] = np.nan
        if name in asked:
            by_bundle, by_slice = ([each.sample(share) for each in of if each] for of in (counts, timed))
            row[f"{name}_chance"] = _chance(by_bundle, by_slice, same, _STEP_VARIANCE)


def _log_percentile(within: Floats, first: int, share: float, weights: Floats) -> Floats:
    logs: Floats = np.log(percentile_us(weights @ within, first, share))
    return logs


# --- loss ---------------------------------------------------------------------------------------------


def _loss(row: np.void, pair: _Pair, same: bool) -> None:
    lost, sent = ([each.sum() for each in pair.bundles(name)] for name in ("retrans", "data_segs_out"))
    for side, one, of in zip("ab", lost, sent, strict=True):
        row[f"loss_{side}"] = min(1.0, one / of) if of else np.nan
    row["loss_chance"] = np.nan
    if min(sent) < LEAST_SEGMENTS or sum(lost) < LEAST_RETRANS:
        return
    by_bundle = [
        Sample(partial(_quotient, some, of), of, of > 0)
        for some, of in zip(pair.bundles("retrans"), pair.bundles("data_segs_out"), strict=True)
    ]
    by_slice = [
        Sample(partial(_quotient, some, of), of, of > 0, chances.alike(some))
        for some, of in zip(pair.slices("retrans"), pair.slices("data_segs_out"), strict=True)
    ]
    clustered = _chance(by_bundle, by_slice, same)
    # Independent losses of single segments alone cause this variance.
    whole = sum(lost) / sum(sent)
    variance = whole * max(0.0, 1 - whole) * sum(1 / of for of in sent)
    alone = chances.tail(lost[1] / sent[1] - lost[0] / sent[0], variance, 1e9)
    row["loss_chance"] = np.nan if np.isnan(clustered) else max(clustered, alone)


def _quotient(some: Floats, of: Floats, weights: Floats) -> Floats:
    whole: Floats = weights @ of
    found: Floats = np.divide(weights @ some, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return found


# --- rates --------------------------------------------------------------------------------------------


def _rate(row: np.void, pair: _Pair, name: str, amount: str, same: bool) -> None:
    """Compares an amount per second of watched time; it is 0 for a group that a side does not have."""
    by_bundle, by_slice, was = pair.bundles(amount), pair.slices(amount), pair.bundles("open_s")
    watched_s = [side.watched_s for side in (pair.a, pair.b)]
    for side, each, seconds in zip("ab", by_bundle, watched_s, strict=True):
        row[f"{name}_{side}"] = each.sum() / seconds if seconds else np.nan
    row[f"{name}_chance"] = np.nan
    if min(len(each) for each in by_slice) < LEAST_SLICES or not sum(each.sum() for each in by_bundle):
        return
    timed = [_of_time(each / side.slice_s) for each, side in zip(by_slice, (pair.a, pair.b), strict=True)]
    by_time = chances.apart(timed[0], timed[1])
    rates = [each / seconds for each, seconds in zip(by_bundle, watched_s, strict=True)]
    if amount == "open_s" or not all(each.any() for each in was):
        by_connection = _by_number(rates)
    elif min(np.count_nonzero(each) for each in was) < LEAST_CONNECTIONS:
        unchanged = same and bool(((was[0] > 0) == (was[1] > 0)).all())
        by_connection = by_time if unchanged else float("nan")
    else:
        sides = [
            Sample(partial(_whole, each, units > 0), (units > 0).astype(float), units > 0)
            for each, units in zip(rates, was, strict=True)
        ]
        by_connection = (chances.together if same else chances.apart)(sides[0], sides[1])
    row[f"{name}_chance"] = np.maximum(by_time, by_connection)  # nan if either is nan


def _by_number(rates: list[Floats]) -> float:
    """Returns the probability of a difference if the existence of each connection is chance, too."""
    squares = sum(float((each**2).sum()) for each in rates)
    sizes = np.concatenate(rates)
    units = float(sizes.sum() ** 2 / squares) if squares else 0.0
    return chances.tail(float(rates[1].sum() - rates[0].sum()), squares, units - 1)


def _of_time(values: Floats) -> Sample:
    ones = np.ones(len(values))
    return Sample(partial(_mean, values), ones, ones > 0, chances.alike(values))


def _mean(values: Floats, weights: Floats) -> Floats:
    found: Floats = weights @ values / weights.sum(axis=1)
    return found


def _whole(values: Floats, there: NDArray[np.bool_], weights: Floats) -> Floats:
    """Returns weighted sums, scaled to the number of connections that exist."""
    found: Floats = weights @ values / (weights @ there) * there.sum()
    return found
