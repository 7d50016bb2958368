"""The listening sockets that a scan has met: who waits where, and which ports were accepted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import Records
from tcptop_rtt.model.rows import Indices

Endpoint = tuple[int, int, bytes]
"""Network namespace, port and address."""

_ANY = (bytes(16), bytes(10) + b"\xff\xff" + bytes(4))
"""The addresses of those that listen on all: IPv6's, and IPv4's."""


class Listeners:
    """Listening sockets with their processes.

    :param entries: of a scan
    :param processes: the process of each, with ``tgid`` 0 where none is known
    """

    def __init__(self, entries: Records, processes: NDArray[np.void]) -> None:
        self._entries = entries
        self.processes = processes

    def find(self, endpoints: list[Endpoint]) -> Indices:
        """The place in ``processes`` of who listens at each local endpoint; -1: nobody that is known.

        Of several processes it is the one of the lowest PID.
        """
        places: dict[Endpoint, int] = {}
        for place in np.argsort(self.processes["tgid"], kind="stable")[::-1].tolist():
            if self.processes["tgid"][place]:
                entry = self._entries[place]
                places[int(entry["netns"]), int(entry["lport"]), entry["laddr"].tobytes()] = place
        return np.array([_place_of(endpoint, places) for endpoint in endpoints], np.intp)

    def have_port(self, netns: NDArray[np.uint32], lport: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Whether something listens on each of these ports, at whatever address."""
        return np.isin(_port_keys(netns, lport), _port_keys(self._entries["netns"], self._entries["lport"]))


def _place_of(endpoint: Endpoint, places: dict[Endpoint, int]) -> int:
    netns, lport, laddr = endpoint
    for address in (laddr, *_ANY):
        place = places.get((netns, lport, address))
        if place is not None:
            return place
    return -1


def _port_keys(netns: NDArray[np.uint32], lport: NDArray[np.uint16]) -> NDArray[np.uint64]:
    return netns.astype(np.uint64) << np.uint64(16) | lport
