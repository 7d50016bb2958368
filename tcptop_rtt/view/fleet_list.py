"""Lists the rows of an answer from the server in the tables of a fleet."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.fleet import FleetSnapshot, no_groups
from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.question import LABELS, Question
from tcptop_rtt.model.rows import Get, Indices, Mask
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import query
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.fleet_fields import label, table
from tcptop_rtt.view.listing import Kind, Listing
from tcptop_rtt.view.questions import Answer, Ask
from tcptop_rtt.view.side_rows import no_sparks


class FleetList(Listing):
    """The rows of an answer that match a filter; empty if the answer is to another question."""

    def __init__(
        self,
        name: str,
        range_s: int,
        snapshot: Snapshot,
        filter: Filter,  # noqa: A002
        names: Names = NO_NAMES,  # noqa: ARG002
    ) -> None:
        self.table = table(name, range_s)
        is_answer = isinstance(snapshot, FleetSnapshot) and (
            snapshot.question.table, snapshot.question.range_s
        ) == (name, range_s)  # fmt: skip
        self._answer = snapshot if is_answer and isinstance(snapshot, FleetSnapshot) else None
        self.rows = self._answer.groups if self._answer else no_groups()
        self.indices = selected(self.rows, filter.text)
        numbers = self.rows["connections"]
        self.total, self.shown = (
            int(np.nansum(of)) for of in (numbers, numbers[self.indices])
        )  # fmt: skip

    def views(self, indices: Indices) -> list[Any]:
        return self.table.views(self.rows[indices], frozenset())

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        return self._answer.group_sparks_us(indices) if self._answer else no_sparks(len(indices))


@lru_cache(maxsize=64)
def parse(text: str) -> Ask | None:
    """Returns the question that a filter's text asks; None if the text is empty.

    :raises QueryError: the text is no filter; says what is wrong, and where
    """
    return query.parse(text, WORDS, _find)


WORDS = table("hosts", Question().range_s).matches
"""The words that a filter can use, which are the same in each table."""


def selected(rows: NDArray[np.void], text: str) -> Indices:
    """Indices of the rows that match a filter, ascending."""
    ask = parse(text)
    if ask is None or not len(rows):
        return np.arange(len(rows))
    return np.flatnonzero(ask(rows.__getitem__, frozenset()).yes)


def _find(word: str) -> Ask:
    """Searches for a text in the name, and in what holds connections up."""
    word = word.lower()

    def answer(get: Get, _: frozenset[str]) -> Answer:
        found = np.array(
            [
                word in fmt.printable(name).lower() or word in fmt.printable(why).lower()
                for name, why in zip(get("name").tolist(), get("why").tolist(), strict=True)
            ],
            bool,
        )
        return Answer(found, ~found)

    return answer


def _inside(snapshot: Snapshot, indices: Indices, row: int) -> Mask:  # noqa: ARG001
    """Returns no connection: a fleet's answer contains none."""
    return np.zeros(len(indices), bool)


@lru_cache(maxsize=16)
def kinds(range_s: int) -> tuple[Kind, ...]:
    """Returns the tables, in the order in which the user goes through them."""
    return tuple(
        Kind(table(name, range_s), partial(FleetList, name, range_s), _inside, label, first="rtt")
        for name in LABELS
    )


def inner(question: Question, labels: tuple[str, ...]) -> Question | None:
    """Returns the question for the next table that divides one row of an answer; None if no table does."""
    within = dict(question.within) | dict(zip(LABELS[question.table], labels, strict=True))
    names = list(LABELS)
    at = names.index(question.table)
    for name in (*names[at + 1 :], *names[:at]):
        if not set(LABELS[name]) <= within.keys():
            return Question(name, tuple(within.items()), question.range_s)
    return None
