"""Every connection is reported, each with the process that really holds it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

from tests.live.conftest import Recording
from tests.live.program import Line
from tests.waiting import becomes

SHORT_CONNECTIONS = 1000
AT_ONCE = 8
LIFE_S = 0.02


def _serve_one(listener: socket.socket, report: int) -> int:
    """A process of its own that accepts one connection, says whose, answers, and ends."""
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
    """A process of its own whose connection, from an address of its own, lives 20 ms."""
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


def _run_short_connections(port: int, listener: socket.socket) -> list[dict[str, int]]:
    """The client's and the server's process by the client's address."""
    pipes = [os.pipe() for _ in range(2)]
    (_, of_clients), (_, of_servers) = pipes
    for first in range(0, SHORT_CONNECTIONS, AT_ONCE):
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


def _closed(recording: Recording, client: str, server: str, port: int) -> list[Line]:
    lines = [line for line in list(recording.lines) if line["event"] == "close"]
    return [line for line in lines if line[client].startswith("127.1.") and line[server] == port]


def test_a_thousand_short_connections_are_all_reported_with_their_processes(
    record: Callable[..., Recording],
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        port = listener.getsockname()[1]
        recording = record("--interval", "0.5", "--filter", f"port:{port}")
        clients, servers = _run_short_connections(port, listener)
        # By address too: a client may well be given the listener's own port number.
        becomes(
            lambda: (
                len(_closed(recording, "laddr", "rport", port)) >= SHORT_CONNECTIONS
                and len(_closed(recording, "raddr", "lport", port)) >= SHORT_CONNECTIONS
            )
        )
        lost = recording.stop()[-1]["lost"]
    assert len(clients) == len(servers) == SHORT_CONNECTIONS
    client_ends = _closed(recording, "laddr", "rport", port)
    server_ends = _closed(recording, "raddr", "lport", port)
    seen_clients = {line["laddr"]: line["pid"] for line in client_ends}
    seen_servers = {line["raddr"]: line["pid"] for line in server_ends}
    assert (len(seen_clients), len(seen_servers)) == (len(client_ends), len(server_ends))  # each once
    for seen in (seen_clients, seen_servers):
        assert seen.keys() <= clients.keys()
        # Of one that is not seen all records have found no room, as where others have many more.
        assert 2 * (SHORT_CONNECTIONS - len(seen)) <= lost

    for seen, true in ((seen_clients, clients), (seen_servers, servers)):
        wrong = {source: pid for source, pid in seen.items() if pid not in (true[source], None)}
        assert wrong == {}
    named = [pid for pid in (*seen_clients.values(), *seen_servers.values()) if pid is not None]
    assert len(named) >= 0.99 * 2 * SHORT_CONNECTIONS - lost
