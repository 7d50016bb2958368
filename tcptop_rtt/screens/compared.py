"""The screen of a comparison: one table of services, one of remote networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tcptop_rtt.comparing.fields import TABLE
from tcptop_rtt.comparing.listing import kinds_of, parse
from tcptop_rtt.comparing.result import WHAT_MARKS_SAY, Result
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.snapshot import Health, Snapshot, empty
from tcptop_rtt.screens.common import CommonTitle
from tcptop_rtt.screens.filtered import FilteredScreen
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.widgets.connection_table import ConnectionTable
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.keys import SORTING
from tcptop_rtt.widgets.order import Order, Page
from tcptop_rtt.widgets.styled import Part

if TYPE_CHECKING:
    from tcptop_rtt.widgets.filter_line import FilterLine

WIDE = 120
"""Narrower terminals only have room for the file and the beginning of each side."""


class ComparedTable(ConnectionTable):
    """A table whose lines have no details."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "open_details" and super().check_action(action, parameters)


class ComparedScreen(FilteredScreen):
    """Shows both sides in the title, and their groups below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", tooltip="Clear the filter, or end", id="back-to-groups"),
        Binding("tab", "next_table", "Groups", tooltip="Services, or remote networks", id="groups"),
        Binding(
            "slash",
            "filter",
            "Filter",
            tooltip="Show only groups that match words such as nginx, port:443 or p50_us_b>50ms",
            id="filter",
            priority=True,
        ),
        Binding("o", "ask_order", "Sort by", tooltip="Sort by a column", id="sort-by", group=SORTING),
        Binding("s,greater_than_sign", "sort_next", "Next column", id="sort-next"),
        Binding("less_than_sign", "sort_previous", "Previous column", show=False, id="sort-previous"),
        Binding("S", "reverse", "Reverse", tooltip="Reverse the order", id="reverse"),
    ]

    def __init__(self, result: Result, glyphs: Glyphs) -> None:
        first = empty(Health())
        super().__init__(first)
        self._result = result
        self._glyphs = glyphs
        self._kinds = kinds_of(result.rows)
        self._title = CommonTitle()
        self.table = ComparedTable(first, glyphs, str)
        page = Page(self._kinds[0], None, Order.of(self._kinds[0], Page()))
        self.set_reactive(ComparedScreen.page, page)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self.table.data_bind(ComparedScreen.page, ComparedScreen.filter)
        yield KeyLine()

    def on_mount(self) -> None:
        self.table.focus()
        self.table.show(empty(Health()))
        self._show_title()

    @property
    def chosen(self) -> Connection | None:
        """None, as there are no connections."""
        return None

    def paint(self, snapshot: Snapshot) -> None:
        """Does nothing, as a comparison never changes."""

    def make_filter_line(self) -> FilterLine:
        from tcptop_rtt.widgets.filter_line import FilterLine, Words

        example = "words, or port:443 remote:10.0.0.0/8 p50_us_b>50ms loss>0.01 ..."
        return FilterLine(self.filter.text, Words(parse, TABLE.matches, example))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offers no freezing and no copying; while a filter is typed, keys but Esc are its text."""
        return action not in ("toggle", "copy") and (action == "back" or not self.typing)

    def action_next_table(self) -> None:
        """Shows the other table, in the same order."""
        at = self._kinds.index(self.page.kind) if self.page.kind else 0
        self.page = self.page._replace(kind=self._kinds[(at + 1) % len(self._kinds)])
        self.table.select(None)

    def action_back(self) -> None:
        """Clears the filter, or ends the program if there is none."""
        if not (self.typing or self.filter.text):
            self.app.exit()
            return
        self.clear_filter()

    def on_resize(self) -> None:
        self._show_title()

    def watch_page(self) -> None:
        self._show_title()

    def watch_filter(self) -> None:
        self._show_title()

    def watch_message(self) -> None:
        self._show_title()

    def _show_title(self) -> None:
        """Shows both sides; below, the table's name and a message, what is missing, or what marks mean."""
        sides: list[Part] = []
        for letter, side in (("A", self._result.a), ("B", self._result.b)):
            said = f"{side.words}  {side.host}  {side.name}    "
            if self.size.width < WIDE:
                said = f"{fmt.moment(side.first_ns / 1e9)} {Path(side.name).name}  "
            sides += [(f"{letter}  ", "name"), (fmt.printable(said, self._glyphs), "value")]
        kind = self.page.kind
        second: list[Part] = [(f"{kind.name if kind else ''}  ", "name")]
        if self.filter.text:
            second.append((f"filter {fmt.printable(self.filter.text, self._glyphs)}  ", "flag"))
        if self.message:
            second.append((f" {fmt.printable(self.message, self._glyphs)} ", "flag"))
        elif self._result.note:
            second.append((f"! {fmt.printable(self._result.note, self._glyphs)}", "bad"))
        else:
            second.append((WHAT_MARKS_SAY, "dim"))
        self._title.set_lines([sides, second])
