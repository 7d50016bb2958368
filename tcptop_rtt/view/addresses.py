"""Formats addresses and ports as short strings for a terminal."""

from __future__ import annotations

import socket
from functools import lru_cache

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.view.format import printable
from tcptop_rtt.view.glyphs import UNICODE, Glyphs

_KEPT = 8_192
"""How many texts are cached, in 2 MiB: where all addresses differ, a larger cache would hardly help."""


@lru_cache(maxsize=_KEPT)
def address(family: int, raw: bytes) -> str:
    """Returns the text of an address of 16 bytes; IPv4 addresses are v4-mapped."""
    if family == 4:
        return socket.inet_ntop(socket.AF_INET, raw[12:16])
    return socket.inet_ntop(socket.AF_INET6, raw)


def endpoint(
    family: int, raw: bytes, port: int, ifindex: int = 0, interface: bytes = b"", glyphs: Glyphs = UNICODE
) -> str:
    """``192.0.2.1:443``, ``[2001:db8::1]:443`` or ``[fe80::1%eth0]:443``.

    :param ifindex: the interface of the socket, 0 if none; a link-local address is ambiguous without it
    """
    host = address(family, raw)
    if ifindex and family == 6 and raw[0] == 0xFE and raw[1] & 0xC0 == 0x80:
        host = f"{host}%{printable(interface, glyphs) or ifindex}"
    return f"{host}:{port}" if family == 4 else f"[{host}]:{port}"


_LEAST_OF_HOST = 4
"""Fewer characters of an address are not worth showing."""


def shorten(text: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Cuts an endpoint in the middle of its address, which keeps both its network and its port."""
    if len(text) <= width:
        return text
    gap = glyphs.gap
    host, _, port = text.rpartition(":")
    tail = f"]:{port}" if host.endswith("]") else f":{port}"
    host = host.removesuffix("]")
    keep = width - len(gap) - len(tail)
    if keep < _LEAST_OF_HOST and width > len(port):
        return f":{port}"
    if keep < 1:
        return (gap + tail)[-width:] if width > 0 else ""
    right = keep // 2
    return host[: keep - right] + gap + host[len(host) - right :] + tail


def local(row: Connection, glyphs: Glyphs = UNICODE) -> str:
    """Our address and port."""
    return endpoint(row.family, row.laddr, row.lport or 0, row.ifindex, row.interface, glyphs)


def remote(row: Connection, glyphs: Glyphs = UNICODE) -> str:
    """The peer's address and port."""
    return endpoint(row.family, row.raddr, row.rport or 0, row.ifindex, row.interface, glyphs)
