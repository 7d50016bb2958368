"""The network namespaces of this machine, searched for now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from tcptop_rtt.model.reach import Reach

EVERYWHERE_S = 10.0
"""The time between two searches."""


class Namespaces:
    """The network namespaces that there is a way into.

    :param reach: finds them
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self.ours = reach.netns
        self._search_at_s = -math.inf
        self.found: Sequence[int] = ()
        """The inode numbers of all of them, ours first, as of the latest search."""

    def search(self, anew: bool = False) -> bool:
        """Search, if the latest search was long ago or ``anew`` is set. Returns whether it has searched."""
        if not anew and time.monotonic() < self._search_at_s:
            return False
        self._search_at_s = time.monotonic() + EVERYWHERE_S
        self.found = self._reach.namespaces()
        return True
