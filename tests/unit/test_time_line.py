"""A recording as a line: where the marks are, and what a click on it means."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.view.time_line import NO_MARKS, Marks, time_at, time_line
from tcptop_rtt.widgets.time_line import _marks_of

S = 10**9
WIDTH = 18 + 11  # a cell per second from 0 to 10


def _line(marks: Marks, at_ns: int = 0) -> dict[int, tuple[str, str]]:
    """What is in it but for the base line, by the cell."""
    _, *cells, _ = time_line(0, 10 * S, at_ns, marks, WIDTH, ASCII)
    assert len(cells) == 11
    return {cell: part for cell, part in enumerate(cells) if part != (ASCII.base, "dim")}


def test_marks_are_at_their_times_and_a_severe_one_covers_others() -> None:
    marks = Marks(np.array([3, 3, 3, 7, 11]) * S, np.array([False, True, False, False, True]))
    here = {0: (ASCII.share, "here")}
    assert _line(NO_MARKS) == here
    assert _line(marks) == here | {3: (ASCII.rising, "bad"), 7: (ASCII.rising, "warn")}
    assert _line(marks, 3 * S)[3] == (ASCII.share, "here")
    assert time_line(0, 10, 5 * S, marks, 20, ASCII)[0][1] == "value"


def test_a_click_means_the_time_that_a_mark_there_has() -> None:
    assert [time_at(9 + cell, 0, 10 * S, WIDTH) for cell in (0, 3, 10, 11)] == [0, 3 * S, 10 * S, None]


def test_only_moments_of_some_time_have_a_mark() -> None:
    times = (5, -1, 1 << 63, 10**400, None, True, "5", 9)
    found = _marks_of([{"time_ns": time_ns, "kind": "stops"} for time_ns in times])
    assert found.times_ns.tolist() == [5, 9]
    kinds: tuple[object, ...] = ("stops", "connect", "overflow", "rtt", [], None)
    severe = _marks_of([{"time_ns": 1, "kind": kind} for kind in kinds]).severe
    assert severe.tolist() == [True, True, True, False, False, False]
    assert _marks_of([]).times_ns.tolist() == []
