"""The axes of a chart: a logarithmic one of RTTs, and one of clock times."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.view import format as fmt

Floats = NDArray[np.float64]

_ENDS = (1, 1.5, 2, 3, 4, 5, 7, 10, 15)
"""Where an axis may begin and end, in each decade."""
_SPAN = 2
"""The least ratio of an axis's highest RTT to its lowest: smaller differences are unimportant."""

_CLOCK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_CLOCK = 8
"""Width of ``22:35:14`` in cells."""
_APART = 4
"""The least number of cells between two times."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic RTT axis, microseconds."""

    low: float
    high: float

    def height(self, us: Floats) -> Floats:
        """Returns the height of each RTT: 0 at the bottom, 1 at the top; clipped."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share: Floats = (np.log(us) - math.log(self.low)) / math.log(self.high / self.low)
        return np.clip(share, 0.0, 1.0)

    def level(self, us: Floats, levels: int) -> NDArray[np.intp]:
        """Returns the level of each RTT, counted from the bottom; -1 where there is no value."""
        height = self.height(us)
        known = ~np.isnan(height)
        level = (np.where(known, height, 0.0) * levels).astype(np.intp)
        return np.where(known, np.minimum(level, levels - 1), -1)

    def row(self, us: float, rows: int) -> int:
        """The row of one value, counted from the top."""
        return rows - 1 - int(self.level(np.array([us]), rows)[0])

    def ticks(self, rows: int) -> dict[int, float]:
        """Round values by row from the top, at least two rows apart."""
        found: dict[int, float] = {}
        for steps in ((1,), (2, 5), (3, 7), (1.5, 4, 6, 8)):
            for decade in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
                for step in steps:
                    value = step * 10.0**decade
                    if not self.low <= value <= self.high * 1.0001:
                        continue
                    row = self.row(value, rows)
                    if not any(abs(row - other) < 2 for other in found):
                        found[row] = value
        return found


def axis_for(us: Floats) -> Axis:
    """Returns an axis that spans the values and ends at round ones, so that it rarely changes."""
    known = us[us > 0]
    if not len(known):
        return Axis(100.0, 10_000.0)
    least = float(known.min())
    decade = 10.0 ** math.floor(math.log10(least))
    low = max(step * decade for step in _ENDS if step * decade <= least)
    most = max(float(known.max()), _SPAN * low)
    decade = 10.0 ** math.floor(math.log10(most))
    return Axis(low, min(step * decade for step in _ENDS if step * decade >= most))


def clock_ticks(now_s: float, end_s: float, column_s: float, columns: int) -> dict[int, str]:
    """Returns round clock times that fit, and the current time at the end, by the column of their first cell.

    :param end_s: when the last column ends, in seconds since the Unix epoch, as ``now_s``
    """
    found: dict[int, str] = {}
    last = columns - _CLOCK
    if last < 0:
        return found
    found[last] = fmt.clock(now_s)
    wanted = (_CLOCK + _APART) * column_s
    step_s = next((step for step in _CLOCK_STEPS_S if step >= wanted), _CLOCK_STEPS_S[-1])
    moment_s = math.floor(end_s / step_s) * step_s
    while (column := columns - math.ceil((end_s - moment_s) / column_s - 1e-6)) >= 0:
        if column + _CLOCK + _APART <= last:
            found[column] = fmt.clock(moment_s)
        moment_s -= step_s
    return found
