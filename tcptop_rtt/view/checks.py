"""Commands to copy that show with other tools what a verdict says.

``own_netns`` is the network namespace of the program, in which a shell beside it most likely is; 0: unknown.
"""

from __future__ import annotations

import shlex

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.view import addresses


def by_ss(row: Connection, own_netns: int) -> str:
    """Returns the command that shows the kernel's own numbers of this connection."""
    local = addresses.endpoint(row.family, row.laddr, row.lport or 0)
    peer = addresses.endpoint(row.family, row.raddr, row.rport or 0)
    # A shell may take the brackets of an IPv6 address for a pattern.
    return _in_its_netns(row, own_netns, f"ss -tinmo src {shlex.quote(local)} dst {shlex.quote(peer)}")


def remote(row: Connection) -> str:
    """The peer's address without its port, as other programs take it."""
    return addresses.host(row.family, row.raddr, row.ifindex, row.interface)


def by_tcpdump(row: Connection, own_netns: int) -> str:
    """Returns the command that shows the connection's packets, with their times."""
    peer = addresses.address(row.family, row.raddr)
    ports = f"port {row.rport or 0} and port {row.lport or 0}"
    return _in_its_netns(row, own_netns, f"tcpdump -ni any host {peer} and {ports}")


def of_process(row: Connection, own_netns: int) -> str:
    """Returns the command that shows what the process spends its time on."""
    return f"strace -rp {row.pid}" if row.pid else by_ss(row, own_netns)


def of_listener(row: Connection, own_netns: int) -> str:
    """Returns the command that shows the listener: Recv-Q connections wait there, at most Send-Q may."""
    return _in_its_netns(row, own_netns, f"ss -tlne sport = :{row.lport or 0}")


def _in_its_netns(row: Connection, own_netns: int, command: str) -> str:
    """Returns the command, run in the network namespace of the connection if that is another one."""
    if not row.netns or own_netns in (0, row.netns):
        return command
    if row.pid:
        return f"nsenter -t {row.pid} -n {command}"
    return f"{command} # in network namespace {row.netns}"
