"""What is known of every listening socket, and which connections are at which.

Nothing here knows where the numbers come from or how they are shown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import places
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.rows import MAPPED, ROW, Get, Indices

LISTENER = np.dtype(
    [
        ("id", "u8"),  # never used twice in one run
        # Whose it is: of several processes the oldest. As in ROW.
        *((name, ROW[name]) for name in ("host", "pid", "comm", "uid", "started_ns", "unit")),
        # Where it listens.
        *((name, ROW[name]) for name in ("netns", "ifindex", "interface", "family", "laddr", "lport")),
        ("read_ms", "u4"),  # how long ago a scan has read the following
        ("queue", "u4"),  # connections that wait to be accepted (sk_ack_backlog)
        ("queue_limit", "u4"),  # it is full when more wait than this (sk_max_ack_backlog)
        ("drops", "u4"),  # handshakes and segments dropped (sk_drops), of which most found the queue full
        ("drops_per_s", "f8"),  # over about the last five seconds; nan: it has been read once only
    ]
)
"""What is known of a listener. Addresses are as in ROW; 0.0.0.0 and :: stand for all."""

_ANY4, _ANY6 = (np.frombuffer(raw, "V16") for raw in (MAPPED + bytes(4), bytes(16)))


def no_listeners() -> NDArray[np.void]:
    """Return an empty table."""
    return np.zeros(0, LISTENER)


def is_full(get: Get) -> NDArray[np.bool_]:
    """Return which listeners take no more connections, as ``sk_acceptq_is_full()`` does."""
    found: NDArray[np.bool_] = get("queue") > get("queue_limit")
    return found


class Endpoints:
    """The endpoints of listeners: network namespace, interface, address and port. Several may share one.

    :param get: gives the values of a field of the listeners
    :param within: the fields, besides interface, address and port, that equal endpoints share
    """

    def __init__(self, get: Get, within: tuple[str, ...] = ("netns",)) -> None:
        self._within = within
        ports = np.zeros(1 << 16, bool)
        ports[get("lport")] = True
        self._ports = ports
        keys = mixed([*map(get, within), get("ifindex"), get("lport"), get("laddr")])
        self._keys, self.of_listeners = np.unique(keys, return_inverse=True)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, get: Get) -> Indices:
        """Return the number of the endpoint that accepts each connection; -1: no listener does.

        :param get: gives the values of a field of the connections
        """
        found = np.full(len(get("lport")), -1)
        rows = np.flatnonzero(self._ports[get("lport")])
        if not len(rows):
            return found
        lport, laddr, family, ifindex = (get(name)[rows] for name in ("lport", "laddr", "family", "ifindex"))
        within, at = [get(name)[rows] for name in self._within], np.full(len(rows), -1)
        # As in the kernel, one address goes before 0.0.0.0, 0.0.0.0 before ::, and an interface before all.
        for address, may in ((None, np.True_), (_ANY4, family == 4), (_ANY6, np.True_)):
            for bound in (True, False):
                left = np.flatnonzero((at < 0) & may & ((ifindex != 0) | (not bound)))
                if not len(left):
                    continue
                interface = ifindex[left] if bound else np.zeros(len(left), ifindex.dtype)
                place = laddr[left] if address is None else np.repeat(address, len(left))
                keys = mixed([*(each[left] for each in within), interface, lport[left], place])
                at[left] = places(self._keys, keys)
        found[rows] = at
        return found
