"""Formats addresses and ports as short strings for a terminal."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.view.format import UNKNOWN, printable
from tcptop_rtt.view.glyphs import UNICODE, Glyphs

_KEPT = 8_192
"""How many texts are cached, in 2 MiB: where all addresses differ, a larger cache would hardly help."""


@lru_cache(maxsize=_KEPT)
def address(family: int, raw: bytes) -> str:
    """Returns the text of an address of 16 bytes; IPv4 addresses are v4-mapped."""
    if family == 4:
        return socket.inet_ntop(socket.AF_INET, raw[12:16])
    return socket.inet_ntop(socket.AF_INET6, raw)


def host(family: int, raw: bytes, ifindex: int, interface: bytes, glyphs: Glyphs = UNICODE) -> str:
    """``192.0.2.1``, ``2001:db8::1`` or ``fe80::1%eth0``.

    :param ifindex: the interface of the socket, 0 if none; a link-local address is ambiguous without it
    """
    found = address(family, raw)
    if ifindex and family == 6 and raw[0] == 0xFE and raw[1] & 0xC0 == 0x80:
        return f"{found}%{printable(interface, glyphs) or ifindex}"
    return found


def are_link_local(family: NDArray[Any], raw: NDArray[Any]) -> NDArray[np.bool_]:
    """Which addresses are link-local ones: fe80::/10."""
    octets = np.ascontiguousarray(raw).view(np.uint8).reshape(-1, 16)
    found: NDArray[np.bool_] = (family == 6) & (octets[:, 0] == 0xFE) & (octets[:, 1] & 0xC0 == 0x80)
    return found


def endpoint(
    family: int, raw: bytes, port: int, ifindex: int = 0, interface: bytes = b"", glyphs: Glyphs = UNICODE
) -> str:
    """``192.0.2.1:443``, ``[2001:db8::1]:443`` or ``[fe80::1%eth0]:443``, likewise.

    :param port: 0 is unknown
    """
    text = host(family, raw, ifindex, interface, glyphs)
    return f"{text if family == 4 else f'[{text}]'}:{port or UNKNOWN}"


_LEAST_OF_HOST = 4
"""Fewer characters of an address are not worth showing."""


def shorten(text: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Cuts an endpoint, an address or a name of a host in the middle of its address.

    Network and port stay, and of an address without a port its last part.
    """
    if len(text) <= width:
        return text
    gap = glyphs.gap
    start, colon, port = text.rpartition(":")
    if not colon:
        start, port = text, ""
    tail = f"]:{port}" if start.endswith("]") else f"{colon}{port}"
    start = start.removesuffix("]")
    keep = width - len(gap) - len(tail)
    if colon and keep < _LEAST_OF_HOST and width > len(port):
        return f":{port}"
    if keep < 1:
        return (gap + tail)[-width:] if width > 0 else ""
    right = keep // 2
    return start[: keep - right] + gap + start[len(start) - right :] + tail


def local(row: Connection, glyphs: Glyphs = UNICODE) -> str:
    """Our address and port."""
    return endpoint(row.family, row.laddr, row.lport or 0, row.ifindex, row.interface, glyphs)


def remote(row: Connection, glyphs: Glyphs = UNICODE) -> str:
    """The peer's address and port."""
    return endpoint(row.family, row.raddr, row.rport or 0, row.ifindex, row.interface, glyphs)
