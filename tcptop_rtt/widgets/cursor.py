"""A cursor that moves from line to line, by the keys that scroll other widgets."""

from __future__ import annotations

from abc import abstractmethod

from textual.scroll_view import ScrollView


class CursorView(ScrollView):
    """A view of lines with a cursor on the selected line. The view scrolls when the user moves the cursor."""

    _cursor = 0
    """The index of the selected line, from 0, without the fixed lines at the top."""
    _fixed_lines = 0
    """Lines at the top that do not scroll."""

    @abstractmethod
    def _move_to(self, index: int) -> None:
        """Selects the line with an index, or else the nearest line, and scrolls to it."""

    @property
    @abstractmethod
    def _last(self) -> int:
        """The index of the last line that can be selected; -1 if there is none."""

    @property
    def _page(self) -> int:
        """How many lines are visible, without the fixed ones."""
        return max(1, self.size.height - self._fixed_lines)

    def _reveal(self) -> None:
        """Scrolls just far enough to show the selected line."""
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
