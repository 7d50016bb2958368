"""Which lines a table has, in which order, and which of them is selected."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from textual.geometry import Size
from textual.reactive import var

from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.listing import ConnectionList, Listing
from tcptop_rtt.view.ranking import Ranking
from tcptop_rtt.view.table import Column, with_values
from tcptop_rtt.widgets.cursor import CursorView
from tcptop_rtt.widgets.order import Page


class ListedView(CursorView):
    """Connections or groups in sorted order. The cursor stays with one of them when lines move.

    Until the user moves the cursor, the cursor stays on the first line.

    :param first: a snapshot without connections, shown until the first real one
    """

    page: var[Page] = var(Page(), init=False)
    filter: var[Filter] = var(Filter(), init=False)
    follow: var[bool] = var(False, init=False)
    """Whether the selected connection stays on its line of the screen while the others move."""
    pinned: var[int | None] = var(None, init=False)
    """The id that is selected; None: the cursor stays on the first line. While it is hidden, the cursor stays
    with another one, and comes back to it."""
    names: var[Names] = var(NO_NAMES, init=False)
    """Names of hosts and services, to be shown instead of numbers."""
    travelling: var[bool] = var(False)
    """Whether the table shows the past. The selection then stays, even if it did not exist yet."""
    shown: var[int] = var(0)
    """How many connections match the filter, and are in the open group if there is one."""

    def __init__(self, first: Snapshot) -> None:
        super().__init__()
        self._snapshot = first
        self._begun = False
        self._listing: Listing
        self._ranking = self._ranked()

    @abstractmethod
    def _redraw(self) -> None:
        """Draws the lines as they are now."""

    # What is listed

    @property
    def total(self) -> int:
        """How many connections there are, including those that do not match the filter."""
        return self._listing.total

    @property
    def lines(self) -> int:
        """How many lines there are: connections or groups."""
        return len(self._ranking)

    @property
    def sorts(self) -> dict[str, Column]:
        """The columns that the lines can be sorted by now, by key, without columns that are empty."""
        table = self._listing.table
        shown = with_values(table.columns, self._listing.rows)
        return {column.key: column for column in shown if column.sort}

    @property
    def cursor_id(self) -> int | None:
        """The selected connection or group; None if there is none."""
        ids = self._ids(self._cursor, self._cursor + 1)
        return ids[0] if ids else None

    def shows(self, id: int) -> bool:  # noqa: A002
        """Returns whether a line shows a connection or group. One line may show both ends of a connection."""
        return self._rank(id) is not None

    @property
    def ids(self) -> list[int]:
        """The ids of all listed connections or groups, from the first line to the last."""
        return self._ids(0, self.lines)

    def _ids(self, start: int, stop: int) -> list[int]:
        ids: list[int] = self._listing.rows["id"][self._ranking.window(start, stop)].tolist()
        return ids

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that is drawn. While the screen is frozen, this is not the latest."""
        return self._snapshot

    def show(self, snapshot: Snapshot) -> None:
        """Draws another snapshot. Sort order, filter and cursor stay."""
        self._snapshot = snapshot
        self._begun = True
        self._arrange()

    def watch_page(self) -> None:
        self._arrange(reveal=True)

    def select(self, id: int | None) -> None:  # noqa: A002
        """Puts the cursor on a connection or group, or, if None, keeps it on the first line."""
        self.pinned = id
        if id is None:
            self.action_scroll_home()
        else:
            self._arrange(reveal=True)

    def show_top(self) -> None:
        """Goes to the first line after sorting. A cursor that follows a connection stays with it."""
        if not self.follow:
            self.action_scroll_home()

    def watch_filter(self) -> None:
        self._arrange(reveal=True)

    def watch_names(self) -> None:
        self._arrange()

    def show_new_names(self) -> None:
        """Shows the names that have come since the last snapshot."""
        self._arrange()

    def watch_follow(self) -> None:
        if self.follow:
            self.pinned = self.cursor_id
            self._reveal()

    def _arrange(self, reveal: bool = False) -> None:
        line_before = self._cursor - self.scroll_offset.y
        in_view = 0 <= line_before < self._page
        stood_on = None if self.pinned is None else self.cursor_id
        self._ranking = self._ranked()
        self.shown = self._listing.shown
        self._place_cursor(stood_on)
        self._resize_content(self.lines + 1)
        if self.pinned is not None:
            if self.follow and in_view:
                self.scroll_to(y=self._cursor - line_before, animate=False)
            if self.follow or in_view or reveal:
                self._reveal()
        self._redraw()

    def _ranked(self) -> Ranking:
        page, snapshot = self.page, self._snapshot
        if page.kind is None:
            self._listing = ConnectionList(snapshot, self.filter, page.scope, self.names)
        else:
            self._listing = page.kind.list(snapshot, self.filter, self.names)
        listing, (key, descending) = self._listing, page.order
        sort = listing.table.sorts[key]
        return Ranking(listing.rows, listing.indices, sort, descending, snapshot.health.lacking)

    def _resize_content(self, height: int) -> None:
        before, room = self.virtual_size.height, self.size.height
        if (before > room) != (height > room):
            self.virtual_size = Size(0, height)  # the scroll bar comes or goes
        elif before != height:
            # An ordinary assignment would lay the whole screen out again.
            self.set_reactive(ListedView.virtual_size, Size(0, height))
            self.vertical_scrollbar.window_virtual_size = height
            self.scroll_y = self.scroll_target_y = self.validate_scroll_y(self.scroll_y)

    def _place_cursor(self, stood_on: int | None) -> None:
        """Puts the cursor on what is selected.

        :param stood_on: what the cursor was on, and stays on while the selection is hidden
        """
        rank = self._rank(self.pinned)
        stays = self._rank(stood_on) if rank is None else rank
        self._cursor = min(self._cursor if stays is None else stays, max(0, self.lines - 1))
        if self.pinned is None:
            return
        hidden = rank is None and (self.travelling or self._listing.row_of(self.pinned) is not None)
        if not hidden:  # what is hidden may come back; the place of what is gone is a neighbour's
            self.pinned = self.cursor_id  # the other end's row may show the connection now

    def _rank(self, id: int | None) -> int | None:  # noqa: A002
        """The line that shows a connection or group; None if there is none."""
        found = None if id is None else self._listing.row_of(id)
        return None if found is None else self._ranking.rank(found)

    # Moving about

    _fixed_lines = 1

    @property
    def _last(self) -> int:
        return self.lines - 1

    def _move_to(self, index: int) -> None:
        if not self.lines:
            return
        self._cursor = max(0, min(self.lines - 1, index))
        self.pinned = self.cursor_id
        self._reveal()
        self._redraw()

    def action_scroll_home(self) -> None:
        """Goes to the first line, and stays there whichever connection comes first."""
        self.pinned = None
        self._cursor = 0
        self.scroll_to(y=0, animate=False)
        self._redraw()

    @property
    def cursor_line(self) -> int:
        """The index of the selected line, from 0."""
        return self._cursor

    def go_to(self, line: int) -> int | None:
        """Selects the connection on a line, and returns its id; None if there is no such line."""
        if not 0 <= line < self.lines:
            return None
        self._move_to(line)
        return self.cursor_id

    @property
    def selected(self) -> Any:
        """The values that the selected line's cells are made of; None if there is no line."""
        if not self.lines:
            return None
        return self._listing.views(self._ranking.window(self._cursor, self._cursor + 1))[0]

    def _why_empty(self) -> str:
        kind, scope = self.page.kind, self.page.scope
        if kind is not None and kind.reads in self.snapshot.health.lacking:
            return kind.unseen
        apart = kind is not None and not kind.of_connections
        if kind is not None and apart and not len(self._listing.rows):
            return kind.empty
        if not self.total and not apart:
            return "there is no TCP connection on this machine"
        none = f"none of the {kind.name}" if kind else "no connection"
        if self.filter.text:
            return f"{none} matches the filter: Esc clears it"
        if scope is not None:
            return scope.kind.emptied
        return f"{none} matches the options of the command line"
