"""The labels of connections and listeners. A PID or the port of a client is never among them."""

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
"""The value of every label in the set for others, which all sets beyond the limit share."""

_EPHEMERAL = 32_768
"""The lowest port that Linux assigns to clients by default."""


@dataclass(frozen=True, eq=False)
class LabelSet:
    """One set of labels, compared by identity: a set that comes back is a new one, and counts from 0."""

    texts: Mapping[str, str]
    """The value of each label, by name."""
    started_ns: int
    """When its counts begin, Unix time."""
    is_other: bool = False
    """This is the set for others."""

    @cached_property
    def between_braces(self) -> str:
        """The labels as in a line of Prometheus' text format."""
        return ",".join(f'{name}="{_escaped(text)}"' for name, text in self.texts.items())


Shared = dict[str, NDArray[Any]]
"""Columns with a value per row, by name; rows with equal values share a set of labels."""


def of_connections(get: Get, listeners: NDArray[np.void], prefixes: Prefixes) -> Shared:
    """Return the values that make up the labels of connections.

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
    """Return the values that make up the labels of listeners."""
    return {"process": _as_shown(get("comm")), "port": get("lport")}


def texts_of_connection(shared: Shared, at: int, prefixes: Prefixes) -> dict[str, str]:
    """Return the labels of one connection, by name."""
    family, direction = int(shared["family"][at]), int(shared["direction"][at])
    network = networks.text(family, shared["network"][at].tobytes(), prefixes)
    known = DIRECTIONS[direction] if direction < len(DIRECTIONS) else None
    texts = (*texts_of_listener(shared, at).values(), known or fmt.UNKNOWN, network)
    return dict(zip(OF_CONNECTIONS, texts, strict=True))


def texts_of_listener(shared: Shared, at: int) -> dict[str, str]:
    """Return the labels of one listener, by name."""
    process = bytes(shared["process"][at]).decode()
    return dict(zip(OF_LISTENERS, (process, str(shared["port"][at] or fmt.UNKNOWN)), strict=True))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _processes(get: Get, listeners: NDArray[np.void]) -> NDArray[np.bytes_]:
    """Return the name of the process that holds or held each connection, or else of its listener's."""
    holder = get("holder")
    comm = np.where(get("comm") == b"", get("was_comm"), get("comm"))
    comm = np.where(holder == Holder.KERNEL, b"[kernel]", comm).astype("S16")
    # A connection that begins and ends between two scans may never be seen in a process.
    nameless = np.flatnonzero((comm == b"") & (get("direction") == Direction.IN))
    if len(nameless) and len(listeners):
        endpoints = Endpoints(listeners.__getitem__)
        _, first = np.unique(endpoints.of_listeners, return_index=True)
        found = endpoints.find(lambda name: get(name)[nameless])
        comm[nameless[found >= 0]] = listeners["comm"][first[found[found >= 0]]]
    return comm


def _as_shown(comm: NDArray[np.bytes_]) -> NDArray[np.bytes_]:
    """Return printable names. Names that look alike become equal: two series must not have equal labels."""
    names = comm.astype("S48")  # each of 16 bytes may be replaced by a character of three bytes
    raw = np.ascontiguousarray(comm).view(np.uint8).reshape(-1, comm.dtype.itemsize)
    is_plain = (raw >= ord(" ")) & (raw <= ord("~"))
    odd = np.flatnonzero(is_plain.sum(axis=1) != np.char.str_len(comm))  # str_len omits trailing NULs only
    names[odd] = [fmt.printable(name).encode() for name in comm[odd].tolist()]
    names[names == b""] = fmt.UNKNOWN.encode()
    return names


def _services(get: Get) -> NDArray[np.uint16]:
    """Return the port of the server's end; 0 if it is unknown which end that is."""
    direction, lport, rport = get("direction"), get("lport"), get("rport")
    port = np.where(peer_serves(direction, lport, rport), rport, lport)
    return np.where((direction == Direction.UNKNOWN) & (port >= _EPHEMERAL), 0, port).astype(np.uint16)
