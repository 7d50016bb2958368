"""What a server of many hosts is asked. Nothing heavy is imported: the command line always reads it."""

from __future__ import annotations

from dataclasses import dataclass

LABELS = {
    "hosts": ("instance",),
    "processes": ("process",),
    "services": ("process", "service", "direction"),
    "networks": ("remote_network",),
}
"""By the name of a table what its rows are told apart by."""

USUAL_RANGE_S = 300


@dataclass(frozen=True, slots=True)
class Question:
    """What the server is asked for.

    :param table: the name of one in LABELS
    :param within: labels that all of it has, each with its value
    :param range_s: rates, RTTs and sparklines are of the last so many seconds
    """

    table: str = "hosts"
    within: tuple[tuple[str, str], ...] = ()
    range_s: int = USUAL_RANGE_S
