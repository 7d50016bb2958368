"""Keeps the last ten minutes of snapshots, as many of them as memory and time allow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.past.change import added, between
from tcptop_rtt.past.frames import Frame, Past
from tcptop_rtt.past.moments import MomentFinder
from tcptop_rtt.past.tables import Tables, rest_of, tables_of

PAST_NS = 600_000_000_000
STEP_NS = 900_000_000
"""The least time between two frames: a snapshot per second may come a little early."""
KEPT_BYTES = 48 << 20
"""Most memory for packed changes: beyond it, frames in the past are dropped."""
CPU_SHARE = 0.02
"""The most that recording takes of one core: the pause after a frame grows with its cost."""


class Recorder:
    """Keeps snapshots as frames. Not thread-safe: only the thread that makes the snapshots may use it.

    :param kept_bytes: how much memory changes may take
    :param cpu_s: returns the processor time of this thread
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES, cpu_s: Callable[[], float] = time.thread_time) -> None:
        self._limit = kept_bytes
        self._cpu_s = cpu_s
        self.past = Past()
        """The kept frames and moments."""
        self._bytes = 0
        self._next_ns = 0
        self._finder = MomentFinder()

    def add(self, snapshot: Snapshot) -> Past:
        """Keeps a snapshot if a frame is due, and returns all that is kept."""
        past = self.past
        if past.frames and snapshot.clock_ns < self._next_ns:
            return past
        began_s = self._cpu_s()
        tables = tables_of(snapshot, past.newest)
        frame = Frame(rest_of(snapshot), tuple(map(between, past.newest, tables)))
        self._bytes += frame.nbytes
        frames = self._bounded([*past.frames, frame], tables)
        self.past = Past(tuple(frames), tables, self._finder.look(snapshot))
        pause_ns = round(1e9 * (self._cpu_s() - began_s) / CPU_SHARE)
        self._next_ns = snapshot.clock_ns + max(STEP_NS, pause_ns)
        return self.past

    def _bounded(self, frames: list[Frame], tables: Tables) -> list[Frame]:
        """Drops frames that are too old, and then others until the changes fit the memory limit."""
        newest_ns = frames[-1].clock_ns
        while frames[0].clock_ns < newest_ns - PAST_NS:
            self._drop_oldest(frames)
        while self._bytes > self._limit and len(frames) > 1:
            if len(frames) == 2:
                self._drop_oldest(frames)
            else:
                self._drop(frames, _most_dispensable(frames), tables)
        return frames

    def _drop_oldest(self, frames: list[Frame]) -> None:
        del frames[0]
        self._bytes -= frames[0].nbytes
        frames[0] = replace(frames[0], changes=())

    def _drop(self, frames: list[Frame], at: int, tables: Tables) -> None:
        """Drops a frame between two others and adds its changes to the next frame."""
        first, second = frames[at], frames[at + 1]
        both = replace(second, changes=tuple(map(added, first.changes, second.changes, tables)))
        self._bytes += both.nbytes - first.nbytes - second.nbytes
        frames[at : at + 2] = [both]


def _most_dispensable(frames: list[Frame]) -> int:
    """Returns the frame that leaves the smallest gap relative to its age: old frames may be further apart."""
    clock_ns = np.array([frame.clock_ns for frame in frames])
    gaps_ns, ages_ns = clock_ns[2:] - clock_ns[:-2], clock_ns[-1] - clock_ns[1:-1]
    return 1 + int(np.argmin(gaps_ns / ages_ns))
