"""The table of connections, drawn line by line from a snapshot's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.strip import Strip

from tcptop_rtt.model.names import NO_NAMES
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.listing import Scope
from tcptop_rtt.view.table import Column, with_values
from tcptop_rtt.widgets import columns, table_lines
from tcptop_rtt.widgets.keys import MOVE_KEYS
from tcptop_rtt.widgets.listed import ListedView
from tcptop_rtt.widgets.styled import COMMON_STYLES, StyledWidget, component_classes, crop_strips
from tcptop_rtt.widgets.table_lines import Frame, LineStrips, TableStyle


class ConnectionTable(ListedView, StyledWidget, can_focus=True, inherit_bindings=False):
    """The table of connections or groups.

    :param first: a snapshot without connections, shown until the first real one
    :param note: returns the line of text for an empty table; empty: the table says why itself
    :param chosen: the columns to show for connections; None: all
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "connection-table", "header", "sorted", "row", "cursor", "closed", "stalled", "spark", *COMMON_STYLES
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "open_details",
            "Details",
            tooltip="Open the details of the selected connection: every ACK's RTT, its process, a verdict",
            id="details",
        ),
        *MOVE_KEYS,
    ]

    shared_scale: var[bool] = var(False, init=False)
    """Whether all sparklines have one scale."""

    @dataclass
    class DetailsWanted(Message):
        """The user wants to see the details of one connection."""

        id: int

    @dataclass
    class GroupWanted(Message):
        """The user wants to see the connections of a group."""

        scope: Scope

    @dataclass
    class TitleClicked(Message):
        """The user has clicked the title of a column that the table can be sorted by."""

        key: str

    def __init__(
        self,
        first: Snapshot,
        glyphs: Glyphs,
        note: Callable[[], str],
        chosen: tuple[Column, ...] | None = None,
    ) -> None:
        super().__init__(first)
        self._chosen_columns = chosen
        self._note = note
        self._glyphs = glyphs
        self._long_addresses = False
        self._last_frame: Frame | None = None
        self._before: Frame | None = None  # the last frame before the changes
        self._has_changed = False
        self._strips = LineStrips(self._styles)

    def watch_shown(self, before: int, now: int) -> None:
        if bool(before) != bool(now):
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offers details only if the table has a line to show them of."""
        return action != "open_details" or self.lines > 0

    def watch_shared_scale(self) -> None:
        self._redraw()

    # Opening the selected line

    def action_open_details(self) -> None:
        id_ = self.cursor_id
        if id_ is None:
            return
        self.pinned = id_
        kind = self.page.kind
        if kind is None:
            self.post_message(self.DetailsWanted(id_))
            return
        (at,) = self._ranking.window(self._cursor, self._cursor + 1).tolist()
        name = kind.label(self._listing.rows[at], self._glyphs)
        self.post_message(self.GroupWanted(Scope(kind, id_, name)))

    def on_click(self, event: Click) -> None:
        if event.y == 0:
            self._click_header(event.x)
            return
        index = self.scroll_offset.y + event.y - 1
        if index >= self.lines:
            return
        self._move_to(index)
        if event.chain == 2:
            self.action_open_details()

    def _click_header(self, x: int) -> None:
        column = columns.at(self._frame().placed, x)
        if column is not None and column.sort:
            self.post_message(self.TitleClicked(column.key))

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002
        if self.pinned is not None:
            self._reveal()

    # Drawing

    def forget_drawn(self) -> None:
        self._strips.clear()

    def _redraw(self) -> None:
        """Redraws the table once for several changes: the order and the selected line may change together."""
        if not self._has_changed:
            self._has_changed, self._before = True, self._last_frame
            self.call_next(self._draw_changes)
        self._last_frame = None

    def _draw_changes(self) -> None:
        """Draws only the lines that differ, which on a quiet table are few."""
        self._has_changed = False
        before, now = self._before, self._frame()
        if before is None or (before.top, before.size, before.placed) != (now.top, now.size, now.placed):
            self.refresh()
            return
        pairs = zip_longest(before.lines, now.lines)
        changed = [y for y, (old, new) in enumerate(pairs) if old != new]
        if 2 * len(changed) > now.size.height:
            self.refresh()
        elif changed:
            self.refresh(*(Region(0, y, now.size.width, 1) for y in changed))

    def _frame(self) -> Frame:
        """Returns the visible lines, made once for each change, scroll position and size."""
        top, size = self.scroll_offset.y, self.size
        frame = self._last_frame
        if frame is None or (frame.top, frame.size) != (top, size):
            frame = self._last_frame = self._make_frame(top, size)
        return frame

    def _make_frame(self, top: int, size: Size) -> Frame:
        if not self._begun:
            return Frame(top, size, (), [])  # titles alone would mean that there are no connections
        visible = self._ranking.window(top, top + self._page)
        listing = self._listing
        # Keep the columns wide once a long address was in view.
        self._long_addresses = self._long_addresses or bool((listing.rows["family"][visible] == 6).any())
        is_long = self._long_addresses or self.names is not NO_NAMES
        chosen = (self._chosen_columns if self.page.kind is None else None) or listing.table.columns
        shown = with_values(chosen, listing.rows)
        room, sorted_by = self.scrollable_content_region.width, self.page.order.key
        placed = columns.fit_columns(shown, room, is_long, sorted_by)
        style = TableStyle(placed, *self.page.order, self._glyphs, self.shared_scale)
        views, spark_us = listing.views(visible), listing.spark_us(visible)
        lines = table_lines.lines(style, views, spark_us, self._cursor - top)
        note = "" if self.lines else self._note() or self._why_empty()
        if note:
            lines.append(table_lines.note(style, note))
        return Frame(top, size, placed, lines)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Returns complete strips, and so skips Textual's pass over each line for borders and filters."""
        frame = self._frame()
        # The lines take the place of a hidden scroll bar, too.
        width = frame.size.width - self.show_vertical_scrollbar * self.scrollbar_size_vertical
        return crop_strips(self._strips.draw(frame.lines, frame.placed, crop.line_range, width), width, crop)
