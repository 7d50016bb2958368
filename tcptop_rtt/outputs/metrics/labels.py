"""What connections and listeners are told apart by: never a PID, and never the port of a client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.listeners import Endpoints
from tcptop_rtt.model.prefixes import Prefixes
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import DIRECTIONS, Get, Holder
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import networks
from tcptop_rtt.view.grouping import peer_serves

OF_CONNECTIONS = ("process", "service", "direction", "remote_network")
OF_LISTENERS = OF_CONNECTIONS[:2]

OTHER = "other"
"""Stands in every label for what has no set of its own, as there are too many."""

_EPHEMERAL = 32_768
"""Where Linux begins to choose ports for clients, unless it is set otherwise."""


@dataclass(frozen=True, eq=False)
class LabelSet:
    """One set of labels. It is equal to itself only: one that comes back is another, and begins at 0."""

    texts: Mapping[str, str]
    """By name."""
    started_ns: int
    """Since when it is counted, Unix time."""
    is_other: bool = False
    """It stands for all that have no set of their own."""

    @cached_property
    def between_braces(self) -> str:
        """As it stands in a line of Prometheus' text."""
        return ",".join(f'{name}="{_escaped(text)}"' for name, text in self.texts.items())


Shared = dict[str, NDArray[Any]]
"""By name a value per row; rows with the same values have one set of labels."""


def of_connections(get: Get, listeners: NDArray[np.void], prefixes: Prefixes) -> Shared:
    """What connections are told apart by.

    :param get: gives the values of a field of the connections
    """
    return {
        "process": _as_shown(_processes(get, listeners)),
        "port": _services(get),
        "direction": get("direction"),
        "family": get("family"),
        "network": networks.networks(get, prefixes),
    }


def of_listeners(get: Get) -> Shared:
    """What listeners are told apart by."""
    return {"process": _as_shown(get("comm")), "port": get("lport")}


def texts_of_connection(shared: Shared, at: int, prefixes: Prefixes) -> dict[str, str]:
    """The labels of one row, by name."""
    family, direction = int(shared["family"][at]), int(shared["direction"][at])
    network = networks.text(family, shared["network"][at].tobytes(), prefixes)
    known = DIRECTIONS[direction] if direction < len(DIRECTIONS) else None
    texts = (*texts_of_listener(shared, at).values(), known or fmt.UNKNOWN, network)
    return dict(zip(OF_CONNECTIONS, texts, strict=True))


def texts_of_listener(shared: Shared, at: int) -> dict[str, str]:
    """The same of a listener."""
    process = bytes(shared["process"][at]).decode()
    return dict(zip(OF_LISTENERS, (process, str(shared["port"][at] or fmt.UNKNOWN)), strict=True))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _processes(get: Get, listeners: NDArray[np.void]) -> NDArray[np.bytes_]:
    """The name of who holds it or had it, or else of who listens where it was accepted."""
    holder = get("holder")
    comm = np.where(holder == Holder.NOBODY, get("was_comm"), get("comm"))
    comm = np.where(holder == Holder.KERNEL, b"[kernel]", comm).astype("S16")
    # One that lives for less than the time between two scans may never be seen in a process's hands.
    nameless = np.flatnonzero((comm == b"") & (get("direction") == Direction.IN))
    if len(nameless) and len(listeners):
        endpoints = Endpoints(listeners.__getitem__)
        _, first = np.unique(endpoints.of_listeners, return_index=True)
        found = endpoints.find(lambda name: get(name)[nameless])
        comm[nameless[found >= 0]] = listeners["comm"][first[found[found >= 0]]]
    return comm


def _as_shown(comm: NDArray[np.bytes_]) -> NDArray[np.bytes_]:
    """Names as text: those that look alike are one, as two series of the same labels would be."""
    names = comm.astype("S48")  # what is not shown of 16 bytes becomes a character of three each
    raw = np.ascontiguousarray(comm).view(np.uint8).reshape(-1, comm.dtype.itemsize)
    is_plain = (raw >= ord(" ")) & (raw <= ord("~"))
    odd = np.flatnonzero(
        is_plain.sum(axis=1) != np.char.str_len(comm)
    )  # a NUL counts where more comes behind it
    names[odd] = [fmt.printable(name).encode() for name in comm[odd].tolist()]
    names[names == b""] = fmt.UNKNOWN.encode()
    return names


def _services(get: Get) -> NDArray[np.uint16]:
    """The port of the end that was called; 0: which end that is, is not known."""
    direction, lport, rport = get("direction"), get("lport"), get("rport")
    port = np.where(peer_serves(direction, lport, rport), rport, lport)
    return np.where((direction == Direction.UNKNOWN) & (port >= _EPHEMERAL), 0, port).astype(np.uint16)
