"""A server on loopback that answers questions as a test says, however badly."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def result(kind: str, *series: Any, **more: Any) -> bytes:
    """An answer as Prometheus gives it.

    :param more: what is said beside the data
    """
    data = {"resultType": kind, "result": series}
    return reply(json.dumps({"status": "success", "data": data, **more}).encode())


def sample(value: Any, time_s: float = 1000.0, **labels: str) -> dict[str, Any]:
    """One of a vector."""
    return {"metric": labels, "value": [time_s, str(value)]}


@contextmanager
def answering(answer: Callable[[socket.socket, str], None]) -> Iterator[str]:
    """The address of a server.

    :param answer: writes to the connection what there is to say to a request
    """

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            answer(connection, _request(connection))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def saying(data: bytes) -> Callable[[socket.socket, str], None]:
    """Always the same."""
    return lambda connection, _: connection.sendall(data)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the request has no end")
    return data


def _request(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += _received(connection)
    return (head + b"\r\n\r\n" + body).decode()
