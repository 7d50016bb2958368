"""Finds what bad connections have in common: how many of them share it, and how many of all connections do.

What may be chance is left out. Of networks inside each other, only the one with the most evidence is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import places
from tcptop_rtt.model.rows import Get, Mask
from tcptop_rtt.view.chance import log_chances
from tcptop_rtt.view.facets import FACETS, Level, One, Said
from tcptop_rtt.view.glyphs import UNICODE, Glyphs

LEAST_BAD = 3
"""Fewer connections are not compared: any two have something in common."""
LEAST_SHARE = 0.05
"""The least share of the bad connections that must have a value."""
LEAST_RATIO = 2.0
"""A value must be at least so many times as frequent among the bad connections as among the others."""
CHANCE = 0.01
"""At most this share of comparisons lists something that is mere chance. It is divided among the values that
are tried (the Bonferroni correction)."""
KEPT_RATIO, KEPT_CHANCE = 1.7, 0.05
"""The looser limits for values that are listed already, so that they do not come and go."""
STEADY = 1.25
"""A listed value keeps its place unless another one has so many times as much evidence."""
MOST = 30
"""At most so many values are listed: nobody reads more lines."""
_SMALL = 65_535
"""Numbers up to here are faster to count than to sort."""

Key = tuple[str, int]
"""The name of a level and the number of a value of it, which are the same in each snapshot."""


@dataclass(frozen=True, slots=True)
class Share:
    """One value that bad connections have in common.

    :param shared: how many bad connections have it
    :param members: how many of all connections have it
    :param known: of how many of all connections it is known whether they have it
    :param bad_known: of how many bad connections that is known
    :param evidence: minus the logarithm of the chance: it rises with the lift and with ``shared``
    """

    key: Key
    said: Said
    shared: int
    members: int
    known: int
    bad_known: int
    evidence: float

    @property
    def lift(self) -> float:
        """How many times as frequent the value is among the bad connections as among all."""
        return self.shared * self.known / (self.bad_known * self.members)


@dataclass(frozen=True, slots=True)
class Common:
    """The result of a comparison.

    :param bad: how many connections are bad
    :param total: how many connections there are, the bad ones included
    :param more: how many further shares there are besides ``shares``
    """

    bad: int
    total: int
    shares: tuple[Share, ...] = ()
    more: int = 0


class _Level(NamedTuple):
    """A level over some rows, and those of its values that may be listed."""

    level: Level
    numbers: NDArray[np.uint64]
    has: Mask
    known: int
    bad_known: int
    tried: int
    values: NDArray[np.uint64]
    shared: NDArray[np.int64]
    members: NDArray[np.int64]
    ratio: NDArray[Any]
    evidence: NDArray[Any]


class _Candidate(NamedTuple):
    rank: int
    """The place of its level in the facet."""
    at: int
    """The place of its value in the level."""
    weight: float


def compare(
    get: Get,
    bad: Mask,
    lacking: frozenset[str] = frozenset(),
    before: Sequence[Key] = (),
    glyphs: Glyphs = UNICODE,
) -> Common:
    """Finds what bad connections have in common.

    :param get: returns the values of a field of all compared connections
    :param bad: which connections are bad
    :param lacking: the fields that this kernel does not have
    :param before: the keys of the values that were listed last, in that order
    """
    total, count = len(bad), int(np.count_nonzero(bad))
    if count < LEAST_BAD or count == total:
        return Common(count, total)
    facets = [[_counted(level, get, bad, lacking) for level in facet] for facet in FACETS]
    tried = max(1, sum(level.tried for levels in facets for level in levels))
    found = [share for levels in facets for share in _shares(levels, get, tried, frozenset(before), glyphs)]
    found.sort(key=lambda share: -share.evidence)
    return Common(count, total, tuple(_in_order(found[:MOST], before)), max(0, len(found) - MOST))


def _counted(level: Level, get: Get, bad: Mask, lacking: frozenset[str]) -> _Level:
    known = level.known(get, lacking)
    has = level.has(get, lacking)
    # Where no row has a value, no numbers are needed.
    numbers = level.values(get) if has.any() else np.zeros(len(bad), np.uint64)
    whole, bad_whole = int(np.count_nonzero(known)), int(np.count_nonzero(known & bad))
    values, members = _tally(numbers[has])
    often = members >= LEAST_BAD
    values, members = values[often], members[often]
    shared = _found(values, *_tally(numbers[has & bad]))
    # Where none of the others has the value, half a connection keeps the ratio finite.
    ratio = shared * (whole - bad_whole) / np.maximum((members - shared) * bad_whole, 0.5 * max(1, bad_whole))
    enough = shared >= max(LEAST_BAD, LEAST_SHARE * bad_whole)
    listed = enough & (ratio >= KEPT_RATIO)
    tried = len(values)
    values, members, shared, ratio = values[listed], members[listed], shared[listed], ratio[listed]
    evidence = -log_chances(shared, members, bad_whole, whole) if len(values) else np.zeros(0)
    return _Level(level, numbers, has, whole, bad_whole, tried, values, shared, members, ratio, evidence)


def _tally(values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The different values, ascending, and how many there are of each."""
    if len(values) and values.max() <= _SMALL:
        counts = np.bincount(values.astype(np.intp))
        found = np.flatnonzero(counts)
        return found.astype(np.uint64), counts[found]
    return np.unique(values, return_counts=True)


