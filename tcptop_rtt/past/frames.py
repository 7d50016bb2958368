"""The past as it is kept: one whole set of columns, of now, and the changes that lead back from it.

All of it is frozen: the worker makes a newer one, and the screen walks in the one that it has.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

from tcptop_rtt.model.rows import ROW, Rows, no_rows
from tcptop_rtt.model.snapshot import CELL_NS, SPARK_CELLS, Snapshot
from tcptop_rtt.past.change import Change, Columns, applied, taken_back
from tcptop_rtt.past.moments import Log, Moment


@dataclass(frozen=True, slots=True)
class Frame:
    """One snapshot that is kept."""

    rest: Snapshot
    """Without its rows and cells."""
    change: Change | None
    """What leads to these from those of the frame before; None: there is none."""

    @property
    def clock_ns(self) -> int:
        """CLOCK_MONOTONIC, as in the snapshot."""
        return self.rest.clock_ns


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A frame with its columns."""

    frame: Frame
    columns: Columns

    @property
    def snapshot(self) -> Snapshot:
        """As it went in, but for the trace."""
        rows = Rows({name: self.columns[name] for name in ROW.names or ()})
        cells_us = tuple(self.columns[name] for name in _cell_names(self.frame.clock_ns))
        return replace(self.frame.rest, rows=rows, cells_us=cells_us)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What is kept, oldest first, and what was of note; times are by CLOCK_MONOTONIC, in ns."""

    frames: tuple[Frame, ...] = ()
    newest: Columns = field(default_factory=dict)
    """Of the last frame."""
    moments: tuple[Moment, ...] = ()

    @property
    def log(self) -> Log:
        """The moments as seen from the newest frame."""
        if not self.frames:
            return Log()
        oldest_ns, newest_ns = self.frames[0].clock_ns, self.frames[-1].clock_ns
        times_ns = [moment.clock_ns for moment in self.moments]
        ago_ns = tuple(newest_ns - time_ns for time_ns in times_ns)
        return Log(self.moments, ago_ns, bisect_left(times_ns, oldest_ns))

    def before(self, clock_ns: int) -> int | None:
        """The latest frame before a time."""
        found = bisect_left(self.frames, clock_ns, key=_clock_ns) - 1
        return found if found >= 0 else None

    def after(self, clock_ns: int) -> int | None:
        """The first frame after a time."""
        found = bisect_right(self.frames, clock_ns, key=_clock_ns)
        return found if found < len(self.frames) else None

    def index(self, clock_ns: int) -> int | None:
        """The frame of just this time."""
        found = bisect_left(self.frames, clock_ns, key=_clock_ns)
        there = found < len(self.frames) and self.frames[found].clock_ns == clock_ns
        return found if there else None

    def visit(self, to: int, near: Visit | None = None) -> Visit:
        """A frame with its columns.

        :param near: one that is known already: neighbours of it are reached at once
        """
        frames, start, columns = self.frames, len(self.frames) - 1, self.newest
        known = self.index(near.frame.clock_ns) if near else None
        if near and known is not None and abs(to - known) <= abs(to - start):
            start, columns = known, near.columns
        steps = [frame.change for frame in frames[min(start, to) + 1 : max(start, to) + 1] if frame.change]
        walked = taken_back(columns, reversed(steps)) if to < start else applied(columns, steps)
        return Visit(frames[to], walked)


def rest_of(snapshot: Snapshot) -> Snapshot:
    """What a frame keeps as it is."""
    return replace(snapshot, rows=no_rows(), cells_us=(), trace=None)


def columns_of(snapshot: Snapshot) -> Columns:
    """All columns of a snapshot: the fields of its rows, and the cells of its sparklines."""
    columns = {name: snapshot.rows[name] for name in ROW.names or ()}
    columns.update(zip(_cell_names(snapshot.clock_ns), snapshot.cells_us, strict=True))
    return columns


def _cell_names(clock_ns: int) -> list[str]:
    """A second's cell keeps its name as long as it is there: so it does not change from second to second."""
    now = clock_ns // CELL_NS
    return [f"cell {second % SPARK_CELLS}" for second in range(now - SPARK_CELLS + 1, now + 1)]


def _clock_ns(frame: Frame) -> int:
    return frame.clock_ns
