"""The past as it is kept: one whole set of tables, of now, and the changes that lead back from it.

All of it is frozen: the worker makes a newer one, and the screen walks in the one that it has.
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
    """One snapshot that is kept."""

    rest: Snapshot
    """Without its tables."""
    changes: tuple[Change, ...]
    """Of each table what leads to it from that of the frame before; empty: there is none."""

    @property
    def clock_ns(self) -> int:
        """CLOCK_MONOTONIC, as in the snapshot."""
        return self.rest.clock_ns

    @property
    def nbytes(self) -> int:
        """About as much memory as its changes take."""
        return sum(change.nbytes for change in self.changes)


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A frame with its tables."""

    frame: Frame
    tables: Tables

    @property
    def snapshot(self) -> Snapshot:
        """As it went in, but for the trace."""
        return snapshot_of(self.frame.rest, self.tables)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What is kept, oldest first, and what was of note; times are by CLOCK_MONOTONIC, in ns."""

    frames: tuple[Frame, ...] = ()
    newest: Tables = ()
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
        """A frame with its tables.

        :param near: one that is known already: neighbours of it are reached at once
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