def _found(
    wanted: NDArray[np.uint64], values: NDArray[np.uint64], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns how often each of the wanted values occurs; ``values`` and ``counts`` are of :func:`_tally`."""
    at = places(values, wanted)
    found = np.zeros(len(wanted), np.int64)
    found[at >= 0] = counts[at[at >= 0]]
    return found


def _shares(
    levels: list[_Level], get: Get, tried: int, listed: frozenset[Key], glyphs: Glyphs
) -> Iterator[Share]:
    """Yields the shares of one facet that are not chance; of shares inside each other, the strongest one."""
    candidates = [one for rank, level in enumerate(levels) for one in _candidates(level, rank, tried, listed)]
    # Of two with the same evidence, the narrower one is more precise.
    candidates.sort(key=lambda one: (-one.weight, -one.rank))
    kept: list[tuple[int, int]] = []
    for rank, at, _ in candidates:
        level = levels[rank]
        value = level.values[at]
        row = int(np.flatnonzero(level.has & (level.numbers == value))[0])
        if any(_overlaps(levels, (rank, row), other) for other in kept):
            continue
        kept.append((rank, row))
        yield Share(
            (level.level.name, int(value)),
            level.level.say(_one(get, row), glyphs),
            int(level.shared[at]),
            int(level.members[at]),
            level.known,
            level.bad_known,
            float(level.evidence[at]),
        )


def _one(get: Get, row: int) -> One:
    return lambda name: get(name)[row]


def _candidates(level: _Level, rank: int, tried: int, listed: frozenset[Key]) -> Iterator[_Candidate]:
    for at, (evidence, ratio) in enumerate(zip(level.evidence.tolist(), level.ratio.tolist(), strict=True)):
        is_listed = (level.level.name, int(level.values[at])) in listed
        least, chance = (KEPT_RATIO, KEPT_CHANCE) if is_listed else (LEAST_RATIO, CHANCE)
        if ratio >= least and evidence >= np.log(tried / chance):
            yield _Candidate(rank, at, evidence * (STEADY if is_listed else 1))


def _overlaps(levels: list[_Level], one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one of two values, each given by its level and a row that has it, is inside the other."""
    wider, narrower = sorted((one, other))
    if wider[0] == narrower[0]:
        return False
    level = levels[wider[0]]
    return bool(level.has[narrower[1]] and level.numbers[narrower[1]] == level.numbers[wider[1]])


def _in_order(shares: Iterable[Share], before: Sequence[Key]) -> list[Share]:
    """Sorts by evidence, but as in ``before`` where that differs little: lines that jump cannot be read."""
    places = {key: place for place, key in enumerate(before)}
    order = sorted(shares, key=lambda share: places.get(share.key, len(places)))
    swapped = True
    while swapped:
        swapped = False
        for at in range(len(order) - 1):
            above, below = order[at : at + 2]
            steady = STEADY if above.key in places else 1.0
            if below.evidence > steady * above.evidence:
                order[at : at + 2] = below, above
                swapped = True
    return order
