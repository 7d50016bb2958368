"""What the tables of a comparison list: the groups of one kind that match a filter."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.comparing.fields import FIRST_SORT, TABLE, label, labels
from tcptop_rtt.comparing.tally import KINDS
from tcptop_rtt.model.names import Names
from tcptop_rtt.model.rows import Get, Indices, Mask
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import query
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.listing import Kind, Listing
from tcptop_rtt.view.questions import Answer, Ask
from tcptop_rtt.view.side_rows import no_sparks


class GroupList(Listing):
    """The groups of one kind that match a filter."""

    table = TABLE

    def __init__(
        self,
        rows: NDArray[np.void],
        kind: int,
        snapshot: Snapshot,  # noqa: ARG002 - groups are not of one time
        filter: Filter,  # noqa: A002
        names: Names,  # noqa: ARG002 - the names may be of another network
    ) -> None:
        self.rows = rows
        of_kind = rows["kind"] == kind
        self.total = int(np.count_nonzero(of_kind))
        ask = parse(filter.text)
        if ask is not None:
            of_kind = of_kind & ask(rows.__getitem__, frozenset()).yes
        self.indices = np.flatnonzero(of_kind)
        self.shown = len(self.indices)

    def views(self, indices: Indices) -> list[object]:
        return TABLE.views(self.rows[indices], frozenset())

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """Returns empty sparklines, as groups have none."""
        return no_sparks(len(indices))


@lru_cache(maxsize=64)
def parse(text: str) -> Ask | None:
    """Returns the question that a filter's text asks; None if the text is empty.

    :raises QueryError: the text is no valid filter; it says what is wrong, and where
    """
    return query.parse(text, TABLE.matches, _find)


def _find(word: str) -> Ask:
    """Returns a question for the groups with a word in their label."""
    word = word.lower()

    def answer(get: Get, lacking: frozenset[str]) -> Answer:
        found = np.array([word in text.lower() for text in labels(get, lacking)], bool)
        return Answer(found, ~found)

    return answer


def _nobody(_: Snapshot, indices: Indices, __: int) -> Mask:
    """Selects no connection, as a comparison keeps none."""
    return np.zeros(len(indices), bool)


def kinds_of(rows: NDArray[np.void]) -> tuple[Kind, ...]:
    """Returns the tables of services and of networks.

    :param rows: of dtype COMPARED
    """
    return tuple(
        Kind(
            replace(TABLE, name=f"{kind}s"),
            partial(GroupList, rows, number),
            _nobody,
            label,
            empty="neither side has a connection",
            first=FIRST_SORT,
        )
        for number, kind in enumerate(KINDS)
    )
