"""Connections with both ends in this process."""

from __future__ import annotations

import ctypes
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Rows
from tests.ports import bind

Pair = tuple[socket.socket, socket.socket]
"""Client and server."""


@contextmanager
def connected(
    host: str = "127.0.0.1", family: socket.AddressFamily = socket.AF_INET, port_chosen: bool = False
) -> Iterator[Pair]:
    """A connection, by itself: nobody listens on its port any more, and nobody else connects from one of its.

    :param port_chosen: let connect() choose the client's port, as most clients do; others may get it, too
    """
    with socket.socket(family) as listener, socket.socket(family) as client:
        bind(listener, host)
        listener.listen()
        if not port_chosen:
            bind(client, host)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        listener.close()
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with server:
            yield client, server


def send_and_close(listener: socket.socket, source: str, count: int) -> None:
    """A connection from this address, over which so many bytes come; both ends of it are closed."""
    with socket.create_connection(listener.getsockname(), source_address=(source, 0)) as client:
        server, _ = listener.accept()
        client.sendall(bytes(count))
    with server:
        while server.recv(65536):
            pass


def disconnect(end: socket.socket) -> None:
    """End its connection by connect() to AF_UNSPEC; the socket stays the same, and can connect again."""
    unspecified = (ctypes.c_char * 16)()  # sa_family AF_UNSPEC is 0
    assert ctypes.CDLL(None).connect(end.fileno(), unspecified, 16) == 0


def port_of(end: socket.socket) -> int:
    """Its own port."""
    port: int = end.getsockname()[1]
    return port


def row_of(rows: Rows, end: socket.socket) -> np.void:
    """The row of this end. Its own port alone may be somebody else's too, at another address."""
    row: np.void
    (row,) = rows[(rows["lport"] == port_of(end)) & (rows["rport"] == end.getpeername()[1])]
    return row


def rows_of(rows: Rows, *pairs: Pair) -> NDArray[np.void]:
    """The rows of their ends, in this order."""
    return np.array([row_of(rows, end) for pair in pairs for end in pair])


def round_trip(pair: Pair) -> None:
    """One byte there, and one back."""
    client, server = pair
    for sender, receiver in (pair, (server, client)):
        sender.sendall(b"x")
        receiver.recv(1)


def fill(sender: socket.socket) -> int:
    """Send until the receiver, which does not read, has no room for more; how many bytes."""
    sent = 0
    sender.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            sent += sender.send(bytes(1 << 20))
    sender.setblocking(True)
    return sent


@contextmanager
def overflowing(listener: socket.socket, clients: int) -> Iterator[None]:
    """So many connect to it meanwhile, whether or not it has room for them."""
    with ExitStack() as opened:
        for _ in range(clients):
            client = opened.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield


def talking(pair: Pair, pause_s: float = 0.005) -> AbstractContextManager[None]:
    """Round trips all the time."""
    return repeating(lambda: round_trip(pair), pause_s)


@contextmanager
def repeating(action: Callable[[], None], pause_s: float) -> Iterator[None]:
    """Do it again and again meanwhile, in another thread."""
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(pause_s):
            action()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def serving(server: socket.socket, serve: Callable[[], None]) -> Iterator[None]:
    """Run it meanwhile in another thread; it ends when the server's end can be read no more."""
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RD)
        thread.join()
