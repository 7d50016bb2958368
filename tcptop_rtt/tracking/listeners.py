"""The listening sockets that a scan has met: which process listens where, and on which ports."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.listeners import Endpoints, is_full
from tcptop_rtt.model.records import Records
from tcptop_rtt.model.rows import Get, Indices, Mask


def oldest_first(processes: NDArray[np.void], *within: NDArray[Any]) -> Indices:
    """The order of processes by start time: PIDs wrap, so a child may have a lower PID than its parent.

    :param within: keys to sort by before the start time, most important last, as in ``np.lexsort``
    """
    return np.lexsort((processes["tgid"], processes["started_ns"], *within))


class Listeners:
    """Listening sockets with their processes.

    :param entries: of a scan; a socket has several entries if several processes hold it
    :param processes: the process of each entry; its ``tgid`` is 0 if it is unknown
    """

    def __init__(self, entries: Records, processes: NDArray[np.void]) -> None:
        self.entries = entries
        self.processes = processes

    def find(self, get: Get) -> tuple[Indices, NDArray[np.bool_]]:
        """The place of each connection's listener, -1 if no process is known; and whether its accept queue
        is full.

        If several listen there, the place is that of the oldest process, and all queues have to be full.

        :param get: gives the values of a field of the connections
        """
        by_age = oldest_first(self.processes)
        known = by_age[self.processes["tgid"][by_age] != 0]
        endpoints = Endpoints(self.entries[known].__getitem__)
        _, first = np.unique(endpoints.of_listeners, return_index=True)
        found = endpoints.find(get)
        if not len(known):
            return found, found >= 0
        has_room = ~is_full(self.entries[known].__getitem__)
        full = np.bincount(endpoints.of_listeners, weights=has_room) == 0
        return np.where(found < 0, -1, known[first][found]), (found >= 0) & full[found]

    def accept(self, get: Get) -> Mask:
        """Whether something listens at the local end of each connection.

        :param get: gives the values of a field of the connections
        """
        found: Mask = Endpoints(self.entries.__getitem__).find(get) >= 0
        return found
