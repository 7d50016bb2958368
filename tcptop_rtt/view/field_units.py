"""The unit of each number, and what may follow the number where it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tcptop_rtt.view.quantities import PREFIXES, SIZES, TIMES_NS, number
from tcptop_rtt.view.questions import ValueNotTakenError


class Unit(NamedTuple):
    """The unit of a number: the suffixes that a value may have, each with its factor, and an example."""

    suffixes: Mapping[str, float]
    example: str

    def parse(self, text: str) -> float:
        """The number that a text stands for, in this unit."""
        found = number(text, self.suffixes)
        if found is None:
            raise ValueNotTakenError(f"{text!r} is not a number such as {self.example}")
        return found


def _time(unit: str, example: str) -> Unit:
    return Unit({suffix: ns / TIMES_NS[unit] for suffix, ns in TIMES_NS.items()}, example)


def _count(endings: tuple[str, ...], example: str) -> Unit:
    return Unit({prefix + end: size for prefix, size in PREFIXES.items() for end in endings}, example)


_UNITS = {
    "_us": _time("us", "50ms"),
    "_ms": _time("ms", "5s"),
    "_ns": _time("ns", "2h"),
    "_bps": _count(("", "b", "bps", "b/s", "bit/s"), "10M"),
    "_bytes": Unit(SIZES, "64kB"),
}
_PLAIN = _count(("",), "10")
PER_SECOND = Unit({"/s": 1.0, "/m": 1 / 60}, "1/s")


def unit_of(name: str) -> Unit:
    """The unit of a field, by the end of its name."""
    bare = name.removesuffix("_1m")
    return next((unit for end, unit in _UNITS.items() if bare.endswith(end)), _PLAIN)
