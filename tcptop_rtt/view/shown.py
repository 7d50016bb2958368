"""What cells are made of: a connection together with the verdict on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.known import Rtt
from tcptop_rtt.view import causes
from tcptop_rtt.view.causes import Cause


class Shown(Connection):
    """One row, and what holds it up.

    :param cause: the most severe; None: nothing is known to
    """

    def __init__(self, row: np.void, lacking: frozenset[str], rtt: Rtt, cause: Cause | None) -> None:
        super().__init__(row, lacking, rtt)
        self.cause = cause


def shown(rows: NDArray[np.void], lacking: frozenset[str] = frozenset()) -> list[Shown]:
    """Rows one by one; the verdicts on many cost hardly more than that on one."""
    verdicts = causes.verdicts(rows.__getitem__, lacking).tolist()
    return [
        Shown(row, lacking, rtt, causes.numbered(number))
        for row, rtt, number in zip(rows, known.rtt_of_each(rows), verdicts, strict=True)
    ]
