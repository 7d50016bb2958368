"""How to see by other tools what a verdict says: commands to copy."""

from __future__ import annotations

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.view import format as fmt


def by_ss(row: Connection) -> str:
    """The kernel's own numbers of this connection."""
    local, remote = _address(row, row.laddr), _address(row, row.raddr)
    return f"ss -tinmo src {local}:{row.lport or 0} dst {remote}:{row.rport or 0}"


def remote(row: Connection) -> str:
    """The peer's address, without its port."""
    return fmt.address(row.family, row.raddr)


def by_tcpdump(row: Connection) -> str:
    """Its packets, with their times."""
    host = fmt.address(row.family, row.raddr)
    return f"tcpdump -ni any host {host} and port {row.rport or 0} and port {row.lport or 0}"


def of_listener(row: Connection) -> str:
    """Recv-Q is how many connections wait there, Send-Q how many may."""
    return f"ss -tlne sport = :{row.lport or 0}"


def _address(row: Connection, raw: bytes) -> str:
    text = fmt.address(row.family, raw)
    return text if row.family == 4 else f"[{text}]"
