"""The problems of reading a recording."""

from __future__ import annotations

MOST = 1000
"""The largest number of problems that are kept."""


class Problems:
    """Collects problems, each once, even if it is found again."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}
        """The problems, in the order in which they were found."""

    def add(self, problem: str) -> None:
        """Add a problem."""
        if len(self.found) < MOST:
            self.found[problem] = None

    @property
    def words(self) -> str:
        """The first problem, and the number of others; empty without any."""
        first, *others = self.found or [""]
        return f"{first} (and {len(others):,} more)" if others else first

    @property
    def reason(self) -> str:
        """The same text after a colon, to be appended to a message."""
        return f": {self.words}" if self.found else ""
