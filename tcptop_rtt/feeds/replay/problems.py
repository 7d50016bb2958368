"""What of something that is replayed cannot be read."""

from __future__ import annotations

MOST = 1000
"""So many are kept; of more nobody reads."""


class Problems:
    """Collects them; what is read twice is told once."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}
        """In the order in which they have been found."""

    def add(self, problem: str) -> None:
        """One more."""
        if len(self.found) < MOST:
            self.found[problem] = None

    @property
    def words(self) -> str:
        """The first one, and how many others there are; empty: all can be read."""
        first, *others = self.found or [""]
        return f"{first} (and {len(others):,} more)" if others else first

    @property
    def reason(self) -> str:
        """The same, to be put behind what cannot be done."""
        return f": {self.words}" if self.found else ""
