"""A question to a Prometheus server. The command line imports this at every start."""

from __future__ import annotations

from dataclasses import dataclass

LABELS = {
    "hosts": ("instance",),
    "processes": ("process",),
    "services": ("process", "service", "direction"),
    "networks": ("remote_network",),
}
"""The labels that make up a row of each table, by the table's name."""

USUAL_RANGE_S = 300


@dataclass(frozen=True, slots=True)
class Question:
    """A question for one table.

    :param table: a name in LABELS
    :param within: labels that all rows share, with their values
    :param range_s: the seconds that rates, RTTs and sparklines cover
    """

    table: str = "hosts"
    within: tuple[tuple[str, str], ...] = ()
    range_s: int = USUAL_RANGE_S
