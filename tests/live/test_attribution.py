"""Every connection is reported, each with the process that really holds it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.live import short_connections
from tests.live.conftest import Recording
from tests.live.program import Line
from tests.live.short_connections import COUNT
from tests.ports import free_port
from tests.waiting import becomes


def _closed(recording: Recording, client: str, server: str, port: int) -> list[Line]:
    lines = [line for line in list(recording.lines) if line["event"] == "close"]
    return [line for line in lines if line[client].startswith("127.1.") and line[server] == port]


def test_a_thousand_short_connections_are_all_reported_with_their_processes(
    record: Callable[..., Recording],
) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-ISB", Path(short_connections.__file__), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holders:
        assert holders.stdout
        assert holders.stdout.readline() == "ready\n"
        recording = record("--interval", "0.5", "--filter", f"port:{port}")
        clients, servers = json.loads(holders.communicate("\n")[0])
    # By address too: a client may well be given the listener's own port number.
    becomes(
        lambda: (
            len(_closed(recording, "laddr", "rport", port)) >= COUNT
            and len(_closed(recording, "raddr", "lport", port)) >= COUNT
        )
    )
    lost = recording.stop()[-1]["lost"]
    assert len(clients) == len(servers) == COUNT
    client_ends = _closed(recording, "laddr", "rport", port)
    server_ends = _closed(recording, "raddr", "lport", port)
    seen_clients = {line["laddr"]: line["pid"] for line in client_ends}
    seen_servers = {line["raddr"]: line["pid"] for line in server_ends}
    assert (len(seen_clients), len(seen_servers)) == (len(client_ends), len(server_ends))  # each once
    for seen in (seen_clients, seen_servers):
        assert seen.keys() <= clients.keys()
        # Of one that is not seen all records have found no room, as where others have many more.
        assert 2 * (COUNT - len(seen)) <= lost

    for seen, true in ((seen_clients, clients), (seen_servers, servers)):
        wrong = {source: pid for source, pid in seen.items() if pid not in (true[source], None)}
        assert wrong == {}
    named = [pid for pid in (*seen_clients.values(), *seen_servers.values()) if pid is not None]
    assert len(named) >= 0.99 * 2 * COUNT - lost
