"""A screen whose table the user can sort by a column."""

from __future__ import annotations

from textual.reactive import var

from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.widgets.connection_table import ConnectionTable
from tcptop_rtt.widgets.order import Order, Page, letters


class SortedScreen(LiveScreen):
    """A screen with a table that can be sorted."""

    page: var[Page] = var(Page(), bindings=True)
    table: ConnectionTable

    def action_sort(self, key: str) -> None:
        """Sorts by a column, the interesting end first, whatever the order was before."""
        column = self.page.table.column.get(key)
        if column is not None:
            self._sort(Order.first_of(column))

    def action_ask_order(self) -> None:
        """Show the letters of the columns, and sort by the one that is pressed next."""
        from tcptop_rtt.screens.over import SortScreen

        def sort(key: str | None) -> None:
            if key is not None:
                self.action_sort(key)

        offered = letters(self.page.table)
        offered = {letter: column for letter, column in offered.items() if column.key in self.table.sorts}
        self.app.push_screen(SortScreen(offered), sort)

    def action_sort_next(self) -> None:
        self._sort(self.order.next_to(self.table.sorts, 1))

    def action_sort_previous(self) -> None:
        self._sort(self.order.next_to(self.table.sorts, -1))

    def action_reverse(self) -> None:
        self._sort(self.order.reversed())

    def on_connection_table_title_clicked(self, message: ConnectionTable.TitleClicked) -> None:
        """A click on the title that is sorted by already reverses the order."""
        if message.key == self.order.key:
            self.action_reverse()
        else:
            self.action_sort(message.key)

    def _sort(self, order: Order) -> None:
        self.page = self.page._replace(order=order)
        self.table.show_top()

    @property
    def order(self) -> Order:
        """What the table is sorted by."""
        return self.page.order
