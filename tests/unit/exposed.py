"""Reading what Prometheus scrapes: series by name and labels."""

from __future__ import annotations

import re
from typing import NamedTuple

from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US

_LINE = re.compile(r"([a-z_:]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def bucket(us: float) -> int:
    """The number of the bucket that an RTT is in."""
    return int((us > BOUNDS_US).sum())


class Series(NamedTuple):
    """One series, and its value."""

    name: str
    labels: dict[str, str]
    value: float


def parsed(text: str) -> list[Series]:
    """All series of an exposition; fails where it is none."""
    found = []
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        match = _LINE.fullmatch(line)
        assert match, line
        inside, labels = match[2] or "", {}
        while inside:
            label = _LABEL.match(inside)
            assert label, line
            labels[label[1]] = label[2]
            inside = inside[label.end() :]
        found.append(Series(match[1], labels, float(match[3])))
    return found


def value(text: str, name: str, **labels: str) -> float:
    """The sum of the series of that name that have these labels; there must be one."""
    values = _values(text, name, labels)
    assert values, f"no {name} {labels} in:\n{text}"
    return sum(values)


def total(text: str, name: str, **labels: str) -> float:
    """The same, where there may be none yet."""
    return sum(_values(text, name, labels))


def _values(text: str, name: str, labels: dict[str, str]) -> list[float]:
    return [one.value for one in parsed(text) if one.name == name and labels.items() <= one.labels.items()]
