"""Network, peer or us: told from connections that really are held up, and by what."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cause_words import REST_MS, silent
from tcptop_rtt.view.diagnosis import Verdict, diagnose
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.ranking import Ranking
from tcptop_rtt.view.shares import loss
from tcptop_rtt.view.thresholds import DEFAULTS
from tests.live.conftest import Watch
from tests.live.link import Link, echoing, sending, taking
from tests.live.pairs import Pair, connected, port_of, round_trip, row_of, serving
from tests.live.ss import printed, ss
from tests.waiting import ENOUGH_S

ANSWER_S = 0.02
ROUNDS = 40


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

    with serving(server, answer):
        yield


def _ask(pair: Pair) -> None:
    client, _ = pair
    for _ in range(ROUNDS):
        client.sendall(b"x")
        client.recv(1)


def _ss_segments(port: int) -> dict[str, int]:
    (line,) = ss("-tiHnO", "src", f"127.0.0.1:{port}")
    return {name: printed(name, line) for name in ("segs_in", "data_segs_in", "data_segs_out")}


def test_a_process_that_answers_late_is_blamed_not_the_network(watch: Watch) -> None:
    with connected() as pair:
        client, server = pair
        with _slow_answers(server):
            # A busy machine takes longer to answer now and then, and so long that an ACK goes before.
            for _ in range(20):
                _ask(pair)
                row = row_of(watch.look().rows, client)
                truth = _ss_segments(port_of(client))
                if "to answer" in diagnose(Connection(row)).summary:
                    break
    assert None not in truth.values()
    assert {name: int(row[name]) for name in truth} == truth
    assert row["srtt_us"] > ANSWER_S * 1e6 / 2  # what misled: a high RTT
    verdict = diagnose(Connection(row))
    assert verdict.who == "peer", verdict
    assert "to answer, and its ACKs wait for that" in verdict.summary


def test_a_path_that_holds_packets_up_is_blamed_not_the_process_that_answers_nothing(watch: Watch) -> None:
    with Link(delay_ms=1) as link:
        taker = link.start(link.b, taking(8082))
        sender = link.start(link.a, sending(8082, 1000, 0.005))
        try:
            verdict = _verdict_of_a_stalled_path(watch, link, sender.pid)
        finally:
            for process in (sender, taker):
                process.kill()
                process.wait()
    assert verdict.who == "network", verdict
    assert "queueing" in verdict.summary


def test_a_link_that_loses_each_hundredth_segment_reads_so(watch: Watch) -> None:
    with Link(delay_ms=1, lose_each=100) as link:
        taker = link.start(link.b, taking(8082))
        sender = link.start(link.a, sending(8082, 1000, 0.005))
        try:
            deadline = time.monotonic() + 120
            sent = 0
            while sent < 1000:
                assert time.monotonic() < deadline
                time.sleep(0.5)
                for row in watch.look().rows:
                    if row["pid"] == sender.pid and row["rport"] == 8082:
                        sent, found = int(row["data_segs_out"]), row
        finally:
            for process in (sender, taker):
                process.kill()
                process.wait()
    share = loss(Connection(found))
    assert share is not None
    assert 0.005 <= share <= 0.02, share
    assert found["data_segs_out_1m"] <= found["data_segs_out"]


def _is_much_resent(row: np.void) -> bool:
    sent = DEFAULTS.loss_share * row["data_segs_out_1m"]
    return bool(row["retrans_1m"] >= max(DEFAULTS.loss_segments, sent))


def test_what_is_sent_again_only_because_the_path_paused_is_no_loss(watch: Watch) -> None:
    with Link(delay_ms=1) as link:
        taker = link.start(link.b, taking(8082))
        sender = link.start(link.a, sending(8082, 1000, 0.02))
        try:
            time.sleep(1)
            row = _row(watch, pid=sender.pid, rport=8082)
            deadline = time.monotonic() + ENOUGH_S
            while row["dsack_dups"] < 5 or not _is_much_resent(row):
                assert time.monotonic() < deadline, Connection(row).row
                link.stall(1.5 * row["rto_us"] / 1e6)
                time.sleep(0.5)
                row = _row(watch, pid=sender.pid, rport=8082)
            # What the peer says of the last pause may still be on its way.
            deadline = time.monotonic() + 15
            while "loses" in diagnose(Connection(row)).summary and time.monotonic() < deadline:
                row = _row(watch, pid=sender.pid, rport=8082)
        finally:
            for process in (sender, taker):
                process.kill()
                process.wait()
    assert _is_much_resent(row)
    assert "loses" not in diagnose(Connection(row)).summary, diagnose(Connection(row))


_SERVE = """
import socket, sys
listener = socket.create_server(("10.199.0.2", 8082))
print("ready", flush=True)
connection, _ = listener.accept()
sys.stdin.readline()
while connection.send(bytes(1000)):
    sys.stdin.readline()
"""
_RECEIVE = """
import socket
connection = socket.create_connection(("10.199.0.2", 8082))
print("ready", flush=True)
while connection.recv(65536):
    pass
