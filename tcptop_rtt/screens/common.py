"""The screen that shows what the bad ones among the listed connections have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import var

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.names import Names
from tcptop_rtt.model.rows import fields_of
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.view import common_words as words
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import meanings
from tcptop_rtt.view.common import Common, Share, compare
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.listing import Scope, matching
from tcptop_rtt.view.meanings import BAD, Judged, Meaning
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.line_list import LineList, ListLine
from tcptop_rtt.widgets.status_bar import describe
from tcptop_rtt.widgets.styled import COMMON_STYLES, Part, StyledLines, component_classes

BAR = 10
"""The cells of a share's bar."""
BAR_WIDTH = 100
"""Narrower terminals have no room for the bar."""


class CommonTitle(StyledLines):
    """The lines above the list: how many connections are bad, and what counts as bad."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "common-title", "name", "value", "flag", "chosen", *COMMON_STYLES
    )


class CommonScreen(LiveScreen):
    """Lists what bad connections share, by evidence, and updates the list with each snapshot.

    :param first: the snapshot that the table shows
    :param filter: the table's filter
    :param scope: the group that is open in the table
    :param names: the names that the table shows, which the filter searches, too
    :param narrow: called with the filter for the line that the user has chosen
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "narrow", "Filter", tooltip="Show those that share it: filter by it", id="narrow"),
        Binding("escape,q", "leave", "Back", tooltip="Back to the table", id="leave-common"),
        Binding(
            "tab",
            "next_meaning(1)",
            "Meaning",
            tooltip="Ask for others: bad, slow, retransmitting, each WHY, what the filter selects",
            id="next-meaning",
        ),
        Binding(
            "shift+tab",
            "next_meaning(-1)",
            "Meaning before",
            False,
            tooltip="The same the other way round",
            id="previous-meaning",
        ),
    ]

    meaning: var[Meaning] = var(BAD, init=False)
    """Which connections count as bad."""

    def __init__(
        self,
        first: Snapshot,
        filter: Filter,  # noqa: A002
        scope: Scope | None,
        names: Names,
        glyphs: Glyphs,
        narrow: Callable[[str], None],
    ) -> None:
        super().__init__(first)
        self._filter = filter
        self._scope = scope
        self._names = names
        self._glyphs = glyphs
        self._narrow = narrow
        self._shown = first  # a frozen screen shows an older snapshot than the latest
        self._offered = [(BAD, 0)]
        self._common = Common(0, 0)
        self._title = CommonTitle()
        self._lines = LineList(glyphs)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._lines
        yield KeyLine()

    def on_mount(self) -> None:
        self._lines.focus()
        self.watch(self._lines, "cursor_key", self.refresh_bindings)
        self.paint(self._shown)

    def watch_problem(self) -> None:
        self._show_title()

    def watch_message(self) -> None:
        self._show_title()

    def watch_frozen(self) -> None:
        super().watch_frozen()
        self._show_title()

    def watch_meaning(self) -> None:
        self._common = Common(0, 0)  # the list for another meaning has an order of its own
        self._lines.start_over()
        self.paint(self._shown)

    def on_resize(self) -> None:
        self._show_lines()

    @property
    def chosen(self) -> Connection | None:
        return None

    @property
    def share(self) -> Share | None:
        """The share on the cursor's line; None: the line has none."""
        key = self._lines.cursor_key
        return next((share for share in self._common.shares if share.key == key), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offers actions that would do something."""
        if action == "copy":
            return False
        if action == "narrow":
            return self.share is not None
        return action != "next_meaning" or len(self._offered) > 1

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss(None)

    def action_narrow(self) -> None:
        """Filters the table by the share under the cursor, and leaves."""
        share = self.share
        if share is None or not self.is_current:
            return
        if not share.said.filter:
            self.tell('no filter can say this: there is a " in it')
            return
        self._narrow(share.said.filter)
        self.dismiss(None)

    def on_line_list_chosen(self) -> None:
        self.action_narrow()

    def action_next_meaning(self, step: int) -> None:
        """Counts other connections as bad."""
        them = [one for one, _ in self._offered]
        at = [one.name for one in them].index(self.meaning.name)
        self.meaning = them[(at + step) % len(them)]

    def paint(self, snapshot: Snapshot) -> None:
        self._shown = snapshot
        before = [share.key for share in self._common.shares]
        lacking, number_before = snapshot.health.lacking, len(self._offered)
        listed = matching(snapshot, self._filter, self._scope, self._names)
        judged = Judged(fields_of(snapshot.rows, listed), lacking)
        self._offered = meanings.offered(judged, self.meaning.name)
        if self._filter.text:
            selected = meanings.selected_by(self._filter.text, self._names)
            self._offered.append((selected, len(listed)))
        if self.meaning.widens:
            listed = matching(snapshot, replace(self._filter, text=""), self._scope)
            judged = Judged(fields_of(snapshot.rows, listed), lacking)
        bad, good = self.meaning.ask(judged)
        compared = bad | good
        get = fields_of(snapshot.rows, listed[compared])
        self._common = compare(get, bad[compared], lacking, before, self._glyphs)
        self._show_lines()
        self._show_title()
        if number_before != len(self._offered):
            self.refresh_bindings()

    def _show_lines(self) -> None:
        common, lines = self._common, []
        for share in common.shares:
            first, rest = words.sentence(share, common, self.meaning)
            parts: list[Part] = [(f"{_times(share.lift):>6}  ", "dim"), (first, "value"), (rest, "dim")]
            if self.size.width >= BAR_WIDTH:
                parts.insert(1, (self._bar(share.shared / common.bad) + "  ", "warn"))
            lines.append(ListLine(share.key, tuple(parts)))
        if not lines:
            lines.append(ListLine(None, ((" " + words.nothing(common), "dim"),)))
        if common.more:
            lines.append(ListLine(None, ((f"        and {common.more:,} more, which say less", "dim"),)))
        self._lines.show(lines)

    def _bar(self, share: float) -> str:
        cells = round(share * BAR)
        return self._glyphs.share * cells + self._glyphs.rest * (BAR - cells)

    def _show_title(self) -> None:
        first: list[Part] = [(" FROZEN ", "flag"), ("  ", "")] if self.frozen else []
        first += [("in common  ", "name"), (words.count(self._common, self.meaning), "value")]
        if self._scope is not None:
            first += [(f"  {self._scope.kind.name} > {self._scope.label}", "dim")]
        wanted = describe(self._filter)
        if wanted:
            first += [("  filter ", "dim"), (fmt.printable(wanted, self._glyphs), "dim")]
        second: list[Part] = []
        if self.problem:
            second += [("! " + fmt.printable(self.problem, self._glyphs) + "  ", "bad")]
        if self.message:
            second += [(f" {self.message} ", "flag"), ("  ", "")]
        for one, count in self._offered:
            is_chosen = one.name == self.meaning.name
            text = f"{one.name} {count:,}"
            second.append((f"[{text}]", "chosen") if is_chosen else (f" {text} ", "dim"))
            second.append((" ", ""))
        self._title.set_lines([first, second])


def _times(lift: float) -> str:
    """Returns how many times as frequent a value is: ``x1.9``, ``x22``."""
    return f"x{lift:.1f}" if lift < 9.95 else f"x{lift:.0f}"
