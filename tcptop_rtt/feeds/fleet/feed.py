"""The feed of a Prometheus server: one query per refresh, and now and then one for the sparklines."""

from __future__ import annotations

import queue
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.feeds.base import Capability, Feed
from tcptop_rtt.feeds.clock import Clock
from tcptop_rtt.feeds.fleet import queries
from tcptop_rtt.feeds.fleet.client import Client, FleetError
from tcptop_rtt.feeds.fleet.rows import Labels, Rows, samples_of, sparklines
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.fleet import FleetSnapshot, nothing_yet
from tcptop_rtt.model.question import Question
from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, Origin, ProcessKey

_KEPT = 16
"""The number of questions whose latest answer is kept, to show it at once if the user goes back."""
_PAUSE = 4
"""After an answer, the server is left alone for at least so many times as long as the answer took."""
_SCRAPES = 4
"""A rate is computed over at least so many scrapes, as one may fail."""


class FleetFeed(Feed):
    """Asks one server, again and again.

    :param question: the first question
    :param refresh_s: the shortest time between two queries
    :param has_sparks: whether sparklines are needed
    """

    def __init__(
        self, url: str, question: Question, refresh_s: float, has_sparks: bool, clock: Clock | None = None
    ) -> None:
        """Prepare the client, without a query.

        :raises UsageError: the address is invalid
        """
        self._client = Client(url, self._is_of_use)
        self._clock = clock or Clock()
        self._wanted = question
        self._asked = 0  # how often the question has changed
        self._answering = 0  # the value of _asked for the question that is being answered
        self._refresh_s = refresh_s
        self._has_sparks = has_sparks
        self._scrape_s = 0.0
        self._recorded: frozenset[str] = frozenset()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopped = False
        self._kept: OrderedDict[Question, FleetSnapshot] = OrderedDict()

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.REFRESH})

    @property
    def health(self) -> Health:
        return Health()

    @property
    def origin(self) -> Origin:
        return Origin(self._client.name, "", "", 0)

    @property
    def question(self) -> Question:
        return self._wanted

    def open(self) -> None:
        if self._scrape_s:
            return
        try:
            presence = self._client.vector(queries.presence())
        except FleetError as error:
            if self._stopped:
                return
            raise TcptopError(f"cannot ask {self._client.name}: {error}") from None
        found = {str(metric.get("field")): value for metric, _, value in samples_of(presence.series)}
        scrapes = found.pop("scrapes", 0.0)
        self._recorded = frozenset(found)
        if not scrapes >= 1:
            if presence.partial:  # they may be in what is missing
                raise TcptopError(f"cannot ask {self._client.name}: {presence.partial}")
            raise TcptopError(
                f"{self._client.name} has no metrics of tcptop-rtt from the last five minutes: "
                "let it scrape hosts that run tcptop-rtt --prometheus 9464"
            )
        self._scrape_s = queries.PRESENCE_S / scrapes

    def snapshots(self) -> Iterator[FleetSnapshot]:
        clock = self._clock
        while not self._stopped:
            while not self._wake.empty():
                self._wake.get_nowait()  # several requests need one answer
            is_another = self._answering != self._asked
            self._answering = self._asked
            question = self._wanted
            before = self._kept.get(question)
            if before is not None and is_another:
                yield before
            began_s = clock.monotonic_s()
            yield from self._answers(question, before)
            clock.wait(self._wake, max(self._refresh_s, _PAUSE * (clock.monotonic_s() - began_s)))

    def stop(self) -> None:
        self._stopped = True
        self._wake.put(None)
        self._client.cancel()

    def set_refresh(self, seconds: float) -> None:
        self._refresh_s = seconds
        self._wake.put(None)

    def set_trace(self, connection: int | None) -> None:
        """Does nothing: there are no connections."""

    def cgroup(self, process: ProcessKey) -> str | None:  # noqa: ARG002
        """Always None: nothing is known of processes."""
        return None

    def ask(self, question: Question) -> None:
        if question != self._wanted:
            self._wanted = question
            self._asked += 1
            self._wake.put(None)
            self._client.cancel()

    def _is_of_use(self) -> bool:
        """Whether the answer to the running query is still wanted."""
        return not self._stopped and self._answering == self._asked

    def _answers(self, question: Question, before: FleetSnapshot | None) -> Iterator[FleetSnapshot]:
        """Yield the new answer, and again with new sparklines; or the previous answer with the problem."""
        latest = before or nothing_yet(question)
        try:
            yield (latest := self._table(question, latest))
            if self._has_sparks and latest.time_ns - latest.history_ns >= 1e9 * _step_s(question):
                yield (latest := self._with_history(latest))
        except FleetError as error:
            if self._is_of_use():
                yield replace(latest, health=Health(problem=self._said(str(error))))
        if latest.answered_ns:
            self._kept[question] = latest
            self._kept.move_to_end(question)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _table(self, question: Question, before: FleetSnapshot) -> FleetSnapshot:
        began_ns = self._clock.monotonic_ns()
        found = self._client.vector(queries.table(question, self._recorded))
        rows = Rows(question, found.series)
        rows.groups.setflags(write=False)
        now_ns = self._clock.monotonic_ns()
        return replace(
            before,
            time_ns=round(rows.time_s * 1e9) or self._clock.wall_ns(),
            clock_ns=now_ns,
            health=Health(problem=self._said(found.partial) or _without_rates(rows)),
            groups=rows.groups,
            labels=rows.labels,
            hosts=rows.hosts,
            is_cut=rows.is_cut,
            history_us=_carried(before, rows.labels),
            took_s=(now_ns - began_ns) / 1e9,
            answered_ns=now_ns,
        )

    def _with_history(self, table: FleetSnapshot) -> FleetSnapshot:
        question, end_s, step_s = table.question, table.time_ns / 1e9, _step_s(table.question)
        window_s = round(min(question.range_s, max(step_s, _SCRAPES * self._scrape_s)))
        query = queries.history(question, max(1, window_s))
        found = self._client.matrix(query, end_s - (SPARK_CELLS - 1) * step_s, end_s, step_s)
        history_us = sparklines(question, table.labels, found.series, end_s, step_s)
        health = Health(problem=table.health.problem or self._said(found.partial))
        return replace(table, health=health, history_us=history_us, history_ns=table.time_ns)

    def _said(self, what: str) -> str:
        """A problem, with the server that has it; empty if there is none."""
        return f"{self._client.name}: {what}" if what else ""


def _without_rates(rows: Rows) -> str:
    """Why there are rows but no rates; empty otherwise."""
    if not len(rows.groups) or not np.isnan(rows.groups["in_bps"]).all():
        return ""
    return "no host was scraped twice within the time range: a longer one (--fleet-range) has rates"


def _step_s(question: Question) -> float:
    """The time that a cell of a sparkline stands for."""
    return question.range_s / SPARK_CELLS


def _carried(before: FleetSnapshot, labels: tuple[Labels, ...]) -> NDArray[np.float32]:
    """The sparklines of the previous answer, in the row order of the new one; nan for new rows."""
    if labels == before.labels:
        return before.history_us
    old = {each: at for at, each in enumerate(before.labels)}
    blank = np.full((SPARK_CELLS, 1), np.nan, np.float32)
    found = np.hstack([before.history_us, blank])[:, [old.get(each, -1) for each in labels]]
    found.setflags(write=False)
    return found