"""


def test_one_bad_sample_of_the_handshake_is_neither_on_top_nor_a_verdict(watch: Watch) -> None:
    with Link(delay_ms=150) as link, connected() as pair:
        server = link.start(link.b, _SERVE)
        client = link.start(link.a, _RECEIVE)
        try:
            round_trip(pair)
            assert server.stdin
            for _ in range(20):
                server.stdin.write("go\n")
                server.stdin.flush()
            deadline = time.monotonic() + 60
            found = _row(watch, pid=client.pid, rport=8082)
            while not (found["bytes_received"] and found["rcv_rtt_us"]) and time.monotonic() < deadline:
                time.sleep(0.1)
                server.stdin.write("go\n")
                server.stdin.flush()
                found = _row(watch, pid=client.pid, rport=8082)
            round_trip(pair)
            rows = watch.look().rows
        finally:
            for process in (client, server):
                process.kill()
                process.wait()
        assert found["srtt_us"] >= 300_000
        assert found["bytes_received"]
        assert Connection(found).rtt.basis == RttBasis.RECEIVER
        assert fmt.rtt_now(Connection(found)).startswith("~")
        assert diagnose(Connection(found)).who == "nobody", diagnose(Connection(found))
        ranking = Ranking(rows, np.arange(len(rows)), CONNECTIONS.sorts["rtt"], descending=True)
        place = {int(rows["id"][index]): at for at, index in enumerate(ranking.window(0, len(rows)).tolist())}
        assert place[int(found["id"])] > place[int(row_of(rows, pair[0])["id"])]


_REST = """
import socket, sys, time
connection = socket.create_connection(("10.199.0.2", 8082))
print("ready", flush=True)
while True:
    connection.sendall(b"x")
    connection.recv(1)
    sys.stdin.readline()
"""


def test_what_had_rested_before_it_was_silent_is_told_with_both_times(watch: Watch) -> None:
    with Link(delay_ms=5) as link:
        link.start(link.b, echoing(8082))
        client = link.start(link.a, _REST)
        assert client.stdin
        answered_s = time.monotonic()
        time.sleep(1.2 * REST_MS / 1000)
        link.cut()
        client.stdin.write("go\n")
        client.stdin.flush()
        sent_s, deadline = time.monotonic(), time.monotonic() + 60
        row = _row(watch, pid=client.pid, rport=8082)
        while row["retransmits"] < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
            row = _row(watch, pid=client.pid, rport=8082)
        waits_s, told_s = time.monotonic() - sent_s, row["last_ack_ms"] / 1000
    assert row["retransmits"] >= 4
    (reason, *_), brief = diagnose(Connection(row)).reasons, silent(Connection(row)).brief
    assert "it had rested for " in reason
    # A look takes a moment, and a tail loss probe comes before the first timeout.
    said_s = float(brief.removeprefix("silent ").removesuffix("s"))
    assert 0.5 * waits_s <= said_s <= 1.1 * waits_s
    assert told_s >= sent_s - answered_s


def test_what_a_window_of_small_messages_takes_to_fill_is_no_rtt(watch: Watch) -> None:
    with Link(delay_ms=20) as link:
        link.start(link.b, taking(8086, window_bytes=4096))
        link.start(link.a, sending(8086, 100, 0.05))
        deadline = time.monotonic() + 60
        estimate_us = 0
        while estimate_us < 600_000 and time.monotonic() < deadline:
            time.sleep(0.5)
            rows = watch.look().rows
            ours = np.isin(rows["netns"], list(link.namespaces)) & (rows["lport"] == 8086)
            (found,) = rows[np.flatnonzero(ours)]
            estimate_us = int(found["rcv_rtt_us"])
        assert estimate_us >= 600_000
        told = Connection(found).rtt
        assert told.basis == RttBasis.HANDSHAKE
        assert 40_000 <= told.us < 200_000


def _verdict_of_a_stalled_path(watch: Watch, link: Link, pid: int) -> Verdict:
    """Once the smoothed RTT has risen, and no sample looks like that of a delayed ACK by chance."""
    time.sleep(0.5)  # of a free path
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for _ in range(5):
            link.stall(0.06)
            time.sleep(0.01)
        row = _row(watch, pid=pid, rport=8082)
        if row["srtt_us"] > row["min_rtt_us"] + 15_000:
            verdict = diagnose(Connection(row))
            assert "to answer" not in verdict.summary
            if "delays its ACKs" not in verdict.summary:
                return verdict
    raise AssertionError(f"the RTT is {row['srtt_us']} us")


def test_the_command_to_check_a_verdict_shows_that_connection(watch: Watch) -> None:
    with connected() as pair:
        client, server = pair
        client.sendall(bytes(200_000))
        verdict = diagnose(Connection(row_of(watch.look().rows, server)))
        assert "process is not reading" in verdict.summary
        shown = subprocess.run(verdict.check.split(), check=True, capture_output=True, text=True).stdout
        port = port_of(client)
    (line,) = [line for line in shown.splitlines() if line.startswith("ESTAB")]
    assert int(line.split()[1]) >= DEFAULTS.unread_bytes  # Recv-Q
    assert str(port) in line
