"""Snapshots made by hand, and a feed that publishes them when a test says so."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from textual.app import App
from textual.pilot import Pilot

from tcptop_rtt.app import TcptopApp
from tcptop_rtt.feeds.base import Capability, Feed
from tcptop_rtt.model.listeners import no_listeners
from tcptop_rtt.model.snapshot import (
    SPARK_CELLS,
    Changes,
    Health,
    NamedProcess,
    Origin,
    OwnCost,
    Process,
    ProcessKey,
    Snapshot,
    Trace,
)
from tcptop_rtt.model.targets import no_targets
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.preferences import Preferences
from tcptop_rtt.widgets.connection_table import ConnectionTable
from tests.unit.rows import rows_of
from tests.waiting import ENOUGH_S

HEALTH = Health("tcp_probe", "fentry refused", 1234.0, 0, 1.5)
START_NS = 1_700_000_000_000_000_000
HOSTILE = b"[/red]$(x)\x1b[31m"


def snapshot(
    *connections: dict[str, Any],
    step: int = 0,
    health: Health = HEALTH,
    trace: Trace | None = None,
    clock_set_s: int = 0,
    listeners: NDArray[np.void] | None = None,
    targets: NDArray[np.void] | None = None,
    cost: OwnCost | None = None,
) -> Snapshot:
    """``step`` seconds after the first one, since when the wall clock has been set forward so far."""
    rows = rows_of(*connections)
    spark = np.full((SPARK_CELLS, len(rows)), np.nan, np.float32)
    spark[-1] = rows["srtt_us"]
    time_ns = START_NS + (step + clock_set_s) * 1_000_000_000
    listening = no_listeners() if listeners is None else listeners
    return Snapshot(
        time_ns, step * 1_000_000_000, rows, tuple(spark), health, trace,
        targets=no_targets() if targets is None else targets, listeners=listening, cost=cost,
    )  # fmt: skip


def trace_of(id_: int, *rtt_us: int, **fields: Any) -> Trace:
    """A second apart, the last one now."""
    samples = np.array(rtt_us, np.uint32)
    values: dict[str, Any] = {
        "id": id_,
        "time_s": np.arange(1 - len(samples), 1, dtype=np.float64)[: len(samples)],
        "rtt_us": samples,
        "srtt_us": samples,
        "samples": len(samples),
        "weight": np.ones(len(samples), np.float32),
        "changes": Changes(np.zeros(0), np.zeros(0, np.uint32), np.zeros(0, bool)),
        "lowest_us": int(samples.min()) if rtt_us else 0,
        "highest_us": int(samples.max(initial=0)),
        "holders": (NamedProcess(1001, b"nginx"), NamedProcess(1002, b"nginx")),
        "holder_note": "",
        "user": "www-data",
        "process": Process(1001, "nginx: worker", 1_700_000_000.0, 2.5, 30_000_000),
        "cgroup_path": "/web.slice/nginx",
    }
    return Trace(**(values | fields))


class HandFeed(Feed):
    """Has no snapshots by itself: a test calls :meth:`step`."""

    origin = Origin("testhost", "6.1.0", "tcp_probe", START_NS)

    def __init__(
        self,
        failure: Exception | None = None,
        health: Health = HEALTH,
        capabilities: frozenset[Capability] = frozenset(Capability),
    ) -> None:
        self._health = health
        self._capabilities = capabilities
        self.traced: list[int | None] = []
        self.refreshes: list[float] = []
        self.measured = 0
        """How often it was asked to measure what it costs."""
        self.finished = threading.Event()
        self._failure = failure
        self.refusal: Exception | None = None
        self._steps: queue.SimpleQueue[Snapshot | None] = queue.SimpleQueue()
        self._taken: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._capabilities

    @property
    def health(self) -> Health:
        return self._health

    def open(self) -> None:
        """Nothing to wait for."""
        if self.refusal is not None:
            raise self.refusal

    def snapshots(self) -> Iterator[Snapshot]:
        while snapshot := self._steps.get():
            yield snapshot
            self._taken.put(None)
        self.finished.set()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        self._steps.put(None)

    def set_trace(self, connection: int | None) -> None:
        self.traced.append(connection)

    def set_refresh(self, seconds: float) -> None:
        self.refreshes.append(seconds)

    def measure_cost(self) -> None:
        self.measured += 1

    def cgroup(self, process: ProcessKey) -> str | None:
        """Nobody asks."""
        raise NotImplementedError

    def step(self, snapshot: Snapshot) -> None:
        """Have it published, once the app has begun."""
        self._steps.put(snapshot)
        self._taken.get(timeout=30)


class Stage:
    """An app on a made-up terminal, and the hand that feeds it."""

    def __init__(self, pilot: Pilot[None], app: TcptopApp, feed: HandFeed) -> None:
        self.pilot = pilot
        self.app = app
        self.feed = feed

    async def show(self, *connections: dict[str, Any], **more: Any) -> None:
        self.feed.step(snapshot(*connections, **more))
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for what comes by itself; fails with a picture of the screen."""
        deadline = time.monotonic() + ENOUGH_S
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {ENOUGH_S} s: {what}; the screen is:\n{self.screen_text}")
            await asyncio.sleep(0.05)
            await self.pilot.pause()

    async def until_shown(self, text: str) -> None:
        """Wait until it is on the screen."""
        await self.until(lambda: text in self.screen_text, f"{text!r} on the screen")

    @property
    def main(self) -> MainScreen:
        return self.app.main

    @property
    def table(self) -> ConnectionTable:
        return self.app.main.table

    @property
    def screen_text(self) -> str:
        return text_of(self.app)


def text_of(app: App[None]) -> str:
    """What the terminal shows, line by line."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


def make_app(
    feed: HandFeed,
    filter: Filter | None = None,  # noqa: A002
    glyphs: Glyphs = UNICODE,
    theme: str | None = None,
    preferences: Preferences | None = None,
) -> TcptopApp:
    return TcptopApp(feed, filter or Filter(), 1.0, glyphs, preferences=preferences or Preferences(theme))
