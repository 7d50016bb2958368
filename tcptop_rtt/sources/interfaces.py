"""Names of network interfaces, by network namespace."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from tcptop_rtt.model.reach import Reach

FRESH_S = 10.0
"""The time after which names are read again, as they may change."""


class Interfaces:
    """Keeps the names of interfaces, but only of the namespaces that were wanted last."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._known: dict[int, tuple[float, Mapping[int, bytes]]] = {}

    def names(self, wanted: Collection[int]) -> dict[tuple[int, int], bytes]:
        """The names by network namespace and index, of the wanted namespaces that can be looked into."""
        now = time.monotonic()
        for gone in self._known.keys() - set(wanted):
            del self._known[gone]
        for netns in wanted:
            asked, names = self._known.get(netns, (-FRESH_S, {}))
            if now >= asked + FRESH_S:
                self._known[netns] = now, self._ask(netns) or names
        return {
            (netns, index): name for netns in self._known for index, name in self._known[netns][1].items()
        }

    def _ask(self, netns: int) -> Mapping[int, bytes]:
        try:
            return self._reach.interface_names(netns)
        except OSError:
            return {}  # the namespace is gone, or CAP_SYS_ADMIN is missing
