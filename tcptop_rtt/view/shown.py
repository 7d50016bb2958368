"""The objects that cells are made of: a connection with its verdict, its wait and the names of its peer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.known import Rtt
from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.view import causes
from tcptop_rtt.view.cause_columns import Columns
from tcptop_rtt.view.causes import Cause
from tcptop_rtt.view.waits import Wait


class Shown(Connection):
    """One row, and what holds its connection up.

    :param cause: the most severe cause; None if none is known
    :param wait: the wait of a request, in parts
    :param names: of hosts and services
    """

    def __init__(
        self,
        row: np.void,
        lacking: frozenset[str],
        rtt: Rtt,
        cause: Cause | None,
        wait: Wait,
        names: Names,
    ) -> None:
        super().__init__(row, lacking, rtt)
        self.cause = cause
        self.wait = wait
        self.names = names
        self.ends: tuple[Shown, Shown] | None = None
        """This end and the other one, each as its own host reports it; None if the row shows one end."""


def shown(
    rows: NDArray[np.void], lacking: frozenset[str] = frozenset(), names: Names = NO_NAMES
) -> list[Shown]:
    """One object per row. The verdicts on many rows cost hardly more than the verdict on one."""
    verdicts = causes.verdicts(rows.__getitem__, lacking).tolist()
    found = Columns(rows.__getitem__, lacking).waits.of_each()
    each = zip(rows, known.rtt_of_each(rows), verdicts, found, strict=True)
    return [Shown(row, lacking, rtt, causes.numbered(number), wait, names) for row, rtt, number, wait in each]
