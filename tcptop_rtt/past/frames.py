"""The kept past: the whole tables of the newest frame, and the changes that lead back from them.

All of it is immutable: the worker makes a new past, while the screen still reads the old one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.past.change import Change, applied, taken_back
from tcptop_rtt.past.moments import Log, Moment
from tcptop_rtt.past.tables import Tables, snapshot_of


@dataclass(frozen=True, slots=True)
class Frame:
    """A kept snapshot."""

    rest: Snapshot
    """The snapshot without its tables, sparklines and trace."""
    changes: tuple[Change, ...]
    """The change of each table since the previous frame; empty: there is no previous frame."""

    @property
    def clock_ns(self) -> int:
        """CLOCK_MONOTONIC, as in the snapshot."""
        return self.rest.clock_ns

    @property
    def nbytes(self) -> int:
        """The approximate memory that the changes take."""
        return sum(change.nbytes for change in self.changes)


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A frame with its tables."""

    frame: Frame
    tables: Tables

    @property
    def snapshot(self) -> Snapshot:
        """The whole snapshot, without the trace."""
        return snapshot_of(self.frame.rest, self.tables)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """The kept frames and moments, oldest first; times are by CLOCK_MONOTONIC, in ns."""

    frames: tuple[Frame, ...] = ()
    newest: Tables = ()
    """The tables of the last frame."""
    moments: tuple[Moment, ...] = ()

    @property
    def log(self) -> Log:
        """The moments, with their ages at the newest frame."""
        if not self.frames:
            return Log()
        oldest_ns, newest_ns = self.frames[0].clock_ns, self.frames[-1].clock_ns
        times_ns = [moment.clock_ns for moment in self.moments]
        ago_ns = tuple(newest_ns - time_ns for time_ns in times_ns)
        return Log(self.moments, ago_ns, bisect_left(times_ns, oldest_ns))

    def before(self, clock_ns: int) -> int | None:
        """Returns the index of the latest frame before a time."""
        found = bisect_left(self.frames, clock_ns, key=_clock_ns) - 1
        return found if found >= 0 else None

    def after(self, clock_ns: int) -> int | None:
        """Returns the index of the first frame after a time."""
        found = bisect_right(self.frames, clock_ns, key=_clock_ns)
        return found if found < len(self.frames) else None

    def index(self, clock_ns: int) -> int | None:
        """Returns the index of the frame of exactly this time."""
        found = bisect_left(self.frames, clock_ns, key=_clock_ns)
        there = found < len(self.frames) and self.frames[found].clock_ns == clock_ns
        return found if there else None

    def visit(self, to: int, near: Visit | None = None) -> Visit:
        """Returns a frame with its tables.

        :param near: a frame visited before, from which neighbours are reached in few steps
        """
        frames, start, tables = self.frames, len(self.frames) - 1, self.newest
        known = self.index(near.frame.clock_ns) if near else None
        if near and known is not None and abs(to - known) <= abs(to - start):
            start, tables = known, near.tables
        passed = frames[min(start, to) + 1 : max(start, to) + 1]
        walked = []
        for number, columns in enumerate(tables):
            steps = [frame.changes[number] for frame in passed]
            walked.append(taken_back(columns, reversed(steps)) if to < start else applied(columns, steps))
        return Visit(frames[to], tuple(walked))


def _clock_ns(frame: Frame) -> int:
    return frame.clock_ns
