"""A row's recent RTTs as a line of blocks, and the round numbers that scales begin and end at."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.view.thresholds import thresholds


class Scale(NamedTuple):
    """The RTT range of sparklines, microseconds: one for all sparklines, or one for each."""

    low: float | NDArray[np.float32]
    high: float | NDArray[np.float32]


_NO_SCALE = Scale(100.0, 10_000.0)
"""The scale if there is no RTT."""


_SPAN = 8
"""The least ratio of the highest to the lowest RTT of a row's own scale: smaller changes do not matter."""


def own_scales(spark_us: NDArray[np.float32]) -> Scale:
    """A log scale for each row, which begins at its lowest RTT."""
    known = np.where(spark_us > 0, spark_us, np.float32(np.nan))
    low = np.nan_to_num(np.fmin.reduce(known, axis=0), nan=1.0)
    high = np.nan_to_num(np.fmax.reduce(known, axis=0), nan=1.0)
    return Scale(low, np.maximum(high, _SPAN * low))


def news(spark_us: NDArray[np.float32], cells: int) -> list[str]:
    """How each cell of :func:`sparks` is marked: ``b`` is bad, ``w`` risen or high, a space neither."""
    values = _fold(spark_us, cells)
    low = np.fmin.reduce(np.where(spark_us > 0, spark_us, np.float32(np.nan)), axis=0)
    with np.errstate(invalid="ignore"):
        risen = (values >= thresholds().queue_factor * low) & (values - low >= thresholds().queue_us)
        warns, is_bad = risen | (values >= thresholds().yellow_us), values >= thresholds().red_us
    codes = np.array([ord(" "), ord("w"), ord("b")], np.uint32)
    return _lines(codes[np.where(is_bad, 2, np.where(warns, 1, 0))], cells)


def spark_scale(spark_us: NDArray[np.float32]) -> Scale:
    """A common log scale for the cells in view: at least a decade, on 1-2-5 steps so that it rarely moves."""
    known = spark_us[spark_us > 0]
    if known.size == 0:
        return _NO_SCALE
    low, high = step_down(float(known.min())), step_up(float(known.max()))
    while high < low * 10:
        low, high = step_down(low * 0.99), high if high >= low * 10 else step_up(high * 1.01)
    return Scale(low, high)


def step_down(value: float) -> float:
    """The next of 1, 2, 5, 10, ... at or below a positive value."""
    decade = 10.0 ** math.floor(math.log10(value))
    return float(next(step for step in (5 * decade, 2 * decade, decade, 0.5 * decade) if step <= value))


def step_up(value: float) -> float:
    """The next of 1, 2, 5, 10, ... at or above a positive value."""
    decade = 10.0 ** math.floor(math.log10(value))
    return float(
        next(step for step in (decade, 2 * decade, 5 * decade, 10 * decade, 20 * decade) if step >= value)
    )


def sparks(spark_us: NDArray[np.float32], scale: Scale, cells: int, levels: str) -> list[str]:
    """One string of ``cells`` characters per column of ``spark_us`` (oldest first); no sample: a space.

    Each character is one of ``levels``, which ascend. When there are fewer cells than values, each cell shows
    the highest of its values: a spike stays visible.
    """
    values = _fold(spark_us, cells)
    codes = np.array([ord(" "), *map(ord, levels)], np.uint32)
    known = values > 0
    low, high = np.log(scale.low), np.log(scale.high)
    with np.errstate(divide="ignore", invalid="ignore"):
        height = (np.log(values) - low) / (high - low) * len(levels)
    # Values outside the scale, and float32 rounding at its top, land on the first and last glyph.
    chosen = np.where(known, np.clip(np.nan_to_num(height), 0, len(levels) - 1).astype(np.intp) + 1, 0)
    return _lines(codes[chosen], cells)


def _lines(codes: NDArray[np.uint32], cells: int) -> list[str]:
    """Makes text of character codes, one line per column."""
    text: NDArray[Any] = np.ascontiguousarray(codes.T)
    if text.size == 0:
        return [""] * codes.shape[1]
    return [line.ljust(cells) for line in text.view(f"<U{cells}").ravel().tolist()]


def _fold(spark_us: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    history = spark_us.shape[0]
    if cells <= 0:
        return spark_us[:0]
    if cells >= history:
        blank = np.full((cells - history, spark_us.shape[1]), np.nan, np.float32)
        return np.concatenate((blank, spark_us))
    starts = np.arange(cells) * history // cells
    folded: NDArray[np.float32] = np.fmax.reduceat(spark_us, starts, axis=0)
    return folded
