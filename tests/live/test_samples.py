"""How much the kernel side tells: seldom, but everything."""

from __future__ import annotations

import math
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing

import numpy as np

from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.records import INTERVAL_S, Kind, Records
from tcptop_rtt.model.rows import ROW
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.loader.request import READS, Request
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tcptop_rtt.view.chart import quantiles
from tests.live.conftest import Recording, Watch
from tests.live.link import Link
from tests.live.pairs import Pair, connected, port_of, round_trip, row_of, rows_of
from tests.ports import serve
from tests.waiting import becomes

SPIKE_S = 2.0
"""Longer than a busy machine holds a packet up."""

_JIFFY_S = time.clock_getres(6)  # CLOCK_MONOTONIC_COARSE

_ECHO = """
import socket
listener = socket.create_server(("10.199.0.2", 8083))
print("ready", flush=True)
connection, _ = listener.accept()
while data := connection.recv(4096):
    connection.sendall(data)
"""
_TALK = """
import socket, sys
connection = socket.create_connection(("10.199.0.2", 8083))
print("ready", flush=True)
for _ in sys.stdin:
    connection.sendall(b"x")
    print("sent", flush=True)
    connection.recv(4096)
    print("answered", flush=True)
"""


def _ping_pong(seconds: float, pair: Pair) -> int:
    """Round trips made in that time."""
    end = time.monotonic() + seconds
    trips = 0
    while time.monotonic() < end:
        round_trip(pair)
        trips += 1
    return trips


def _of(records: Records, end: socket.socket) -> Records:
    ports = (records["lport"] == port_of(end)) & (records["rport"] == end.getpeername()[1])
    chosen: Records = records[(records["kind"] == Kind.SEGMENT) & ports]
    return chosen


def test_a_busy_socket_sends_one_record_per_interval_and_loses_no_sample(watch: Watch) -> None:
    with connected() as pair:
        for interval_s in (INTERVAL_S, 0.4):
            watch.probe.set_report_interval(interval_s)
            _ping_pong(0.5, pair)
            time.sleep(2 * interval_s)
            watch.look()
            trips, pause_s = 0, 0.0
            ended_s = began_s = time.monotonic()
            while ended_s < began_s + 10 * interval_s:
                round_trip(pair)
                trips += 1
                now_s = time.monotonic()
                pause_s, ended_s = max(pause_s, now_s - ended_s), now_s
            time.sleep(2 * interval_s)
            batch = watch.probe.read()
            watch.connections.ingest(batch.records)
            row = row_of(watch.look().rows, pair[0])
            assert row["rtt_samples"] == trips
            records = _of(batch.records, pair[0])
            # The first one is of the interval before.
            assert 2 <= len(records) <= (ended_s - began_s) / interval_s + 1
            apart_jiffies = np.diff(records["window_start"].astype(np.int64))
            assert apart_jiffies.min() >= math.ceil(interval_s / _JIFFY_S)
            # A record comes with the first round trip after its interval, which a busy machine may hold up,
            # and one for longer: jiffies stand still while the processor that counts them does.
            apart_ns = np.diff(records["time_ns"].astype(np.int64))
            late = apart_ns > int((interval_s + 2 * pause_s + 0.02) * 1e9)  # and two jiffies
            assert np.count_nonzero(late) <= 1
            assert (records["rtt_lo_us"] <= records["rtt_hi_us"]).all()


def test_where_plain_loads_are_refused_checked_reads_bring_the_same() -> None:
    refused = ("-include", "a_header_that_is_not_there.h")
    # The other one takes what this kernel allows: plain loads, since Linux 5.11.
    checked, other = Watch(Program.loaded(Request(reads=(refused, *READS[1:])))), Watch()
    try:
        with connected() as pair, connected("::1", socket.AF_INET6) as six:
            for one in (pair, six):
                for _ in range(100):
                    round_trip(one)
            time.sleep(2 * INTERVAL_S)
            rows = [rows_of(watch.look().rows, pair, six) for watch in (checked, other)]
    finally:
        checked.close()
        other.close()
    assert (rows[0]["rtt_samples"] >= 90).all()
    # Both have their own ids; time goes on between the two looks.
    own = {"id", "age_ns", "out_bps", "in_bps", "rtt_age_ms", "window_ms"}
    own |= {"last_sent_ms", "last_received_ms", "last_ack_ms", "connect_us", "peak_age_ms", "peak_time_s"}
    # Each has its own clock for what comes.
    own |= {f"{name}_sum_us{suffix}" for name in ("answer", "reply") for suffix in ("", "_1m")}
    own |= {"first_byte_us"}
    for name in {*(ROW.names or ())} - own:
        assert rows[0][name].tolist() == rows[1][name].tolist(), name


def test_where_there_is_no_iterator_of_sockets_those_of_processes_are_all_there() -> None:
    program = Program.loaded(Request(lists_sockets=False))
    with connected() as (client, _), closing(Watch(program)) as watch:
        row_of(watch.look().rows, client)


def test_the_stream_tells_of_every_sample_once(record: Callable[..., Recording]) -> None:
    recording = record("--interval", "0.2")
    with connected() as pair:
        client, server = map(port_of, pair)
        for _ in range(5):
            for _ in range(5):
                round_trip(pair)
            time.sleep(0.3)
    for ends in ((client, server), (server, client)):
        recording.wait_for_close(*ends)
    lines = recording.stop()
    told = [
        sum(line["rtt_samples"] for line in lines if (line.get("lport"), line.get("rport")) == ends)
        for ends in ((client, server), (server, client))
    ]
    # Both have one of the end; only the one who connects has a sample of the handshake.
    assert told == [1 + 5 * 5 + 1, 5 * 5 + 1]


