"""Names of network interfaces, each of its own network namespace."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from tcptop_rtt.model.reach import Reach

FRESH_S = 10.0
"""So long a namespace is not asked again; names may change."""


class Interfaces:
    """What interfaces are called; of those namespaces only that were asked for last."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._known: dict[int, tuple[float, Mapping[int, bytes]]] = {}

    def names(self, wanted: Collection[int]) -> dict[tuple[int, int], bytes]:
        """By network namespace and index, of all interfaces in these namespaces that can be looked into."""
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
            return {}  # it is gone, or CAP_SYS_ADMIN is missing
