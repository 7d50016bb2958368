"""A thousand short connections, each end held by a process of its own: a program by itself.

It has few modules and little memory, as each fork copies what there is: an emulated processor takes a quarter
of a second to fork the tests. It listens at the port that is given, writes a line, waits for one, and writes
whose each end was.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

COUNT = 1000
AT_ONCE = 8
LIFE_S = 0.02


def _serve_one(listener: socket.socket, report: int) -> int:
    """A process that accepts one connection, says whose, answers, and ends."""
    pid = os.fork()
    if pid:
        return pid
    try:
        connection, (source, _) = listener.accept()
        os.write(report, f"{os.getpid()} {source}\n".encode())
        connection.recv(16)
        connection.sendall(b"answer")
        connection.recv(16)  # the client's end
        connection.close()
    finally:
        os._exit(0)


def _connect_one(port: int, source: str, report: int) -> int:
    """A process whose connection, from an address of its own, lives 20 ms."""
    pid = os.fork()
    if pid:
        return pid
    try:
        with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as connection:
            os.write(report, f"{os.getpid()} {source}\n".encode())
            connection.sendall(b"question")
            connection.recv(16)
            time.sleep(LIFE_S)
    finally:
        os._exit(0)


def _run(port: int, listener: socket.socket) -> list[dict[str, int]]:
    """The client's and the server's process by the client's address."""
    pipes = [os.pipe() for _ in range(2)]
    (_, of_clients), (_, of_servers) = pipes
    for first in range(0, COUNT, AT_ONCE):
        batch = [_serve_one(listener, of_servers) for _ in range(AT_ONCE)]
        # Ports are used again within a second; of loopback addresses there are enough.
        sources = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(first, first + AT_ONCE)]
        batch += [_connect_one(port, source, of_clients) for source in sources]
        for pid in batch:
            os.waitpid(pid, 0)
    told = []
    for readable, report in pipes:
        os.close(report)
        with os.fdopen(readable) as lines:
            told.append({source: int(pid) for pid, source in (line.split() for line in lines)})
    return told


def main() -> None:
    """A line, and after a line of input both dictionaries on another."""
    port = int(sys.argv[1])
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        print("ready", flush=True)
        input()
        print(json.dumps(_run(port, listener)), flush=True)


if __name__ == "__main__":
    main()
