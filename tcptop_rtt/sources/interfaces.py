"""Names of network interfaces, each of its own network namespace."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection

from tcptop_rtt.sources.netns import Namespaces

FRESH_S = 10.0
"""So long a namespace is not asked again; names may change."""


class Interfaces:
    """What interfaces are called; of those namespaces only that were asked for last."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._known: dict[int, tuple[float, dict[int, bytes]]] = {}

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

    def _ask(self, netns: int) -> dict[int, bytes]:
        try:
            with self._namespaces.inside(netns):
                return {index: os.fsencode(name) for index, name in socket.if_nameindex()}
        except OSError:
            return {}  # it is gone, or CAP_SYS_ADMIN is missing
