"""Real traffic, recorded by the real probe over links of known delay and loss, and compared."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

from tests.live.compared import namespace_of
from tests.live.link import ADDRESSES, Link
from tests.live.program import END_S, PROGRAM, Line, lines_of, run

PORT = 5999
CONNECTIONS = 6
UPDATES = 40
INTERVAL_S = 0.5
SCANS = 8
"""At least so many have to be recorded."""
LINES = 20
"""Each connection has at least so many lines with samples."""
SERVER = f"""
import socket, threading
listener = socket.create_server(("{ADDRESSES["b"][0]}", {PORT}), backlog=64)
print("ready", flush=True)
def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data[:10])
while True:
    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
"""
CLIENT = f"""
import socket, threading, time
def talk():
    connection = socket.create_connection(("{ADDRESSES["b"][0]}", {PORT}))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        for _ in range(4):
            connection.send(b"a" * 600)
            time.sleep(0.02)
threads = [threading.Thread(target=talk, daemon=True) for _ in range({CONNECTIONS})]
for thread in threads:
    thread.start()
print("ready", flush=True)
for thread in threads:
    thread.join()
"""


def _recorded(path: Path, delay_ms: float, lose_each: int) -> None:
    with Link(delay_ms, lose_each) as link:
        link.start(link.b, SERVER)
        link.start(link.a, CLIENT)
        ours = f"rport:{PORT} netns:{namespace_of(link.a.pid)}"
        options = ("--json", "-i", str(INTERVAL_S), "--filter", ours, "--record", str(path))
        with subprocess.Popen(
            [PROGRAM, "--no-config", *options], stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdout
            updates, longest_s, sampled = 0, 0.0, Counter[int]()
            # Only scans read how much was sent, and they are rare where there are many sockets.
            while (
                updates < UPDATES
                or updates * INTERVAL_S < SCANS * longest_s
                or sum(lines >= LINES for lines in sampled.values()) < CONNECTIONS
            ):
                line = json.loads(program.stdout.readline())
                if line["event"] == "refresh":
                    updates += 1
                    longest_s = max(longest_s, line["health"]["scan_pause_s"])
                elif line["event"] == "sample" and line["rtt_samples"]:
                    sampled[line["id"]] += 1
            program.terminate()
            program.communicate(timeout=END_S)
        assert program.returncode == 0


def _service(a: Path, b: Path) -> Line:
    lines = lines_of(run("--no-config", "--compare", str(a), str(b), "--json"))
    found = [one for one in lines if one.get("kind") == "service" and one["rport"] == PORT]
    networks = [one["group"] for one in lines if one.get("kind") == "network"]
    assert networks == ["10.199.0.0/24"]
    return dict(found[0])


def test_a_slower_and_a_lossy_link_are_told_from_one_that_is_as_before(tmp_path: Path) -> None:
    _recorded(tmp_path / "first", 25, 0)
    _recorded(tmp_path / "again", 25, 0)
    _recorded(tmp_path / "slower", 100, 0)
    _recorded(tmp_path / "lossy", 25, 20)
    again = _service(tmp_path / "first", tmp_path / "again")
    assert again["p50_us_a"] >= 50_000 * 0.97
    assert again["connections_a"] >= CONNECTIONS - 1
    assert again["loss_beyond_chance"] is not True
    slower = _service(tmp_path / "first", tmp_path / "slower")
    assert slower["p50_us_beyond_chance"] is True, slower
    assert slower["p50_us_b"] >= 200_000 * 0.97
    assert slower["p50_us_shift"] > 1
    lossy = _service(tmp_path / "first", tmp_path / "lossy")
    assert lossy["loss_beyond_chance"] is True, lossy
    assert lossy["loss_b"] > 0.02
    table = run("--no-config", "--compare", str(tmp_path / "first"), str(tmp_path / "slower"))
    assert (table.returncode, table.stderr) == (0, "")
    (line,) = (line for line in table.stdout.splitlines() if f":{PORT}" in line)
    assert "*" in line
