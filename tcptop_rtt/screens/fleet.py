"""The screen of many hosts: tables with the numbers of a Prometheus server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from textual.message import Message
from textual.reactive import var

from tcptop_rtt.model.fleet import FleetSnapshot, nothing_yet
from tcptop_rtt.model.question import Question
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.fleet_fields import ONE, span
from tcptop_rtt.view.fleet_list import WORDS, inner, kinds, parse
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.listing import Kind
from tcptop_rtt.widgets.connection_table import ConnectionTable
from tcptop_rtt.widgets.fleet_bar import FleetBar
from tcptop_rtt.widgets.order import Order, Page
from tcptop_rtt.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from tcptop_rtt.widgets.filter_line import FilterLine

_OF_CONNECTIONS = {
    "travel": ("past",),
    "step": ("earlier", "later"),
    "moments": ("moments",),
    "common": ("common",),
    "beside": ("beside",),
    "switch_names": ("names",),
    "copy": ("copy-remote", "copy-command"),
    "record": ("record",),
}
"""Actions that only work for connections of this machine, and the ids of their keys."""


class _Left(NamedTuple):
    """What the screen showed before a row was opened, for going back."""

    question: Question
    filter: Filter
    page: Page
    row: int | None


class FleetScreen(MainScreen):
    """Shows hosts, processes, services and networks; Enter shows what a row is made of, if that is known.

    :param question: the first question to the server
    """

    IDLE: ClassVar[Mapping[str, str]] = dict.fromkeys(
        chain.from_iterable(_OF_CONNECTIONS.values()),
        "single connections are not known here; tcptop-rtt HOST shows those of a host",
    )

    STATUS_BAR: ClassVar[type[StatusBar]] = FleetBar

    @dataclass
    class Asked(Message):
        """The user's choice needs another question to the server."""

        question: Question

    question: var[Question] = var(Question(), init=False)

    def __init__(
        self,
        question: Question,
        filter: Filter,  # noqa: A002
        refresh_s: float,
        glyphs: Glyphs,
        set_refresh: Callable[[float], None] | None,
    ) -> None:
        first = nothing_yet(question)
        super().__init__(first, filter, refresh_s, glyphs, set_refresh, self._note, None, False, None)
        self.set_reactive(FleetScreen.question, question)
        self.set_reactive(FleetScreen.page, self._page_of(question, None))
        self._trail: list[_Left] = []
        self._returned_to: int | None = None
        """The row to select once the server has answered; None: the first one."""

    @property
    def kinds(self) -> tuple[Kind | None, ...]:
        return kinds(self.question.range_s)

    def on_mount(self) -> None:
        self.waiting_for = ""
        self.set_interval(1.0, self._count)

    def show(self, snapshot: Snapshot) -> None:
        """Takes the newest answer; an answer to another question is too late, and is ignored."""
        if isinstance(snapshot, FleetSnapshot) and snapshot.question == self.question:
            super().show(snapshot)

    def paint(self, snapshot: Snapshot) -> None:
        super().paint(snapshot)
        if self._returned_to is not None and isinstance(snapshot, FleetSnapshot) and snapshot.answered_ns:
            self.table.select(self._returned_to)
            self._returned_to = None

    def _count(self) -> None:
        answer = self._latest
        if isinstance(self._status, FleetBar) and isinstance(answer, FleetSnapshot):
            age_ns = time.monotonic_ns() - answer.answered_ns if answer.answered_ns else 0
            self._status.health = answer.health
            self._status.tell(answer, age_ns // 10**9)

    def _note(self) -> str:
        """Returns the line of text for an empty table."""
        answer = self.table.snapshot
        if not isinstance(answer, FleetSnapshot) or not answer.answered_ns:
            return "the server has not answered yet"
        if len(answer.groups):
            count, table = len(answer.groups), answer.question.table
            counted = f"{count:,} {fmt.noun(count, ONE[table], table)}"
            return f"none of {counted} matches the filter: Esc clears it"
        return f"no host has counted any in the last {span(answer.question.range_s)}"

    def make_filter_line(self) -> FilterLine:
        from tcptop_rtt.widgets.filter_line import FilterLine, Words

        return FilterLine(self.filter.text, Words(parse, WORDS, "words, or rtt>50ms retrans>1 why:loss ..."))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _OF_CONNECTIONS:
            return False
        if action == "back" and self._trail:
            return True
        return super().check_action(action, parameters)

    # From one question to another

    def _page_of(self, question: Question, before: Page | None) -> Page:
        kind = next(kind for kind in kinds(question.range_s) if kind.name == question.table)
        return Page(kind, None, before.order if before else Order.first_of(kind.table.column[kind.first]))

    def action_next_table(self, step: int) -> None:
        names = [kind.name for kind in kinds(self.question.range_s)]
        name = names[(names.index(self.question.table) + step) % len(names)]
        question = replace(self.question, table=name)
        self._ask(question, self._page_of(question, self.page))

    def on_connection_table_group_wanted(self, message: ConnectionTable.GroupWanted) -> None:
        """Asks the server what the row is made of."""
        message.prevent_default()  # the base class would list connections
        answer = self.table.snapshot
        if not isinstance(answer, FleetSnapshot) or answer.question != self.question:
            return
        found = np.flatnonzero(answer.groups["id"] == np.uint64(message.scope.id))
        question = inner(self.question, answer.labels[int(found[0])]) if len(found) else None
        if question is None:
            self.tell("there are no further details of it: Esc goes back")
            return
        self._trail.append(_Left(self.question, self.filter, self.page, self.table.pinned))
        self.clear_filter()  # the filter is about rows of another table
        self._ask(question, self._page_of(question, self.page))

    def action_back(self) -> None:
        """Clear the filter, or else go back to the row that was opened."""
        if self.typing or self.filter.text or not self.go_out():
            self.clear_filter()

    def go_out(self) -> bool:
        """Goes back to the row that was opened, if any was."""
        if not self._trail:
            return False
        left = self._trail.pop()
        self._ask(left.question, left.page, left.row)
        self.put_filter(left.filter)
        return True

    def _ask(self, question: Question, page: Page, row: int | None = None) -> None:
        self.frozen = False
        self.question = question
        self.show(nothing_yet(question))  # no number may stand below the name of another table
        self.page = page
        self.table.select(None)
        self._returned_to = row  # there is no row to select yet
        self.refresh_bindings()
        self.post_message(self.Asked(question))
