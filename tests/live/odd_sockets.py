"""Sockets that nobody accepts, that nobody holds, that are no whole ones, or that others are made of."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.pairs import round_trip

_IPPROTO_MPTCP = 262  # include/uapi/linux/in.h

NEVER_ACCEPT = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
print(listener.getsockname()[1], flush=True)
time.sleep(600)
"""
LEAVE_NO_WHOLE_SOCKETS = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
for _ in range(3):
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.close()
    server.recv(1)
    server.close()
listener = socket.create_server(("127.0.0.1", 0))
# Until there is data, what has been connected to stays in SYN-RECV.
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
waiting = [socket.create_connection(listener.getsockname()) for _ in range(2)]
print("ready", flush=True)
time.sleep(600)
"""
"""Three connections in TIME-WAIT, two in SYN-RECV."""
FILL_AND_LEAVE = """
import socket, sys
from tests.live.pairs import fill
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
fill(client)
print(client.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def mptcp() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """Listener, client and server."""
    kind = (socket.AF_INET, socket.SOCK_STREAM, _IPPROTO_MPTCP)
    with socket.socket(*kind) as listener, socket.socket(*kind) as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            round_trip((client, server))
            yield listener, client, server
