"""How large a remote network is. Nothing is imported here: the command line reads it at every start."""

from __future__ import annotations

from typing import NamedTuple


class Prefixes(NamedTuple):
    """How much of a peer's address is told: bits."""

    v4: int
    v6: int

    def __str__(self) -> str:
        return f"{self.v4},{self.v6}"

    def of(self, family: int) -> int:
        """The bits of one family, 4 or 6."""
        return self.v4 if family == 4 else self.v6


USUAL_PREFIXES = Prefixes(24, 48)
