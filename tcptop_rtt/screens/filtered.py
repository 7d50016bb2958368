"""A screen whose table the user can filter, and the line in which the filter is typed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.reactive import var
from textual.widget import Widget

from tcptop_rtt.screens.sorted import SortedScreen
from tcptop_rtt.view import query
from tcptop_rtt.view.filter import Filter

if TYPE_CHECKING:
    from tcptop_rtt.widgets.filter_line import FilterLine


class FilteredScreen(SortedScreen):
    """A screen with a table that can be filtered."""

    filter: var[Filter] = var(Filter(), bindings=True)
    _filter_line: FilterLine | None = None  # created when first needed

    @property
    def typing(self) -> bool:
        """Whether keys go to the filter line."""
        return self._filter_line is not None and self._filter_line.has_focus_within

    @property
    def above_filter_line(self) -> Widget:
        """The widget below which the filter line opens."""
        return self.table

    async def action_filter(self) -> None:
        if self._filter_line is None:
            self._filter_line = self.make_filter_line()
            await self.mount(self._filter_line, after=self.above_filter_line)
        self._filter_line.open()

    def make_filter_line(self) -> FilterLine:
        """Returns the line in which the filter is typed."""
        from tcptop_rtt.widgets.filter_line import FilterLine

        return FilterLine(self.filter.text)

    def end_typing(self) -> None:
        """Keep the filter as it is, and give the keys back to the table."""
        if self._filter_line is not None and self._filter_line.display:
            self._filter_line.close()
            self._filter_line.fill(self.filter.text)
            self.set_focus(self.table)

    def on_descendant_focus(self) -> None:
        """A click on the table ends the typing, as the keys go there."""
        if self.focused is self.table:
            self.end_typing()

    def on_filter_line_changed(self, message: FilterLine.Changed) -> None:
        self.filter = replace(self.filter, text=message.text)
        if not self.table.lines:
            self.filter = replace(self.filter, text=message.finished)

    def on_filter_line_closed(self) -> None:
        self.set_focus(self.table)  # Widget.focus() takes effect later: the next key would go to the line

    def narrow(self, text: str) -> None:
        """Adds a condition to the filter."""
        self.put_filter(replace(self.filter, text=query.both(self.filter.text, text)))

    def put_filter(self, filter: Filter) -> None:  # noqa: A002
        """Sets a filter that is not typed; the filter line shows it, too."""
        self.filter = filter
        if self._filter_line is not None:
            self._filter_line.fill(filter.text)

    def clear_filter(self) -> None:
        """Clears the text of the filter; options of the command line, such as a PID, still hold."""
        if self._filter_line is not None:
            self._filter_line.close(clear=True)
        self.filter = replace(self.filter, text="")
