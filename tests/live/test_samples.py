"""How much the kernel side tells: seldom, but everything."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from bcc import BPF

from tcptop_rtt.errors import TcptopError
from tcptop_rtt.snapshot import Snapshot
from tcptop_rtt.sources import btf, program
from tcptop_rtt.sources.record import Kind, Records
from tests.live.conftest import Recording, Watch
from tests.live.link import Link

_ECHO = """
import socket
listener = socket.create_server(("10.199.0.2", 8083))
print("ready", flush=True)
connection, _ = listener.accept()
while data := connection.recv(4096):
    connection.sendall(data)
"""
_TALK = """
import socket, time
connection = socket.create_connection(("10.199.0.2", 8083))
print("ready", flush=True)
while True:
    connection.sendall(b"x")
    connection.recv(4096)
"""


def _ping_pong(seconds: float, client: socket.socket, server: socket.socket) -> int:
    """Round trips made in that time."""
    end = time.monotonic() + seconds
    trips = 0
    while time.monotonic() < end:
        client.sendall(b"x")
        server.recv(1)
        server.sendall(b"x")
        client.recv(1)
        trips += 1
    return trips


def _of(records: Records, lport: int) -> Records:
    chosen: Records = records[(records["kind"] == Kind.SEGMENT) & (records["lport"] == lport)]
    return chosen


def test_a_busy_socket_sends_one_record_per_interval_and_loses_no_sample(watch: Watch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    for one in (client, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lport = client.getsockname()[1]
    _ping_pong(0.1, client, server)
    watch.probe.read()
    reads, trips, batches = 10, 0, []
    for _ in range(reads):
        trips += _ping_pong(0.1, client, server)
        batches.append(_of(watch.probe.read().records, lport))
    trips += _ping_pong(0.1, client, server)
    batches.append(_of(watch.probe.read().records, lport))
    records = np.concatenate(batches)
    assert trips > 1000
    assert max(len(batch) for batch in batches) <= 1
    assert len(records) >= reads - 1
    assert len(np.unique(records["interval"])) == len(records)
    # The last interval is still open, the first one began before; identical samples within 1 us count once.
    assert 0.8 * trips <= records["rtt_samples"].sum() <= 1.2 * trips
    assert (records["rtt_lo_us"] <= records["rtt_hi_us"]).all()
    client.close()
    server.close()


def test_where_plain_loads_are_refused_checked_reads_bring_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = program._compile

    def refused(*flags: str) -> BPF:
        if not flags:
            raise TcptopError("refused")
        return compiled(*flags)

    monkeypatch.setattr(program, "_compile", refused)
    watch = Watch()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
        trips = _ping_pong(0.1, client, server)
        records = _of(watch.probe.read().records, client.getsockname()[1])
        trips += _ping_pong(0.1, client, server)
        records = np.concatenate([records, _of(watch.probe.read().records, client.getsockname()[1])])
        _ping_pong(0.01, client, server)
        records = np.concatenate([records, _of(watch.probe.read().records, client.getsockname()[1])])
        assert 0.8 * trips <= records["rtt_samples"].sum() <= 1.2 * trips + 100
        client.close()
        server.close()
    finally:
        watch.probe.close()


def test_where_there_is_no_iterator_of_sockets_those_of_processes_are_all_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(btf, "_STRUCTS", tuple(name for name in btf._STRUCTS if name != "bpf_iter__tcp"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    watch = Watch()
    try:
        assert client.getsockname()[1] in watch.look().rows["lport"]
    finally:
        watch.probe.close()
        client.close()
        server.close()


def test_the_stream_tells_of_every_sample_once(record: Callable[..., Recording]) -> None:
    recording = record("--interval", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    lport = client.getsockname()[1]
    for _ in range(5):
        for _ in range(5):
            client.sendall(b"x")
            server.recv(1)
            server.sendall(b"x")
            client.recv(1)
        time.sleep(0.3)
    client.close()
    server.close()
    recording.wait_for(lambda line: line["event"] == "close" and line["lport"] == lport)
    lines = [line for line in recording.stop() if line.get("lport") == lport]
    # One is of the handshake, one of the end.
    assert sum(line["rtt_samples"] for line in lines) == 1 + 5 * 5 + 1


def test_the_focused_socket_reports_every_ack(watch: Watch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    for one in (client, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rows = watch.look().rows
    connection = int(rows["id"][rows["lport"] == client.getsockname()[1]][0])
    watch.probe.focus(watch.connections.focus(connection))
    trips = _ping_pong(0.2, client, server)
    focus = watch.look().focus
    assert focus
    assert 0.9 * trips <= focus.samples <= trips + 2
    assert (np.diff(focus.time_s) >= 0).all()
    assert focus.lowest_us <= focus.p50_us <= focus.p95_us <= focus.p99_us <= focus.highest_us
    watch.probe.focus(watch.connections.focus(None))
    _ping_pong(0.05, client, server)
    assert watch.look().focus is None
    client.close()
    server.close()


def test_a_spike_between_two_records_is_not_lost(watch: Watch) -> None:
    with Link(delay_ms=5) as link:
        for end in (link.a, link.b):
            # No timeout may cut the spike short: an ACK of a segment sent twice is no sample.
            route = "route replace 10.199.0.0/24 dev wire rto_min 5s"
            assert link.run(end, "ip", *route.split()).wait(10) == 0
        server = link.run(link.b, sys.executable, "-c", _ECHO)
        assert server.stdout
        server.stdout.readline()
        client = link.run(link.a, sys.executable, "-c", _TALK)
        assert client.stdout
        client.stdout.readline()
        time.sleep(0.5)
        watch.look()
        time.sleep(0.3)
        calm = _row_of(client.pid, watch.look())
        link.stall(0.15)
        time.sleep(0.5)
        # An interval's samples are in the ring buffer or in the scan, at times only at the next look.
        after = [_row_of(client.pid, watch.look())]
        time.sleep(0.1)
        after.append(_row_of(client.pid, watch.look()))
        for process in (client, server):
            process.kill()
            process.wait()
    assert 10_000 <= calm["rtt_hi_us"] < 60_000
    assert max(row["rtt_hi_us"] for row in after) >= 140_000
    assert min(row["rtt_lo_us"] for row in after) < 60_000
    assert after[-1]["last_rtt_us"] < 60_000


def _row_of(pid: int, snapshot: Snapshot) -> np.void:
    (row,) = snapshot.rows[snapshot.rows["pid"] == pid]
    found: np.void = row
    return found
