"""A cursor that the keys which scroll other widgets move from line to line."""

from __future__ import annotations

from abc import abstractmethod

from textual.scroll_view import ScrollView


class CursorView(ScrollView):
    """Lines of which one is selected and always in sight."""

    _cursor = 0
    """The selected line, from 0; the top ones of the widget do not count if they do not scroll."""
    _fixed_lines = 0
    """Lines at the top that do not scroll."""

    @abstractmethod
    def _move_to(self, index: int) -> None:
        """Select a line, or the nearest that there is, and show it."""

    @property
    @abstractmethod
    def _last(self) -> int:
        """The last line that can be selected; -1: there is none."""

    @property
    def _page(self) -> int:
        """How many lines are in sight."""
        return max(1, self.size.height - self._fixed_lines)

    def _reveal(self) -> None:
        """Scroll as far as it takes to have the selected line in sight."""
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + self._page:
            self.scroll_to(y=self._cursor - self._page + 1, animate=False)

    def action_scroll_up(self) -> None:
        self._move_to(self._cursor - 1)

    def action_scroll_down(self) -> None:
        self._move_to(self._cursor + 1)

    def action_page_up(self) -> None:
        self._move_to(self._cursor - self._page)

    def action_page_down(self) -> None:
        self._move_to(self._cursor + self._page)

    def action_scroll_home(self) -> None:
        self._move_to(0)

    def action_scroll_end(self) -> None:
        self._move_to(self._last)
