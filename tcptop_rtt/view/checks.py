"""Commands to copy that show with other tools what a verdict says."""

from __future__ import annotations

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.view import addresses


def by_ss(row: Connection) -> str:
    """Returns the command that shows the kernel's own numbers of this connection."""
    local = addresses.endpoint(row.family, row.laddr, row.lport or 0)
    peer = addresses.endpoint(row.family, row.raddr, row.rport or 0)
    return f"ss -tinmo src {local} dst {peer}"


def remote(row: Connection) -> str:
    """The peer's address, without its port."""
    return addresses.address(row.family, row.raddr)


def by_tcpdump(row: Connection) -> str:
    """Returns the command that shows the connection's packets, with their times."""
    return f"tcpdump -ni any host {remote(row)} and port {row.rport or 0} and port {row.lport or 0}"


def of_process(row: Connection) -> str:
    """Returns the command that shows what the process spends its time on."""
    return f"strace -rp {row.pid}" if row.pid else by_ss(row)


def of_listener(row: Connection) -> str:
    """Returns the command that shows the listener: Recv-Q connections wait there, at most Send-Q may."""
    return f"ss -tlne sport = :{row.lport or 0}"
