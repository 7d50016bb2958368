"""Requests and answers over a link, of which number, size and time are known."""

from __future__ import annotations

from tests.live.link import ADDRESSES, Link

DELAY_MS = 25
"""Each way."""
ROUND_TRIPS, BYTES = 100, 1000

_ECHO = f"""
import socket
listener = socket.create_server(("{ADDRESSES["b"][0]}", {{port}}))
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
"""
_ASK = f"""
import socket
print("ready", flush=True)
for _ in range({{times}}):
    with socket.create_connection(("{ADDRESSES["b"][0]}", {{port}})) as connection:
        for _ in range({ROUND_TRIPS}):
            connection.sendall(bytes({BYTES}))
            left = {BYTES}
            while left:
                left -= len(connection.recv(left))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
"""


def start(link: Link, port: int, times: int) -> None:
    """Have one end ask the other by so many connections, one after another.

    :param link: of DELAY_MS
    """
    link.start(link.b, _ECHO.format(port=port))
    link.start(link.a, _ASK.format(port=port, times=times))
