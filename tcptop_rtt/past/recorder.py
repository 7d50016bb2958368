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
"""Between two frames at least: a refresh of a second may come a little early."""
KEPT_BYTES = 48 << 20
"""Of packed changes: beyond it, the past gets coarser."""
CPU_SHARE = 0.02
"""Of one core, at most: the pause after a frame grows with its cost."""


class Recorder:
    """Not thread-safe: the thread that makes the snapshots owns it, and hands out what it has kept.

    :param kept_bytes: how much memory changes may take
    :param cpu_s: processor time of this thread
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES, cpu_s: Callable[[], float] = time.thread_time) -> None:
        self._limit = kept_bytes
        self._cpu_s = cpu_s
        self.past = Past()
        """All that is kept."""
        self._bytes = 0
        self._next_ns = 0
        self._finder = MomentFinder()

    def add(self, snapshot: Snapshot) -> Past:
        """Keep a snapshot, if it is time to, and give all that is kept."""
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
        """Leave out what is too old, and as many others as take too much memory."""
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
        """Drop a frame between two others: what it has changed goes to the next one."""
        first, second = frames[at], frames[at + 1]
        both = replace(second, changes=tuple(map(added, first.changes, second.changes, tables)))
        self._bytes += both.nbytes - first.nbytes - second.nbytes
        frames[at : at + 2] = [both]


def _most_dispensable(frames: list[Frame]) -> int:
    """Where the gap that is left would be the smallest beside its age: long ago, a second counts for less."""
    clock_ns = np.array([frame.clock_ns for frame in frames])
    gaps_ns, ages_ns = clock_ns[2:] - clock_ns[:-2], clock_ns[-1] - clock_ns[1:-1]
    return 1 + int(np.argmin(gaps_ns / ages_ns))
