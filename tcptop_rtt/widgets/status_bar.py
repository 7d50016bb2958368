"""The lines above the table: totals and problems, and what the table shows."""

from __future__ import annotations

import time
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from textual.reactive import var

from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import own_health
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.summary import Summary
from tcptop_rtt.widgets.columns import arrow
from tcptop_rtt.widgets.order import Page
from tcptop_rtt.widgets.styled import INDENT, Part, StyledLines, component_classes

SILENT_S = 10.0
"""How much later than due a snapshot may come before the delay is shown."""


MANY_CLOSED, CLOSED_SHARE = 10, 0.1
"""From so many, and this share of all rows, closed ones are counted apart, as the total would mislead."""


class Counts(NamedTuple):
    """Numbers of connections, of those that match the filter, and of sockets that are not connections."""

    total: int = 0
    shown: int = 0
    time_wait: int = 0
    syn_recv: int = 0
    full_queues: int = 0
    """Listeners that take no more connections."""
    failed_per_s: float = 0.0
    """Failed connects per second."""
    time_ns: int = 0
    """The wall-clock time of these numbers, Unix epoch."""
    closed: int = 0
    """Those of ``total`` that have ended, and are shown for a few seconds more."""


class StatusBar(StyledLines):
    """Two lines. What matters most comes first, as a narrow terminal has no room for the rest."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "status-bar", "name", "dim", "value", "bad", "flag", "filter"
    )

    page: var[Page] = var(Page())
    filter: var[Filter] = var(Filter())
    follow: var[bool] = var(False)
    frozen: var[bool] = var(False)
    past: var[str] = var("")
    """The past time that the table shows, in words; empty if the table shows the present."""
    refresh_s: var[float] = var(1.0)
    problem: var[str] = var("")
    message: var[str] = var("")
    waiting_for: var[str] = var("")
    host: var[str] = var("")
    recording: var[str] = var("")
    """The file of the recording, and its size; empty if nothing is recorded."""
    summary: var[Summary] = var(Summary())
    health: var[Health] = var(Health())
    counts: var[Counts] = var(Counts())
    silent_s: var[float] = var(0.0)
    """How long there has been no snapshot, if one is overdue; 0 if none is."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._heard_s = time.monotonic()

    def heard(self) -> None:
        """Notes that a new snapshot has come."""
        self._heard_s = time.monotonic()
        self.silent_s = 0.0

    def _listen(self) -> None:
        silent_s = time.monotonic() - self._heard_s
        expected = self.refresh_s and not self.problem  # in a recording (refresh_s is 0) none is due
        meant_s = max(self.refresh_s, self.health.refresh_s) + SILENT_S  # a budget may delay snapshots
        self.silent_s = silent_s if expected and silent_s > meant_s else 0.0

    def on_mount(self) -> None:
        for name, attribute in vars(StatusBar).items():
            if isinstance(attribute, var):
                self.watch(self, name, self._write)
        self.set_interval(1.0, self._listen)

    def _write(self) -> None:
        room = self.size.width - INDENT
        self.set_lines([_fitting(self._facts(), room), self._second_line()])

    def on_resize(self) -> None:
        self._write()

    def _facts(self) -> list[list[Part]]:
        """Returns the facts of the first line. A fact may be empty."""
        name: Part = (fmt.printable(self.host, self._glyphs) or "tcptop-rtt", "name")
        if self.waiting_for:
            return [[name, ("  " + self.waiting_for, "value")]]
        health, summary = self.health, self.summary
        total, shown, time_wait, syn_recv, full, failed_per_s, time_ns, closed = self.counts
        count = f"{total:,}" if shown == total else f"{shown:,} of {total:,}"
        late = own_health.how_late(max(health.behind_s, self.silent_s))
        return [
            [name],
            self._time(time_ns),
            value(count, fmt.noun(total, "connection")),
            [("  " + late, "bad")] if late else [],
            value(f"{health.dropped_records:,}", "lost", "bad") if health.dropped_records else [],
            value(f"{health.untracked:,}", "without memory", "bad") if health.untracked else [],
            value(f"{full:,}", f"{fmt.noun(full, 'queue')} full", "bad") if full else [],
            value(f"{summary.stalled:,}", "stalled", "bad") if summary.stalled else [],
            value(fmt.per_second(failed_per_s), "failed connects/s", "bad") if failed_per_s else [],
            value(f"{summary.slow:,}", "slow", "bad") if summary.slow else [],
            value(f"{closed:,}", "closed") if closed >= max(MANY_CLOSED, CLOSED_SHARE * total) else [],
            value(fmt.rtt(summary.p95_us), "p95") if summary.p95_us else [],
            value(fmt.per_second(summary.retrans_per_s), "retr/s"),
            value(fmt.bits(summary.in_bps), "in b/s"),
            value(fmt.bits(summary.out_bps), "out b/s"),
            value(f"{time_wait:,}", "TIME-WAIT") if time_wait else [],
            value(f"{syn_recv:,}", "SYN-RECV") if syn_recv else [],
        ]

    def _place(self) -> str:
        """Returns what the table lists; empty for all connections."""
        scope, kind = self.page.scope, self.page.kind
        if scope:
            return f"{scope.kind.name} > {scope.label}"
        return kind.name if kind else ""

    def _time(self, time_ns: int) -> list[Part]:
        if self.past:
            return [("  ", ""), (f" {self.past} ", "flag")]
        return [("  " + fmt.clock(time_ns / 1e9), "dim")]

    def _second_line(self) -> list[Part]:
        parts: list[Part] = []
        problem = self.problem or self.health.problem
        if problem:
            parts += [("! " + fmt.printable(problem, self._glyphs), "bad"), ("  ", "")]
        if self.message:
            parts += [(self.message, "flag"), ("  ", "")]
        for on, name in ((self.frozen, "FROZEN"), (self.follow, "FOLLOW")):
            if on:
                parts += [(f" {name} ", "flag"), ("  ", "")]
        if self.recording:
            parts += [(" REC ", "flag"), (f" {fmt.printable(self.recording, self._glyphs)}  ", "value")]
        page = self.page
        title = page.table.column[page.order.key].title
        parts += [(place, "filter"), ("  ", "")] if (place := self._place()) else []
        parts += label("sort", f"{title} {arrow(page.order.descending, self._glyphs)}")
        wanted = describe(self.filter)
        if wanted:
            parts += label("  filter", fmt.printable(wanted, self._glyphs), "filter")
        if self.refresh_s:
            parts += label("  every", f"{self.refresh_s:g}s")
        missed = own_health.what_is_missed(self.health, self._glyphs)
        if missed:
            parts.append((f"  {missed}", "filter"))
        elif self.health.hook:
            parts += value(fmt.per_second(self.health.samples_per_s), "samples/s")
        budget = own_health.what_the_budget_does(self.health)
        if budget:
            parts.append((f"  {budget}", "filter"))
        cost = own_health.what_is_over(self.health) or own_health.what_matters(self.health)
        return [*parts, (f"  {cost}", "bad")] if cost else parts


def _fitting(facts: list[list[Part]], room: int) -> list[Part]:
    """Returns the first fact, and as many others as fit whole, as half a fact could be misread.

    :param room: in cells; not positive: not known yet
    """
    first, *others = facts
    line = list(first)
    for fact in others:
        if sum(cell_len(text) for text, _ in (*line, *fact)) > room > 0:
            break
        line += fact
    return line


def value(value: str, label: str, style: str = "value") -> list[Part]:
    return [("  " + value, style), (f" {label}", "dim")]


def label(label: str, value: str, style: str = "value") -> list[Part]:
    return [(f"{label} ", "dim"), (value, style)]


def describe(filter: Filter) -> str:  # noqa: A002
    """Returns a filter in words; empty if the filter lets everything through."""
    parts = [f'"{filter.text}"'] if filter.text else []
    if filter.pid is not None:
        parts.append(f"pid {filter.pid}")
    if filter.family is not None:
        parts.append(f"IPv{filter.family}")
    if filter.lport is not None:
        parts.append(f"local port {filter.lport}")
    if filter.rport is not None:
        parts.append(f"remote port {filter.rport}")
    return ", ".join(parts)