def test_a_scan_of_many_sockets_tells_of_every_latest_sample(watch: Watch) -> None:
    # The kernel shows a socket twice whose entry no longer fits into what one read of the scan returns.
    with ExitStack() as opened:
        pairs = []
        for number in range(400):
            pairs.append(opened.enter_context(connected()))
            if number % 7 == 0:  # lest only clients come at the ends of reads
                opened.enter_context(serve())
        told = {(port_of(one), port_of(other)): 0 for pair in pairs for one, other in (pair, pair[::-1])}
        watch.look()
        for pair in pairs:
            round_trip(pair)

        def all_are_told() -> bool:
            rows = watch.look().rows
            columns = (rows[name].tolist() for name in ("lport", "rport", "rtt_samples"))
            for lport, rport, samples in zip(*columns, strict=True):
                if (lport, rport) in told:
                    told[lport, rport] += samples
            return all(told.values())

        assert becomes(all_are_told)  # a delayed ACK brings the servers their samples
        all_are_told()  # none comes again
    assert len(told) == 800
    assert set(told.values()) == {1}


class _TrafficDuringScan(Probe):
    """A scan so slow that connections end several intervals meanwhile."""

    traffic: Callable[[], None]

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        self.traffic()
        yield from super().scan(unheld)


def test_samples_that_come_while_a_scan_goes_on_are_told_of_once() -> None:
    def talk() -> None:
        for _ in range(3):
            for _ in range(5):
                round_trip(pair)
            time.sleep(2 * INTERVAL_S)

    with connected() as pair, closing(_TrafficDuringScan(Program.loaded(), Direct())) as probe:
        probe.traffic = talk
        feed = LiveFeed(ready(probe), 0.2)
        snapshots = feed.snapshots()
        told = [rows_of(next(snapshots).rows, pair)["rtt_samples"]]
        feed.stop()
        told += [rows_of(last.rows, pair)["rtt_samples"] for last in snapshots]
    assert np.sum(told, axis=0).tolist() == [15, 15]


def test_the_focused_socket_reports_every_ack(watch: Watch) -> None:
    with connected() as pair:
        connection = int(row_of(watch.look().rows, pair[0])["id"])
        watch.probe.trace(watch.connections.set_trace(connection))
        trips = 2000  # the ring buffer has room for their records
        for _ in range(trips):
            round_trip(pair)
        time.sleep(2 * INTERVAL_S)
        snapshot = watch.look()
        trace, row = snapshot.trace, row_of(snapshot.rows, pair[0])
        assert trace
        # The trace has counted each of these, and keeps some that stand for all.
        assert row["rtt_samples"] == trace.samples
        assert (row["rtt_lo_us"], row["rtt_hi_us"]) == (trace.lowest_us, trace.highest_us)
        assert round(float(trace.weight.sum())) == trace.samples
        assert 0.9 * trips <= trace.samples <= trips + 2
        assert (np.diff(trace.time_s) >= 0).all()
        p50_us, p95_us, p99_us = quantiles(trace.rtt_us, trace.weight, 0.5, 0.95, 0.99)
        assert trace.lowest_us <= p50_us <= p95_us <= p99_us <= trace.highest_us
        watch.probe.trace(watch.connections.set_trace(None))
        _ping_pong(0.05, pair)
        assert watch.look().trace is None


def test_a_spike_between_two_records_is_not_lost(watch: Watch) -> None:
    with Link(delay_ms=5) as link:
        for end in (link.a, link.b):
            # No timeout may cut the spike short: an ACK of a segment sent twice is no sample.
            route = "route replace 10.199.0.0/24 dev wire rto_min 5s"
            assert link.run(end, "ip", *route.split()).wait(10) == 0
        server = link.start(link.b, _ECHO)
        client = link.start(link.a, _TALK)
        looks: list[np.void] = []
        spike_us = SPIKE_S * 1e6

        def told(condition: Callable[[np.void], bool]) -> bool:
            row = _row_of(client.pid, watch.look())
            if row["rtt_samples"]:
                looks.append(row)
            return bool(row["rtt_samples"] and condition(row))

        try:
            for _ in range(20):
                _talk(client)
            assert becomes(lambda: told(lambda row: 10_000 <= row["rtt_hi_us"] < spike_us))
            looks.clear()
            with link.holding():
                _talk(client, wait=False)
                time.sleep(SPIKE_S)
            assert client.stdout
            assert client.stdout.readline() == "answered\n"
            for _ in range(20):
                _talk(client)
            # An interval's samples are in the ring buffer or in the scan, at times only at a later look.
            assert becomes(lambda: told(lambda row: row["rtt_hi_us"] >= spike_us)), looks
            _talk(client)
            assert becomes(lambda: told(lambda row: row["rtt_hi_us"] < spike_us)), looks
        finally:
            for process in (client, server):
                process.kill()
                process.wait()
    assert sum(row["rtt_hi_us"] >= spike_us for row in looks) == 1


def _talk(client: subprocess.Popen[str], wait: bool = True) -> None:
    """Let it send a byte, and wait for the answer."""
    assert client.stdin
    assert client.stdout
    client.stdin.write("\n")
    client.stdin.flush()
    assert client.stdout.readline() == "sent\n"
    if wait:
        assert client.stdout.readline() == "answered\n"


def _row_of(pid: int, snapshot: Snapshot) -> np.void:
    (row,) = snapshot.rows[snapshot.rows["pid"] == pid]
    found: np.void = row
    return found
