"""What bad connections have in common, compared with all: how many share it, and how many of all do.

What may be chance is left out, and of networks inside each other the one is told that explains most.
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
"""Two of anything have something in common."""
LEAST_SHARE = 0.05
"""What fewer of the bad ones have is not what they share."""
LEAST_RATIO = 2.0
"""So many times as often it has to be found among the bad ones as among the others."""
CHANCE = 0.01
"""In at most this share of comparisons something is listed that is mere chance: each value that is tried has
its part of it (the Bonferroni correction)."""
KEPT_RATIO, KEPT_CHANCE = 1.7, 0.05
"""What is listed already stays up to here, so that it does not come and go."""
STEADY = 1.25
"""What is listed keeps its place unless something else has so much more evidence."""
MOST = 30
"""More lines than these nobody reads."""
_SMALL = 65_535
"""Numbers up to here are counted faster than sorted."""

Key = tuple[str, int]
"""Which value of which level: the same in each snapshot."""


@dataclass(frozen=True, slots=True)
class Share:
    """One thing that bad connections have in common.

    :param shared: how many bad ones have it
    :param members: how many of all have it
    :param known: of how many of all it is known whether they have it
    :param bad_known: of how many bad ones
    :param evidence: minus the logarithm of the chance: the higher the lift and the more share it, the higher
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
        """How many times as frequent it is among the bad ones as among all."""
        return self.shared * self.known / (self.bad_known * self.members)


@dataclass(frozen=True, slots=True)
class Common:
    """What has been found.

    :param bad: how many connections are bad
    :param total: how many there are, those included
    :param more: how many further ones there are besides ``shares``
    """

    bad: int
    total: int
    shares: tuple[Share, ...] = ()
    more: int = 0


class _Level(NamedTuple):
    """A level over some rows, and its values that more than a few bad ones share."""

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
    """Its level's in the facet."""
    at: int
    """Its value's in the level."""
    weight: float


def compare(
    get: Get,
    bad: Mask,
    lacking: frozenset[str] = frozenset(),
    before: Sequence[Key] = (),
    glyphs: Glyphs = UNICODE,
) -> Common:
    """Find what bad connections have in common.

    :param get: gives the values of a field of all that are compared
    :param bad: which of them are bad
    :param lacking: the fields that this kernel does not have
    :param before: what has been listed so far, in that order
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
    # What nobody has needs no numbers.
    numbers = level.values(get) if has.any() else np.zeros(len(bad), np.uint64)
    whole, bad_whole = int(np.count_nonzero(known)), int(np.count_nonzero(known & bad))
    values, members = _tally(numbers[has])
    often = members >= LEAST_BAD
    values, members = values[often], members[often]
    shared = _found(values, *_tally(numbers[has & bad]))
    # Where none of the others has it, half a one keeps the number finite.
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
    """How many there are of each that is wanted."""
    at = places(values, wanted)
    found = np.zeros(len(wanted), np.int64)
    found[at >= 0] = counts[at[at >= 0]]
    return found


def _shares(
    levels: list[_Level], get: Get, tried: int, listed: frozenset[Key], glyphs: Glyphs
) -> Iterator[Share]:
    """Of one facet those that are no chance, and of those inside each other the one with most evidence."""
    candidates = [one for rank, level in enumerate(levels) for one in _candidates(level, rank, tried, listed)]
    # Where two say the same, the narrower one says more.
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
    """Whether of two values, each by its level and a row that has it, one is inside the other."""
    wider, narrower = sorted((one, other))
    if wider[0] == narrower[0]:
        return False
    level = levels[wider[0]]
    return bool(level.has[narrower[1]] and level.numbers[narrower[1]] == level.numbers[wider[1]])


def _in_order(shares: Iterable[Share], before: Sequence[Key]) -> list[Share]:
    """By evidence, but as before where that differs by little: lines that jump cannot be read."""
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
