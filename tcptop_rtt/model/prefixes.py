"""The prefix lengths of remote networks. The command line imports this at every start."""

from __future__ import annotations

from typing import NamedTuple


class Prefixes(NamedTuple):
    """How many bits of a peer's address make up its network."""

    v4: int
    v6: int

    def __str__(self) -> str:
        return f"{self.v4},{self.v6}"

    def of(self, family: int) -> int:
        """Return the bits of one family, 4 or 6."""
        return self.v4 if family == 4 else self.v6


USUAL_PREFIXES = Prefixes(24, 48)
