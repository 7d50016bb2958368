"""The data of one connection's chart: its recent past, sorted into the chart's columns.

A column is a stretch of time that begins at a multiple of its length. So from one snapshot to the next the
columns move to the left and otherwise stay the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.snapshot import Changes
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.axes import Floats

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

WINDOWS_S = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
HOLD_S = 3.0
"""The smoothed line ends where no sample has come for longer than this."""


def _none() -> Floats:
    return np.zeros(0)


def no_changes() -> Changes:
    """Returns changes of which nothing is known."""
    return Changes(_none(), np.zeros(0, np.uint32), np.zeros(0, bool))


@dataclass(frozen=True, slots=True)
class Series:
    """What is known of a connection's past.

    Times are in seconds, ascending to 0, which is the end. RTTs are in microseconds; 0 or nan if unknown.
    """

    time_s: Floats = field(default_factory=_none)
    rtt_us: Floats = field(default_factory=_none)
    srtt_us: Floats = field(default_factory=_none)
    weight: Floats = field(default_factory=_none)  # as in Trace
    changes: Changes = field(default_factory=no_changes)
    end_ns: int = 0  # CLOCK_MONOTONIC at time 0
    end_wall_ns: int = 0  # the wall clock at time 0, Unix epoch
    empty: str = "waiting for the first RTT sample"  # shown where there is nothing to draw
    each: str = "each ACK"  # the source of each value

    @property
    def silent_s(self) -> float:
        """For how long there has been no sample."""
        sampled = np.flatnonzero(self.rtt_us > 0)
        return -float(self.time_s[sampled[-1]]) if len(sampled) else 0.0

    def since(self, recent_s: float) -> Series:
        """Returns the series from the first sample of the last ``recent_s`` seconds on."""
        sampled = np.flatnonzero((self.rtt_us > 0) & (self.time_s >= -recent_s))
        start = int(sampled[0]) if len(sampled) else len(self.time_s)
        parts = {name: getattr(self, name)[start:] for name in ("time_s", "rtt_us", "srtt_us", "weight")}
        return replace(self, **parts)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of the samples in view, in microseconds; nan if there is no sample."""

    low_us: float
    p50_us: float
    p95_us: float


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a chart, the oldest first: arrays of shape (N,)."""

    column_s: float  # the length of each column
    end_wall_ns: int  # when the last column ends, Unix epoch
    highest_us: Floats  # the highest sample in the column; nan if there is none
    srtt_us: Floats  # the last srtt in the column or, for HOLD_S, before it; nan if there is none
    retrans: NDArray[np.intp]  # retransmitted segments in the column
    stalled: Flags  # whether the connection was stalled at any time in the column
    visible: Quantiles

    def moment(self, column: int) -> str:
        """Returns when a column begins: ``22:35:14``, with tenths if columns are shorter than a second."""
        since_end_s = (len(self.stalled) - column) * self.column_s
        tenths = math.floor(self.end_wall_ns / 1e8 - 10 * since_end_s + 1e-3)
        clock = fmt.clock(tenths // 10)
        return f"{clock}.{tenths % 10}" if self.column_s < 1 else clock

    def reading(self, column: int) -> str:
        """Returns the text that describes the column under the cursor."""
        highest_us, srtt_us, retrans = self.highest_us[column], self.srtt_us[column], self.retrans[column]
        words = [f"highest {fmt.rtt(highest_us)}" if highest_us > 0 else "no sample"]
        words += [f"srtt {fmt.rtt(srtt_us)}"] * bool(srtt_us > 0)
        words += [f"retransmitted {retrans}"] * bool(retrans)
        words += ["stalled"] * bool(self.stalled[column])
        return "  ".join((self.moment(column), *words))


def window_for(time_s: Floats) -> int:
    """Returns the shortest of the round windows, in seconds, that covers all times."""
    oldest = -float(time_s[0]) if len(time_s) else 0.0
    return next((window for window in WINDOWS_S if window >= oldest), WINDOWS_S[-1])


def columns_at(series: Series, time_s: Floats, window_s: float, columns: int) -> Indices:
    """Which column each time falls into; negative if it is older than the oldest column."""
    column_s = window_s / columns
    last = math.floor(series.end_ns / 1e9 / column_s)
    at = np.floor((series.end_ns / 1e9 + time_s) / column_s).astype(np.intp)
    return np.minimum(at - last, 0) + columns - 1


def extremes(at: Indices, values: Floats, columns: int) -> tuple[Floats, Floats]:
    """Lowest and highest value per column; nan where there is none."""
    seen = (at >= 0) & (values > 0)
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    np.fmin.at(low, at[seen], values[seen])
    np.fmax.at(high, at[seen], values[seen])
    return low, high


def smoothed(at: Indices, values: Floats, columns: int, hold: int) -> Floats:
    """Returns the last value of each column, held for at most ``hold`` columns without one; nan elsewhere."""
    known = (values > 0) & (at >= 0)
    line = np.full(columns, np.nan)
    line[at[known]] = values[known]  # numpy keeps the last of several writes to one column
    have = np.where(np.isnan(line), -1, np.arange(columns))
    latest = np.maximum.accumulate(have)
    held = (latest >= 0) & (np.arange(columns) - latest <= hold)
    return np.where(held, line[latest], np.nan)


def quantiles(values: NDArray[Any], weight: NDArray[Any], *shares: float) -> list[float]:
    """Values below which these shares of the weight are; nan where there is no weight."""
    counted = weight > 0
    values, weight = values[counted], weight[counted]
    if not len(values):
        return [np.nan] * len(shares)
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(weight[order], dtype=np.float64)
    middles = ends - weight[order] / 2
    found: list[float] = np.interp(np.array(shares) * ends[-1], middles, values[order]).tolist()
    return found


def gained(at: Indices, total: NDArray[np.uint32], columns: int) -> NDArray[np.intp]:
    """Returns how much a running total has grown in each column; its first value is not counted as growth."""
    gains = np.maximum(np.diff(total.astype(np.int64), prepend=total[:1].astype(np.int64)), 0)
    found = np.zeros(columns, np.intp)
    np.add.at(found, at[at >= 0], gains[at >= 0])
    return found


def lasting(at: Indices, on: Flags, columns: int) -> Flags:
    """Returns in which columns a state is on.

    :param at: the column of each change of the state; the last change lasts to the end
    :param on: whether the state is on from each change
    """
    edges = np.zeros(columns + 1, np.intp)
    until = np.append(at[1:], columns - 1)[: len(at)]
    seen = on & (until >= 0)
    np.add.at(edges, np.maximum(at[seen], 0), 1)
    np.add.at(edges, until[seen] + 1, -1)
    covered: Flags = np.cumsum(edges[:-1]) > 0
    return covered


def columns_of(series: Series, window_s: float, columns: int) -> Columns:
    """The columns of a chart that shows the last ``window_s`` seconds."""
    column_s = window_s / columns
    at = columns_at(series, series.time_s, window_s, columns)
    changed = columns_at(series, series.changes.time_s, window_s, columns)
    _, highest_us = extremes(at, series.rtt_us, columns)
    counted = (at >= 0) & (series.weight > 0)
    rtt_us, weight = series.rtt_us[counted], series.weight[counted]
    low_us = float(rtt_us.min()) if len(rtt_us) else np.nan
    into_last_s = series.end_ns / 1e9 % column_s
    return Columns(
        column_s=column_s,
        end_wall_ns=series.end_wall_ns + round((column_s - into_last_s) * 1e9),
        highest_us=highest_us,
        srtt_us=smoothed(at, series.srtt_us, columns, round(HOLD_S / column_s)),
        retrans=gained(changed, series.changes.retrans, columns),
        stalled=lasting(changed, series.changes.stalled, columns),
        visible=Quantiles(low_us, *quantiles(rtt_us, weight, 0.5, 0.95)),
    )
