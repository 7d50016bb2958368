"""The time line of a recording: its begin and end, the moment shown, and marks for notable moments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import distinct
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import Glyphs

LEAST_CELLS = 8


class Marks(NamedTuple):
    """When something notable happened: arrays (M,)."""

    times_ns: NDArray[np.int64]
    severe: NDArray[np.bool_]


NO_MARKS = Marks(np.zeros(0, np.int64), np.zeros(0, bool))


def room(width: int) -> int:
    """Cells of the line between both clock times; 0 if there is no room for a line."""
    cells = width - 2 * len("00:00:00") - 2
    return cells if cells >= LEAST_CELLS else 0


def time_line(
    first_ns: int, last_ns: int, at_ns: int, marks: Marks, width: int, glyphs: Glyphs
) -> list[tuple[str, str]]:
    """The time line as pieces of text with their styles.

    :param marks: a cell with several marks shows a severe one first
    """
    cells = room(width)
    if not cells:
        return [(fmt.clock(at_ns / 1e9), "value")]
    line = [(glyphs.base, "dim")] * cells
    within = (marks.times_ns >= first_ns) & (marks.times_ns <= last_ns)
    share = (marks.times_ns[within] - first_ns) / max(1, last_ns - first_ns)
    places = np.rint(share * (cells - 1)).astype(np.intp)
    for styled, style in ((places, "warn"), (places[marks.severe[within]], "bad")):
        for cell in distinct(styled):
            line[cell] = (glyphs.rising, style)
    line[_cell(at_ns, first_ns, last_ns, cells)] = (glyphs.share, "here")
    return [(fmt.clock(first_ns / 1e9) + " ", "dim"), *line, (" " + fmt.clock(last_ns / 1e9), "dim")]


def time_at(cell: int, first_ns: int, last_ns: int, width: int) -> int | None:
    """The time that a cell stands for; None if the cell is not on the line."""
    cells, cell = room(width), cell - len("00:00:00") - 1
    if not 0 <= cell < cells:
        return None
    return first_ns + (last_ns - first_ns) * cell // max(1, cells - 1)


def _cell(time_ns: int, first_ns: int, last_ns: int, cells: int) -> int:
    share = (time_ns - first_ns) / max(1, last_ns - first_ns)
    return min(cells - 1, max(0, round(share * (cells - 1))))
