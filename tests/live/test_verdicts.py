"""Network, peer or us: told from connections that really are held up, and by what."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tcptop_rtt.diagnosis import Verdict, diagnose
from tests.live.conftest import Watch
from tests.live.link import Link
from tests.live.pairs import Pair, connected, port_of, row_of

ANSWER_S = 0.02
ROUNDS = 40

_TAKE = """
import socket
listener = socket.create_server(("10.199.0.2", 8082))
print("ready", flush=True)
connection, _ = listener.accept()
while connection.recv(65536):
    pass
"""
_SEND = """
import socket, time
connection = socket.create_connection(("10.199.0.2", 8082))
while True:
    connection.sendall(bytes(1000))
    time.sleep(0.005)
"""


def _row(watch: Watch, **fields: int) -> np.void:
    rows = watch.look().rows
    found = np.logical_and.reduce([rows[name] == value for name, value in fields.items()])
    row: np.void
    (row,) = rows[found]
    return row


@contextmanager
def _slow_answers(server: socket.socket) -> Iterator[None]:
    """A byte for each byte, but not at once."""

    def answer() -> None:
        while server.recv(1):
            time.sleep(ANSWER_S)
            server.sendall(b"y")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RD)
        thread.join()


def _ask(pair: Pair) -> None:
    client, _ = pair
    for _ in range(ROUNDS):
        client.sendall(b"x")
        client.recv(1)


def _ss_segments(port: int) -> dict[str, int]:
    command = ["ss", "-tiHnO", "src", f"127.0.0.1:{port}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {
        name: int(count) for name, count in re.findall(r"\b(segs_in|data_segs_in|data_segs_out):(\d+)", text)
    }


def test_a_process_that_answers_late_is_blamed_not_the_network(watch: Watch) -> None:
    with connected() as pair:
        client, server = pair
        with _slow_answers(server):
            # A busy machine takes longer to answer now and then, and so long that an ACK goes before.
            for _ in range(20):
                _ask(pair)
                row = row_of(watch.look().rows, client)
                truth = _ss_segments(port_of(client))
                if "to answer" in diagnose(row).summary:
                    break
    assert truth.keys() == {"segs_in", "data_segs_in", "data_segs_out"}
    assert {name: int(row[name]) for name in truth} == truth
    assert row["srtt_us"] > ANSWER_S * 1e6 / 2  # what misled: a high RTT
    verdict = diagnose(row)
    assert verdict.who == "peer", verdict
    assert "to answer, and its ACKs wait for that" in verdict.summary


def test_a_path_that_holds_packets_up_is_blamed_not_the_process_that_answers_nothing(watch: Watch) -> None:
    with Link(delay_ms=1) as link:
        taker = link.start(link.b, _TAKE)
        sender = link.run(link.a, sys.executable, "-c", _SEND)
        try:
            verdict = _verdict_of_a_stalled_path(watch, link, sender.pid)
        finally:
            for process in (sender, taker):
                process.kill()
                process.wait()
    assert verdict.who == "network", verdict
    assert "queueing" in verdict.summary


def _verdict_of_a_stalled_path(watch: Watch, link: Link, pid: int) -> Verdict:
    """Once the smoothed RTT has risen by more than 10 ms."""
    time.sleep(0.5)  # of a free path
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for _ in range(5):
            link.stall(0.06)
            time.sleep(0.01)
        row = _row(watch, pid=pid, rport=8082)
        if row["srtt_us"] > row["min_rtt_us"] + 15_000:
            return diagnose(row)
    raise AssertionError(f"the RTT is {row['srtt_us']} us")
