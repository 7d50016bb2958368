"""Ports of this machine, for tests of any kind.

They are none of those that the kernel gives to whoever does not choose, so another program's connections, at
other addresses, have none of them: what is found by such a port is the test's.
"""

from __future__ import annotations

import errno
import random
import socket
from pathlib import Path

_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 1000
_chance = random.SystemRandom()  # several processes test at once


def _own_ports() -> list[int]:
    first, last = map(int, _GIVEN.read_text().split())
    return [*range(10_000, first), *range(last + 1, 1 << 16)]


def bind(one: socket.socket, host: str = "127.0.0.1") -> int:
    """Bind a socket to such a port, which nobody has just now; return it."""
    ports = _own_ports()
    for _ in range(_TRIES):
        port = _chance.choice(ports)
        try:
            one.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return port
    raise AssertionError("no port is free")


def free_port() -> int:
    """Such a port of loopback."""
    with socket.socket() as one:
        return bind(one)


def serve(host: str = "127.0.0.1", backlog: int = 128) -> socket.socket:
    """Return a socket that listens on such a port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bind(listener, host)
    listener.listen(backlog)
    return listener
