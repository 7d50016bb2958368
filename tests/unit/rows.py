"""Rows of a snapshot, made by hand."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.listeners import LISTENER
from tcptop_rtt.model.rows import ROW, Rows


def address(text: str) -> bytes:
    """16 bytes as in a row."""
    if ":" in text:
        return socket.inet_pton(socket.AF_INET6, text)
    return b"\0" * 10 + b"\xff\xff" + socket.inet_pton(socket.AF_INET, text)


def row(id_: int, **fields: Any) -> dict[str, Any]:
    """An established, healthy connection; ``laddr`` and ``raddr`` may be given as text."""
    values: dict[str, Any] = {
        "id": id_,
        "pid": 1000 + id_,
        "comm": f"proc{id_}".encode(),
        "family": 4,
        "state": 1,
        "lport": 40000 + id_,
        "rport": 443,
        "laddr": "192.0.2.1",
        "raddr": f"198.51.100.{id_ % 250}",
        "scanned": True,
        "bytes_acked": 5000,
        "srtt_us": 1000 * id_,
        "rttvar_us": 100,
        "min_rtt_us": 900 * id_,
        "mss": 1448,
        "age_ns": 5_000_000_000,
        "open_seen": True,
        "snd_wnd_bytes": 65535,
    }
    return values | fields


def columns_of(rows: NDArray[np.void]) -> Rows:
    """Rows as a snapshot has them."""
    return Rows({name: rows[name] for name in ROW.names or ()})


def rows_of(*connections: dict[str, Any]) -> Rows:
    rows = np.zeros(len(connections), ROW)
    for at, connection in enumerate(connections):
        for name, value in connection.items():
            rows[name][at] = np.void(address(value)) if name in ("laddr", "raddr") else value
    return columns_of(rows)


def listener(id_: int, **fields: Any) -> dict[str, Any]:
    """One with an empty queue, on all IPv4 addresses; ``laddr`` may be given as text."""
    values: dict[str, Any] = {
        "id": id_,
        "pid": 2000 + id_,
        "comm": f"server{id_}".encode(),
        "family": 4,
        "laddr": "0.0.0.0",  # noqa: S104 - an address that is never bound
        "lport": 8000 + id_,
        "queue_limit": 128,
    }
    return values | fields


def listeners_of(*listeners: dict[str, Any]) -> NDArray[np.void]:
    """As a snapshot has them."""
    found = np.zeros(len(listeners), LISTENER)
    for at, one in enumerate(listeners):
        for name, value in one.items():
            found[name][at] = np.void(address(value)) if name == "laddr" else value
    return found
