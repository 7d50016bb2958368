"""The screen that the program starts with: the header lines, the table, the filter input."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.reactive import var
from textual.widget import Widget

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.listeners import is_full
from tcptop_rtt.model.names import Names
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens.beside import TableAndDetails
from tcptop_rtt.screens.filtered import FilteredScreen
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.screens.main_keys import MAIN_KEYS
from tcptop_rtt.screens.past import PastScreen
from tcptop_rtt.screens.recorded import RecordedScreen
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.kinds import KINDS
from tcptop_rtt.view.listing import Kind, Scope
from tcptop_rtt.view.summary import summarize
from tcptop_rtt.view.table import Column
from tcptop_rtt.widgets.connection_table import ConnectionTable
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.order import Order, Page
from tcptop_rtt.widgets.status_bar import Counts, StatusBar

REFRESHES_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class MainScreen(FilteredScreen, PastScreen, RecordedScreen):
    """Shows all connections. It holds the user's choices, and its widgets are bound to them.

    :param set_refresh: called with the chosen seconds between two snapshots; None: they cannot be chosen
    :param note: returns the line of text for an empty table
    :param resolver: finds names of hosts and services; None: there are no names
    :param named: whether names are shown from the start
    :param columns: the columns of connections; None: all
    """

    BINDINGS: ClassVar[list[BindingType]] = [*MAIN_KEYS]

    STATUS_BAR: ClassVar[type[StatusBar]] = StatusBar

    follow: var[bool] = var(False)
    shared_scale: var[bool] = var(False)
    refresh_s: var[float] = var(1.0, init=False, bindings=True)
    host: var[str] = var("")
    """The host of the connections; empty: not known yet."""
    waiting_for: var[str] = var("")
    """What the program waits for before the first snapshot; empty: nothing."""

    def __init__(
        self,
        first: Snapshot,
        filter: Filter,  # noqa: A002
        refresh_s: float,
        glyphs: Glyphs,
        set_refresh: Callable[[float], None] | None,
        note: Callable[[], str],
        resolver: Names | None,
        named: bool,
        columns: tuple[Column, ...] | None,
    ) -> None:
        super().__init__(first, glyphs, resolver, named)
        self.set_reactive(MainScreen.filter, filter)
        self.set_reactive(MainScreen.refresh_s, refresh_s)
        self._glyphs = glyphs
        self._set_refresh = set_refresh
        self._left: dict[Kind | None, tuple[Order, int | None]] = {}
        """The order and the selection of each table when it was last left."""
        self.table = ConnectionTable(first, glyphs, note, columns)
        self.beside = TableAndDetails(self.table, first, glyphs)
        self._status = self.STATUS_BAR(glyphs)

    def compose(self) -> ComposeResult:
        yield self._status.data_bind(
            MainScreen.page,
            MainScreen.filter,
            MainScreen.follow,
            MainScreen.frozen,
            MainScreen.past,
            MainScreen.refresh_s,
            MainScreen.problem,
            MainScreen.message,
            MainScreen.waiting_for,
            MainScreen.host,
            MainScreen.recording,
        )
        self.table.data_bind(
            MainScreen.page,
            MainScreen.filter,
            MainScreen.follow,
            MainScreen.shared_scale,
            MainScreen.names,
            MainScreen.travelling,
        )
        yield self.beside
        yield KeyLine()

    @property
    def chosen(self) -> Connection | None:
        row = self.table.selected
        return row if isinstance(row, Connection) else None

    def on_mount(self) -> None:
        self.table.focus()
        self.watch(self.table, "shown", self._count)

    def show(self, snapshot: Snapshot) -> None:
        """Takes the newest snapshot. The header lines are of the one that the table shows."""
        self.waiting_for = ""
        self._status.heard()
        super().show(snapshot)
        self._status.summary = summarize(self._shown)
        self._count()

    def show_row(self, table: str, row: int) -> None:
        kind = next((kind for kind in KINDS if kind.name == table), None)
        if self.page.kind is not kind or self.page.scope:
            self._turn_to(kind)
        self.table.select(row)
        if not self.table.shows(row):
            self.tell("the filter hides it")

    def neighbour(self, step: int, latest: Snapshot) -> int | None:
        """Selects the connection ``step`` lines from the selected one. Returns its id; None: there is none.

        :param latest: the table, which has taken no snapshot while it was covered, takes it first
        """
        table = self.table
        selected, line = table.pinned, table.cursor_line
        self.show(latest)
        if selected is not None and table.shows(selected):
            line = table.cursor_line
        elif step > 0:
            line -= 1  # the next one has taken its line
        return table.go_to(line + step)

    def paint(self, snapshot: Snapshot) -> None:
        self.beside.paint(snapshot)

    @property
    def above_filter_line(self) -> Widget:
        return self.beside

    def action_beside(self) -> None:
        self.tell(self.beside.toggle())

    def show_new_names(self) -> None:
        self.beside.show_new_names()

    def _count(self) -> None:
        snapshot = self._shown
        self._status.health = snapshot.health
        self._status.counts = Counts(
            total=self.table.total,
            shown=self.table.shown,
            time_wait=sum(one.time_wait for one in snapshot.waiting),
            syn_recv=sum(one.syn_recv for one in snapshot.waiting),
            full_queues=int(np.count_nonzero(is_full(snapshot.listeners.__getitem__))),
            failed_per_s=float(snapshot.targets["per_s"].sum()),
            time_ns=snapshot.time_ns,
            closed=int(np.count_nonzero(snapshot.rows["closed"])),
        )

    def watch_problem(self) -> None:
        self.waiting_for = ""

    def watch_refresh_s(self, seconds: float) -> None:
        if self._set_refresh:
            self._set_refresh(seconds)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers actions that would change something; while a filter is typed, keys but Esc are its text."""
        if action == "back":
            return self.typing or self.travelling or bool(self.filter.text) or self.page.scope is not None
        if self.typing:
            return False
        if action == "copy":
            return self.page.kind is None and self.table.lines > 0  # the table lists connections
        if action == "switch_names":
            return self._resolver is not None
        if action == "record":
            return self.recordings is not None
        if (action, *parameters) == ("toggle", "follow"):
            return self.follow or self.table.lines > 0
        if (action, *parameters) == ("toggle", "shared_scale"):
            return "spark" in self.page.table.column
        if action == "sort":
            return parameters[0] in self.page.table.column
        if action == "change_refresh":
            (step,) = parameters
            return bool(self._set_refresh and self._other_refreshes(int(str(step))))
        return super().check_action(action, parameters)

    # Groups

    @property
    def kinds(self) -> tuple[Kind | None, ...]:
        """The tables, in the order in which Tab goes through them; None: that of connections."""
        return None, *KINDS

    def action_next_table(self, step: int) -> None:
        """Shows the next table: after the connections each kind of group, then the connections again."""
        kinds = self.kinds
        at = kinds.index(self.page.scope.kind if self.page.scope else self.page.kind)
        self._turn_to(kinds[(at + step) % len(kinds)])

    def on_connection_table_group_wanted(self, message: ConnectionTable.GroupWanted) -> None:
        self._turn_to(None, message.scope)

    def _turn_to(self, kind: Kind | None, scope: Scope | None = None) -> None:
        """Shows another table, with the order and selection that it had when it was left."""
        left = self.page
        if left.scope is None:
            self._left[left.kind] = left.order, self.table.pinned
        order, selected = self._left.get(kind, (Order.of(kind, left), None))
        if scope is not None:
            selected = None
        self.page = Page(kind, scope, order)
        self.table.select(selected)

    # The time between two snapshots

    def action_change_refresh(self, step: int) -> None:
        """Changes to the next longer or shorter time."""
        others = self._other_refreshes(step)
        if others:
            self.refresh_s = others[0]

    def _other_refreshes(self, step: int) -> list[float]:
        """Returns the longer or shorter times, the nearest first."""
        if step > 0:
            return [seconds for seconds in REFRESHES_S if seconds > self.refresh_s]
        return [seconds for seconds in reversed(REFRESHES_S) if seconds < self.refresh_s]

    def action_common(self) -> None:
        """Shows what the bad ones of the listed connections have in common."""
        from tcptop_rtt.screens.common import CommonScreen

        if self.is_current:
            screen = CommonScreen(
                self.table.snapshot, self.filter, self.page.scope, self.names, self._glyphs, self.narrow
            )
            screen.set_reactive(LiveScreen.frozen, self.frozen or self.travelling)
            screen.set_reactive(LiveScreen.problem, self.problem)
            self.app.push_screen(screen)

    def narrow(self, text: str) -> None:
        """Adds a condition to the filter, and goes from rows that are no groups of connections to these."""
        if self.page.kind is not None and not self.page.kind.of_connections:
            self._turn_to(None)
        super().narrow(text)

    def action_back(self) -> None:
        """Goes one step back: returns to now, or else clears the filter, or else leaves the group."""
        if self.typing or (self.filter.text and not self.travelling) or not self.go_out():
            self.clear_filter()

    def go_out(self) -> bool:
        """Leaves the past, or else the group that is shown; returns False if there is nothing to leave."""
        if self.travelling:
            self.return_to_now()
        elif self.page.scope is not None:
            self._turn_to(self.page.scope.kind)
        else:
            return False
        return True
