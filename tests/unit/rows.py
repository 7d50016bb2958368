"""Rows of a snapshot, and what they are made of, by hand."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.hosts import name_of, number_of
from tcptop_rtt.model.listeners import LISTENER
from tcptop_rtt.model.rows import CONNECT_ERRORS, ROW, Rows
from tcptop_rtt.model.targets import TARGET


def address(text: str) -> bytes:
    """16 bytes as in a row."""
    if ":" in text:
        return socket.inet_pton(socket.AF_INET6, text)
    return b"\0" * 10 + b"\xff\xff" + socket.inet_pton(socket.AF_INET, text)


def filled(dtype: np.dtype[np.void], *given: Mapping[str, Any]) -> NDArray[np.void]:
    """An array of such with these fields, the others zero; hosts are given by name, addresses may be text."""
    found = np.zeros(len(given), dtype)
    for one, fields in zip(found, given, strict=True):
        for name, value in fields.items():
            if name in ("laddr", "raddr"):
                value = np.void(address(value) if isinstance(value, str) else value)
            elif name == "host":
                value = number_of(value)
            one[name] = value
    return found


def hosts_of(rows: Rows | NDArray[np.void]) -> list[bytes]:
    """The name of each row's host, or those of both where it shows both ends."""
    return list(map(name_of, rows["host"].tolist()))


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
    return columns_of(filled(ROW, *connections))


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
    return filled(LISTENER, *listeners)


def target(id_: int, count: int = 1, **fields: Any) -> dict[str, Any]:
    """One that has refused so many connects; ``raddr`` may be given as text."""
    values: dict[str, Any] = {
        "id": id_,
        "comm": b"curl",
        "family": 4,
        "raddr": "192.0.2.9",
        "rport": 8080,
        "count": count,
        "connect_error": CONNECT_ERRORS.index("refused"),
    }
    return values | fields


def targets_of(*targets: dict[str, Any]) -> NDArray[np.void]:
    """As a snapshot has them."""
    return filled(TARGET, *targets)
