"""The dashboard for a day in fast motion: 20 connections opened and closed a second, every view in turn.

Its clock is fed: no time passes until the screen has shown what was before, so a day takes some minutes.
Source and terminal are made by hand; all else is what runs.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.results import Result
from bench.soak_tour import TOUR
from bench.traffic import resident_mib
from tcptop_rtt.app import TcptopApp
from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE
from tests.tui.feed import text_of
from tests.unit.churn import ChurningSource
from tests.unit.fake import START_NS, ScriptedClock

REFRESH_S = 30.0
READ_S = 5.0
STAY = 2
"""Refreshes that each view is looked at."""
_TOUR = tuple(view for view in TOUR if view.name != "slower")
"""Its refreshes stay this far apart."""
WARM_UP = 0.1
"""Of the time."""
_HOUR_NS = 3_600_000_000_000
_NAMES = {"BTab": "shift+tab", "C-p": "ctrl+p"}


class _InStep(LiveFeed):
    """A live feed that goes on when it is told to."""

    def __init__(self, source: ChurningSource, clock: ScriptedClock) -> None:
        super().__init__(ready(source), REFRESH_S, Budget(longest_read_s=READ_S), clock)
        self._churn = source
        self._turn, self._shown = threading.Semaphore(0), threading.Semaphore(0)
        self.differ = 0
        """Rows of open connections that there are not, and connections without a row."""
        self.clock_ns = START_NS

    def snapshots(self) -> Iterator[Snapshot]:
        for snapshot in super().snapshots():
            rows = snapshot.rows
            self.differ += len(set(rows["id"][~rows["closed"]].tolist()) ^ self._churn.ids)
            self._turn.acquire()
            self.clock_ns = snapshot.clock_ns
            yield snapshot
            self._shown.release()

    def step(self) -> None:
        """Have the next snapshot handed out."""
        self._turn.release()
        self._shown.acquire()

    def stop(self) -> None:
        super().stop()
        self._turn.release()


@dataclass(frozen=True, slots=True)
class _Sample:
    hours: float
    resident_mib: float
    descriptors: int
    threads: int
    refreshes: int
    cpu_s: float
    """Of all threads, so far."""


async def _day(hours: float, per_s: float, live: int) -> tuple[list[_Sample], Counter[str], int]:
    """A sample after each tour, how often a view was missed, and how many rows differed."""
    clock = ScriptedClock()
    feed = _InStep(ChurningSource(clock, live, per_s), clock)
    samples: list[_Sample] = []
    missed: Counter[str] = Counter()
    app = TcptopApp(feed, Filter(), REFRESH_S, UNICODE)
    async with app.run_test(size=(160, 48)) as pilot:
        for visits in itertools.count():
            view = _TOUR[visits % len(_TOUR)]
            await pilot.press(*map(_name, view.keys))
            for _ in range(STAY):
                feed.step()
                await pilot.pause()
            missed[view.name] += view.shows not in text_of(app)
            await pilot.press(*map(_name, view.back))
            while app.main.page.kind or app.main.page.scope:  # a moment may lead to another table
                await pilot.press("escape", "tab")
            passed_h = (feed.clock_ns - START_NS) / _HOUR_NS
            if view is _TOUR[-1]:
                samples.append(_sample(passed_h, STAY * (visits + 1)))
                print("day:", samples[-1], flush=True)
            if passed_h >= hours:
                break
    return samples, missed, feed.differ


def _name(key: str) -> str:
    """The key of the tour, which tmux types, as Textual calls it."""
    return _NAMES.get(key, key.lower() if len(key) > 1 else key)


def _sample(hours: float, refreshes: int) -> _Sample:
    at = Path("/proc/self")
    descriptors, threads = (len(list((at / part).iterdir())) for part in ("fd", "task"))
    memory_mib = resident_mib(os.getpid())
    return _Sample(hours, memory_mib, descriptors, threads, refreshes, time.process_time())


def measure(hours: float = 24, per_s: float = 20, live: int = 500) -> list[Result]:
    """Memory, descriptors and processor time after the first hours, and rows beside what the source has."""
    samples, missed, differ = asyncio.run(_day(hours, per_s, live))
    warm = [sample for sample in samples if sample.hours >= WARM_UP * hours]
    resident = np.array([sample.resident_mib for sample in warm])
    low, high = float(resident.min()), float(resident.max())
    halves = warm[: len(warm) // 2 + 1], warm[len(warm) // 2 :]
    early, late = map(_ms_per_refresh, halves)
    found = [
        Result("hours", samples[-1].hours, detail=f"{per_s:.0f} connections a second, {live} open"),
        Result(
            "highest / lowest resident memory after the warm-up",
            high / low,
            at_most=1.05,
            detail=f"{low:.1f} to {high:.1f} MiB from hour {warm[0].hours:.1f}",
        ),
        Result(
            "processor time per refresh, keys included, second half / first",
            late / early,
            at_most=1.1,
            detail=f"{early:.0f} and {late:.0f} ms",
        ),
        Result("rows that differ from what there is", differ, at_most=0),
        Result("tours of all views", len(samples), detail=f"not shown: {dict(+missed)}"),
    ]
    for name in ("descriptors", "threads"):
        before, after = (max(getattr(sample, name) for sample in half) for half in halves)
        detail = f"{before} and {after}"
        found.append(Result(f"most {name}, second half - first", after - before, at_most=0, detail=detail))
    return found


def _ms_per_refresh(samples: list[_Sample]) -> float:
    first, last = samples[0], samples[-1]
    return 1e3 * (last.cpu_s - first.cpu_s) / (last.refreshes - first.refreshes)
