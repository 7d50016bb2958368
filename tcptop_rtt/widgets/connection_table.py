"""The table of connections, drawn line by line from a snapshot's columns."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tcptop_rtt import format as fmt
from tcptop_rtt.query import Filter, Indices, order, select
from tcptop_rtt.snapshot import Snapshot
from tcptop_rtt.widgets import columns
from tcptop_rtt.widgets.styled import StyleBook, fit


class ConnectionTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Connections in sorted order. The cursor belongs to a connection, not to a line.

    Until the user moves the cursor it stays on the first line, whichever connection that is.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"connection-table--{name}"
        for name in (
            "header",
            "sorted",
            "row",
            "cursor",
            "closed",
            "stalled",
            "dim",
            "spark",
            "unknown",
            "good",
            "warn",
            "bad",
        )
    }

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "drill_in", "Details", key_display="Enter"),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home,g", "top", show=False),
        Binding("end,G", "bottom", show=False),
    ]

    class DrillIn(Message):
        """The user wants to see one connection closely."""

        def __init__(self, id: int) -> None:  # noqa: A002 - as in the snapshot
            super().__init__()
            self.id = id

    class ViewChanged(Message):
        """Sort order, filter or follow mode are not what they were."""

    def __init__(self, filter: Filter, unicode: bool) -> None:  # noqa: A002
        super().__init__()
        self.filter = filter
        self.sort_key = "rtt"
        self.descending = True
        self.follow = False
        self._unicode = unicode
        self._sort_chosen = False
        self._snapshot: Snapshot | None = None
        self._indices: Indices = np.zeros(0, np.intp)
        self._cursor = 0
        self._pinned: int | None = None
        self._long_addresses = False
        self._sparks: tuple[tuple[int, int, int, int], list[str], fmt.Scale] | None = None
        self._generation = 0
        self._styles = StyleBook(self, "connection-table--")

    # What is shown

    @property
    def shown(self) -> int:
        """How many connections match the filter."""
        return len(self._indices)

    @property
    def cursor_id(self) -> int | None:
        """The selected connection; None if there is none."""
        if self._snapshot is None or not self.shown:
            return None
        return int(self._snapshot.rows["id"][self._indices[self._cursor]])

    @property
    def ids(self) -> list[int]:
        """All shown connections, from the first line to the last."""
        return [] if self._snapshot is None else self._snapshot.rows["id"][self._indices].tolist()

    def show(self, snapshot: Snapshot) -> None:
        """Draw another picture; sort order, filter and cursor stay."""
        self._snapshot = snapshot
        self._long_addresses = self._long_addresses or bool((snapshot.rows["family"] == 6).any())
        self._arrange()

    def set_filter(self, filter: Filter) -> None:  # noqa: A002
        self.filter = filter
        self._arrange(reveal=True)
        self.post_message(self.ViewChanged())

    def sort_by(self, key: str, *, reaffirm: bool = False) -> None:
        """Sort by a column, the interesting end first; once more: the other way round.

        :param reaffirm: the first call may ask for what is the order already, and then only confirms it.
        """
        if key == self.sort_key and (self._sort_chosen or not reaffirm):
            self.descending = not self.descending
        elif key != self.sort_key:
            self.sort_key, self.descending = key, columns.BY_KEY[key].numeric
        self._sort_chosen = True
        self._arrange(reveal=True)
        self.post_message(self.ViewChanged())

    def sort_next(self) -> None:
        at = columns.SORTABLE.index(self.sort_key)
        self.sort_by(columns.SORTABLE[(at + 1) % len(columns.SORTABLE)])

    def reverse(self) -> None:
        self.sort_by(self.sort_key)

    def toggle_follow(self) -> None:
        """Hold the selected connection on its line of the screen, and let the others move."""
        self.follow = not self.follow
        if self.follow:
            self._pinned = self.cursor_id
            self._reveal()
        self.post_message(self.ViewChanged())

    def _arrange(self, reveal: bool = False) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        line_before = self._cursor - self.scroll_offset.y
        in_view = 0 <= line_before < self._page
        rows = snapshot.rows
        self._indices = order(rows, select(rows, self.filter), self.sort_key, self.descending)
        self._place_cursor(snapshot)
        if self.virtual_size.height != self.shown + 1:
            self.virtual_size = Size(0, self.shown + 1)
        if self._pinned is not None:
            if self.follow and in_view:
                self.scroll_to(y=self._cursor - line_before, animate=False)
            if self.follow or in_view or reveal:
                self._reveal()
        self._redraw()

    def _place_cursor(self, snapshot: Snapshot) -> None:
        last = max(0, self.shown - 1)
        if self._pinned is not None:
            found = np.flatnonzero(snapshot.rows["id"][self._indices] == self._pinned)
            if len(found):
                self._cursor = int(found[0])
                return
        self._cursor = min(self._cursor, last)
        # One that is only filtered out comes back; one that is gone leaves the cursor to its neighbour.
        if self._pinned is not None and not (snapshot.rows["id"] == self._pinned).any():
            self._pinned = self.cursor_id

    def _redraw(self) -> None:
        self._generation += 1
        self.refresh()

    # Moving about

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def _reveal(self) -> None:
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + self._page:
            self.scroll_to(y=self._cursor - self._page + 1, animate=False)

    def _move_to(self, index: int) -> None:
        if not self.shown:
            return
        self._cursor = max(0, min(self.shown - 1, index))
        self._pinned = self.cursor_id
        self._reveal()
        self._redraw()

    def action_move(self, lines: int) -> None:
        self._move_to(self._cursor + lines)

    def action_page(self, pages: int) -> None:
        self._move_to(self._cursor + pages * self._page)

    def action_bottom(self) -> None:
        self._move_to(self.shown - 1)

    def action_top(self) -> None:
        """To the first line, and stay there whichever connection comes to it."""
        self._pinned = None
        self._cursor = 0
        self.scroll_to(y=0, animate=False)
        self._redraw()

    def action_drill_in(self) -> None:
        id_ = self.cursor_id
        if id_ is not None:
            self.post_message(self.DrillIn(id_))

    def on_click(self, event: Click) -> None:
        if event.y == 0:
            self._click_header(event.x)
            return
        index = self.scroll_offset.y + event.y - 1
        if index >= self.shown:
            return
        self._move_to(index)
        if event.chain == 2:
            self.action_drill_in()

    def _click_header(self, x: int) -> None:
        start = columns.GUTTER
        for column, width in self._columns():
            if start <= x < start + width + columns.GAP:
                if column.sortable:
                    self.sort_by(column.key)
                return
            start += width + columns.GAP

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002
        if self._pinned is not None:
            self._reveal()

    # Drawing

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()

    def _columns(self) -> tuple[columns.Placed, ...]:
        return columns.place(self._width, self._long_addresses)

    def render_line(self, y: int) -> Strip:
        width = self._width
        if y == 0:
            return self._render_header(width)
        index = self.scroll_offset.y + y - 1
        if self._snapshot is None or index >= self.shown:
            return Strip.blank(width, self._styles())
        return self._render_row(self._snapshot, index, width)

    def _render_header(self, width: int) -> Strip:
        plain, sorted_ = self._styles(row="header"), self._styles("sorted", "header")
        segments = [Segment(" " * columns.GUTTER, plain)]
        for column, cells in self._columns():
            title = column.title
            if column.key == "spark":
                title = self._spark_title(cells)
            chosen = column.key == self.sort_key
            if chosen:
                mark = columns.arrow(self.descending, self._unicode)
                title = mark + title[: cells - 1] if column.numeric else title[: cells - 1] + mark
            text = fit(title, cells, column.numeric) + " " * columns.GAP
            segments.append(Segment(text, sorted_ if chosen else plain))
        return Strip(segments).adjust_cell_length(width, plain)

    def _spark_title(self, cells: int) -> str:
        _, scale = self._visible_sparks(cells)
        title = f"12s {scale.low / 1000:g}-{scale.high / 1000:g}ms"
        return title if len(title) <= cells else "LAST 12s"[:cells]

    def _visible_sparks(self, cells: int) -> tuple[list[str], fmt.Scale]:
        top = self.scroll_offset.y
        key = (self._generation, top, self._page, cells)
        if self._sparks is None or self._sparks[0] != key:
            visible = self._indices[top : top + self._page]
            values = np.zeros((0, 0), np.float32)
            if self._snapshot is not None:
                values = self._snapshot.spark_us[:, visible]
            scale = fmt.spark_scale(values)
            self._sparks = key, fmt.sparks(values, scale, cells, self._unicode), scale
        return self._sparks[1], self._sparks[2]

    def _render_row(self, snapshot: Snapshot, index: int, width: int) -> Strip:
        row = snapshot.rows[self._indices[index]]
        closed = bool(row["closed"])
        at_cursor = index == self._cursor
        kind = "cursor" if at_cursor else "row"
        base = self._styles(row=kind)
        mark = ("▸" if self._unicode else ">") if at_cursor else " "
        segments = [Segment(mark, base)]
        for column, cells in self._columns():
            if column.key == "spark":
                sparks, _ = self._visible_sparks(cells)
                text, style = sparks[index - self.scroll_offset.y], "spark"
            else:
                text, style = column.cell(row, cells, self._unicode)
            text = fit(text, cells, column.numeric) + " " * columns.GAP
            segments.append(Segment(text, self._styles("closed" if closed else style, kind)))
        return Strip(segments).adjust_cell_length(width, base)
