"""The details of one connection: its RTT over time, its owner, and what holds it up."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import DIRECTIONS
from tcptop_rtt.model.snapshot import CELL_NS, SPARK_CELLS, Snapshot, Trace
from tcptop_rtt.screens import details_blocks
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.diagnosis import Verdict, diagnose
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown, shown
from tcptop_rtt.widgets.facts import FactPanel
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.rtt_chart import Floats, RttChart, Series
from tcptop_rtt.widgets.styled import COMMON_STYLES, Part, StyledLines, component_classes

SPARK_TIMES_S: Floats = np.linspace((1 - SPARK_CELLS) * CELL_NS / 1e9, 0.0, SPARK_CELLS)
"""When the cells of a row's sparkline were, relative to the snapshot."""


MIN_ENDPOINT = 21
"""An IPv4 address and a port always fit."""
RECENT_S = 60.0
"""What the chart shows, unless the user wants everything."""
TITLE_REST = 40
"""Cells of the title's first line besides the endpoints, at most: process, PID, arrow, state."""


class TitleLines(StyledLines):
    """Which connection, its owner, and the verdict."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "title-lines", "name", "value", "flag", "stalled", *COMMON_STYLES
    )


class DetailsScreen(LiveScreen):
    """The details of one connection. Once it has ended they stay, marked CLOSED, with the last values."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back", tooltip="Back to the table", id="back"),
        Binding(
            "left_square_bracket",
            "neighbour(-1)",
            "Previous",
            False,
            tooltip="The details of the connection on the line above",
            id="previous",
        ),
        Binding(
            "right_square_bracket",
            "neighbour(1)",
            "Next",
            False,
            tooltip="The details of the connection on the line below",
            id="next",
        ),
        Binding(
            "z",
            "toggle('shows_all')",
            "Zoom",
            tooltip="Show the last minute in the chart, or everything",
            id="zoom",
        ),
    ]

    @dataclass
    class NeighbourWanted(Message):
        """The user wants to see the connection so many lines further in the table."""

        step: int

    shows_all: var[bool] = var(False, init=False)
    """The chart shows everything, not just the last minute."""

    def __init__(self, id: int, first: Snapshot, glyphs: Glyphs, problem: str) -> None:  # noqa: A002
        super().__init__(first)
        self.set_reactive(DetailsScreen.problem, problem)
        self.connection_id = id
        self.closed = False
        self._glyphs = glyphs
        self._shown_ns = first.clock_ns  # a frozen screen shows an older snapshot than the latest
        self._row: Shown | None = None
        self._verdict: Verdict | None = None
        self._trace: Trace | None = None
        self._trace_time_ns = first.clock_ns
        self._opened_ns = first.clock_ns
        self._before: Floats = np.zeros(SPARK_CELLS)
        self._title = TitleLines()
        self._chart = RttChart(glyphs)
        self._facts = FactPanel()
        at = _index(first, id)
        if at is not None:
            # What the sparkline showed is the chart's past: it is never empty at first.
            self._before = first.spark_us(np.array([at]))[:, 0].astype(np.float64)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._chart
        yield self._facts
        yield KeyLine()

    def on_mount(self) -> None:
        self._facts.focus()
        self.paint(self._latest)

    def watch_problem(self) -> None:
        self._show_title()

    def watch_frozen(self) -> None:
        super().watch_frozen()
        self._show_title()

    def watch_shows_all(self) -> None:
        self._chart.show(self._series())

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)

    @property
    def chosen(self) -> Connection | None:
        return self._row

    def action_neighbour(self, step: int) -> None:
        """Leave for the details of another connection."""
        if self.is_current:
            self.post_message(self.NeighbourWanted(step))

    def watch_message(self) -> None:
        self._show_title()

    def paint(self, snapshot: Snapshot) -> None:
        at = _index(snapshot, self.connection_id)
        if at is not None:
            self._row = shown(snapshot.rows[np.array([at])], snapshot.health.unknown)[0]
            self._verdict = diagnose(self._row)
        self.closed = at is None or bool(snapshot.rows["closed"][at])
        trace = snapshot.trace
        if trace is not None and trace.id == self.connection_id:
            self._trace, self._trace_time_ns = trace, snapshot.clock_ns
        self._show_title()
        if self._row is not None and self._verdict is not None:
            self._facts.show(details_blocks.blocks(self._row, self._trace, self._verdict, self._glyphs))
        self._shown_ns = snapshot.clock_ns
        self._chart.show(self._series())

    def _series(self) -> Series:
        """The samples since this screen was opened, and what was known of the time before."""
        return dataclasses.replace(self._samples(), empty=_why_empty(self._row, self.closed))

    def _samples(self) -> Series:
        now_ns = self._shown_ns
        if self.closed and self._trace is not None:
            now_ns = self._trace_time_ns  # nothing comes any more: the chart stands still
        before_s = SPARK_TIMES_S - (now_ns - self._opened_ns) / 1e9
        trace = self._trace
        if trace is None or not len(trace.time_s):
            return _samples_of(before_s, self._before, np.full(SPARK_CELLS, np.nan), RECENT_S)
        time_s = trace.time_s - (now_ns - self._trace_time_ns) / 1e9
        older = before_s < time_s[0]
        return _samples_of(
            np.concatenate((before_s[older], time_s)),
            np.concatenate((self._before[older], trace.rtt_us)),
            np.concatenate((np.full(int(older.sum()), np.nan), trace.srtt_us)),
            np.inf if self.shows_all else RECENT_S,
        )

    def _show_title(self) -> None:
        row, verdict = self._row, self._verdict
        if row is None or verdict is None:
            self._title.set_lines([[("this connection is gone", "dim")]])
            return
        first: list[Part] = []
        for on, name in ((self.closed, "CLOSED"), (self.frozen, "FROZEN")):
            if on:
                first += [(f" {name} ", "flag"), ("  ", "")]
        name, pid = fmt.process(row, self._glyphs), fmt.pid(row)
        state = fmt.state(row.state, self.closed, row.stalled)
        first += [
            (name, "name"),
            (f" {pid}  ", "dim"),
            *self._endpoints(row),
            (f"  {state}", "stalled" if state == "STALLED" else "dim"),
        ]
        second: list[Part] = []
        if self.message:
            second += [(f" {self.message} ", "flag"), ("  ", "")]
        if self.problem:
            second += [("! " + fmt.printable(self.problem, self._glyphs) + "  ", "bad")]
        if not (row.stalled and not self.closed):
            second += [("RTT ", "dim"), (fmt.rtt_now(row), fmt.rtt_level(row)), ("  ", "")]
        second.append((str(verdict), details_blocks.style_of(verdict)))
        self._title.set_lines([first, second])

    def _endpoints(self, row: Connection) -> list[Part]:
        local = fmt.local(row, self._glyphs)
        remote = fmt.remote(row, self._glyphs)
        room = max(2 * MIN_ENDPOINT, self.size.width - TITLE_REST)
        if len(local) + len(remote) > room:
            local = fmt.shorten(local, max(MIN_ENDPOINT, room - len(remote)), self._glyphs)
            remote = fmt.shorten(remote, room - len(local), self._glyphs)
        return [
            (local, "value"),
            (f" {self._arrow(row.direction)} ", "dim"),
            (remote, "value"),
        ]

    def _arrow(self, direction: int) -> str:
        glyphs = self._glyphs
        arrows = {"out": glyphs.outgoing, "in": glyphs.incoming, None: glyphs.unknown_direction}
        return arrows[DIRECTIONS[direction] if direction < len(DIRECTIONS) else None]


def _index(snapshot: Snapshot, id: int) -> int | None:  # noqa: A002
    found = np.flatnonzero(snapshot.rows["id"] == id)
    return int(found[0]) if len(found) else None


def _why_empty(row: Connection | None, closed: bool) -> str:
    """What the chart says where it has nothing to draw: a sample is waited for only where one may come."""
    if row is None or closed:
        return "no RTT sample was taken"
    if not row.was_sampled:
        if row.bytes_received and not row.unacked_bytes:
            return "no RTT sample: it only receives, and only what it sends brings one"
        if row.scanned and not row.unacked_bytes and not row.notsent_bytes:
            return "no RTT sample: nothing has been sent yet"
        return "waiting for the first RTT sample"
    return f"no RTT sample: the latest one came {fmt.ago(row.rtt_age_ms)}"


def _samples_of(time_s: Floats, rtt_us: Floats, srtt_us: Floats, recent_s: float) -> Series:
    """Without what is older, and without the leading times that have no sample."""
    known = np.flatnonzero((rtt_us > 0) & (time_s >= -recent_s))
    start = int(known[0]) if len(known) else len(time_s)
    return Series(time_s[start:], rtt_us[start:], srtt_us[start:])
