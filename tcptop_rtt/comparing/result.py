"""The result of a comparison, and what its marks mean."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.comparing.compared import FALSE_ALARMS
from tcptop_rtt.comparing.tally import MOST_GROUPS

WHAT_MARKS_SAY = f"*: more than chance (of these 1 in {1 / FALSE_ALARMS:.0f} is not); few: too few to tell"
"""Short enough for a narrow terminal."""


class SideInfo(NamedTuple):
    """Describes one side of a comparison."""

    name: str  # of the file
    host: str
    first_ns: int
    last_ns: int
    words: str  # its time range


class Result(NamedTuple):
    """Both sides, and their groups."""

    a: SideInfo
    b: SideInfo
    rows: NDArray[np.void]  # of dtype COMPARED
    left_out: int  # number of groups that there was no room for
    problem: str  # which parts of the recordings could not be read; empty: none

    @property
    def note(self) -> str:
        """Says what is missing; empty: nothing."""
        notes = [self.problem]
        if self.left_out:
            notes.append(f"only the first {MOST_GROUPS:,} groups of a side are compared")
        return "; ".join(filter(None, notes))
