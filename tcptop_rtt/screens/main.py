"""The screen that everything starts on: the header lines, the table, the filter input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.widgets.connection_table import ConnectionTable
from tcptop_rtt.widgets.glyphs import Glyphs
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.status_bar import Status, StatusBar

if TYPE_CHECKING:
    from tcptop_rtt.widgets.filter_line import FilterLine

INTERVALS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class MainScreen(LiveScreen):
    """All connections."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "sort('rtt')", "RTT", tooltip="Sort by round-trip time; again: reverse"),
        Binding("p", "sort('process')", "Process", tooltip="Sort by process; again: reverse"),
        # Priority: else what is typed right behind it is on its way to the table before the line is open.
        Binding("slash", "filter", "Filter", key_display="/", priority=True),
        Binding("space", "freeze", "Freeze", key_display="Space"),
        Binding("f", "follow", "Follow", tooltip="Hold the selected connection on its line"),
        Binding("question_mark", "app.help", "Help", key_display="?"),
        Binding("q", "app.quit", "Quit"),
        Binding("s", "sort_next", "Next column"),
        Binding("S", "reverse", "Reverse", key_display="S"),
        Binding("plus,equals_sign", "interval(1)", "Interval", key_display="+/-"),
        Binding("minus", "interval(-1)", show=False),
        Binding("escape", "clear_filter", show=False),
    ]

    def __init__(
        self,
        first: Snapshot,
        filter: Filter,  # noqa: A002
        interval_s: float,
        glyphs: Glyphs,
        set_interval: Callable[[float], None],
        note: Callable[[], str],
    ) -> None:
        super().__init__()
        self._latest = first
        self._frozen_total: int | None = None
        self._interval_s = interval_s
        self._tell_interval = set_interval
        self._problem = ""
        self._waiting = "compiling the BPF program"
        self._filter_line: FilterLine | None = None
        self.table = ConnectionTable(first, filter, glyphs, note)
        self._status = StatusBar(glyphs)

    def compose(self) -> ComposeResult:
        yield self._status
        yield self.table
        yield KeyLine()

    def on_mount(self) -> None:
        self.table.focus()
        self._show_status()

    @property
    def frozen(self) -> bool:
        return self._frozen_total is not None

    def show_waiting(self, what: str) -> None:
        """Say what there is no first picture for yet."""
        self._waiting = what
        self._show_status()

    def show(self, snapshot: Snapshot) -> None:
        """Take the newest picture; a frozen screen keeps the one it has."""
        self._waiting = ""
        self._latest = snapshot
        if not self.frozen:
            self.table.show(snapshot)
        self._show_status()

    def show_problem(self, text: str) -> None:
        self._waiting = ""
        self._problem = text
        self._show_status()

    @on(ConnectionTable.ViewChanged)
    def _show_status(self) -> None:
        total = len(self._latest.rows) if self._frozen_total is None else self._frozen_total
        self._status.show(
            Status(
                health=self._latest.health,
                total=total,
                shown=self.table.shown,
                interval_s=self._interval_s,
                sort_key=self.table.sort_key,
                descending=self.table.descending,
                filter=self.table.filter,
                frozen=self.frozen,
                follow=self.table.follow,
                time_wait=sum(one.time_wait for one in self._latest.waiting),
                syn_recv=sum(one.syn_recv for one in self._latest.waiting),
                problem=self._problem,
                waiting=self._waiting,
            )
        )

    def action_sort(self, key: str) -> None:
        self.table.sort_by(key, reaffirm=True)

    def action_sort_next(self) -> None:
        self.table.sort_next()

    def action_reverse(self) -> None:
        self.table.reverse()

    def action_follow(self) -> None:
        self.table.toggle_follow()

    def action_freeze(self) -> None:
        self._frozen_total = None if self.frozen else len(self._latest.rows)
        self.show(self._latest)

    def action_interval(self, step: int) -> None:
        """To the next longer or shorter refresh interval."""
        if step > 0:
            others = [seconds for seconds in INTERVALS_S if seconds > self._interval_s]
        else:
            others = [seconds for seconds in reversed(INTERVALS_S) if seconds < self._interval_s]
        if others:
            self._interval_s = others[0]
            self._tell_interval(self._interval_s)
            self._show_status()

    # The filter

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """While the filter is typed, only Esc means anything else than its character."""
        typing = self._filter_line is not None and self._filter_line.has_focus_within
        return not typing or action == "clear_filter"

    async def action_filter(self) -> None:
        if self._filter_line is None:
            from tcptop_rtt.widgets.filter_line import FilterLine

            self._filter_line = FilterLine(self.table.filter.text)
            await self.mount(self._filter_line, after=self.table)
        self._filter_line.open()

    def on_filter_line_changed(self, message: FilterLine.Changed) -> None:
        if message.text != self.table.filter.text:
            self.table.set_filter(replace(self.table.filter, text=message.text))

    def on_filter_line_closed(self) -> None:
        self.set_focus(self.table)  # Widget.focus() would wait its turn, and the next key go to the line

    def action_clear_filter(self) -> None:
        """Show all connections again, as far as the command line lets them through."""
        if self._filter_line is not None:
            self._filter_line.close(clear=True)
        if self.table.filter.text:
            self.table.set_filter(replace(self.table.filter, text=""))
