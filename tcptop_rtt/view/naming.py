"""What the screen calls hosts and services: by a name where one is known, otherwise by a number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.ids import among
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.names import NO_NAMES, Address, Names
from tcptop_rtt.model.rows import ROW, Get, Mask, Rows
from tcptop_rtt.view import addresses
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.grouping import peer_serves


def remote(row: Connection, names: Names, glyphs: Glyphs) -> str:
    """The peer as ``db1.example:postgresql``, each half as a number where it has no name."""
    if names is NO_NAMES:
        return addresses.remote(row, glyphs)
    host, port = names.host(Address(row.family, row.raddr)), service(row, names)
    if not (host or port):
        return addresses.remote(row, glyphs)
    address, _, number = addresses.remote(row, glyphs).rpartition(":")
    return f"{host or address}:{port or number}"


def service(row: Connection, names: Names) -> str:
    """The name of the peer's port; empty if it has none or the peer is the client.

    The port of a client is picked at random, so a name for it would say nothing.
    """
    serves = peer_serves(*(row.row[name] for name in ("direction", "lport", "rport")))
    return names.service(row.rport or 0) if serves else ""


def ask(names: Names, rows: NDArray[np.void]) -> None:
    """Ask for the names of the peers of these connections or groups."""
    families, addresses, ports = (rows[name].tolist() for name in ("family", "raddr", "rport"))
    hosts = (Address(family, raw) for family, raw in zip(families, addresses, strict=True) if family)
    names.ask(hosts, (port for port in ports if port))


def ask_later(names: Names, rows: Rows) -> None:
    """Ask for the names of all peers: a filter also searches connections that are not in view."""
    names.ask_later(rows["family"], rows["raddr"], rows["rport"])


def have(word: str, get: Get, names: Names) -> Mask:
    """Which connections have this word, in lower case, in the name of their peer or of its service."""
    found = np.zeros(len(get("id")), bool)
    hosts, ports = names.hosts_named(word), names.ports_named(word.removeprefix(":"))
    if hosts:
        found |= among(_addresses(get), _ids(hosts))
    if ports:
        found |= among(get("rport"), ports) & peer_serves(get("direction"), get("lport"), get("rport"))
    return found


def _addresses(get: Get) -> NDArray[np.uint64]:
    """A hash of each peer's address, which is all that a name belongs to."""
    return mixed((get("family"), get("raddr")))


def _ids(hosts: Iterable[Address]) -> NDArray[np.uint64]:
    rows = np.array(list(hosts), np.dtype([("family", ROW["family"]), ("raddr", ROW["raddr"])]))
    return _addresses(rows.__getitem__)
