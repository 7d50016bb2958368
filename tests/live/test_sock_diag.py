"""Without BPF: the same rows as ss has, for an ordinary user, too, and nothing that is not known."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.feeds.base import Capability
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.records import ENTRY, Hold
from tcptop_rtt.model.rows import UNKNOWN_U32, Holder, Rows
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.netlink import Messages, Netlink
from tcptop_rtt.sources.opening import source_opener
from tcptop_rtt.sources.sock_diag import SockDiag, _add_times, _Met
from tcptop_rtt.tracking.connections import Connections
from tests.live.conftest import HEALTH, Recording
from tests.live.pairs import connected, disconnect, fill, port_of, round_trip, row_of
from tests.live.program import NOBODY, START_S, Line, as_nobody, lines_of, run
from tests.live.ss import printed, ss
from tests.ports import serve
from tests.waiting import becomes

PAIRS = 100
USERS = {"root": (), "nobody": as_nobody()}

_HOLD = f"""
import socket, sys
from tests.ports import serve
listener = serve(backlog=7)
both = []
for number in range({PAIRS}):
    client = socket.create_connection(listener.getsockname())
    both.append((client, listener.accept()[0]))
    for _ in range(number % 5):
        for sender, receiver in (both[-1], both[-1][::-1]):
            sender.sendall(b"x" * (number + 1))
            receiver.recv(1000)
    client.sendall(b"unread"[: number % 4])
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""
"""A process with both ends of many connections, which rest."""

_LACKING = (
    "lost",
    "connect_us",
    "last_rtt_us",
    "rtt_samples",
    "rtt_hi_us",
    "peak_rtt_us",
    "resent_fast",
    "answers",
    "wait_us",
)


class Resting:
    """The process, and the port that it listens on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.pid = process.pid
        self.port = int(process.stdout.readline())


@contextmanager
def resting(before: tuple[str, ...] = ()) -> Iterator[Resting]:
    with subprocess.Popen(
        [*before, sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Resting(process)
        finally:
            process.kill()


def refreshed(*options: str, before: tuple[str, ...] = ()) -> list[Line]:
    """The lines of one refresh."""
    return lines_of(run("--json", "--count", "1", *options, before=before))


_BY_SS = (
    *("srtt_us", "rttvar_us", "min_rtt_us", "rto_us", "mss", "cwnd", "ssthresh", "bytes_acked"),
    *("bytes_received", "segs_in", "data_segs_in", "data_segs_out", "snd_wnd_bytes"),
    *("congestion_control", "comm", "pid"),
)
"""What ss -tinp has of a connection; it leaves out what is 0 or not known."""
_ZERO_IF_MISSING = ("bytes_acked", "bytes_received", "data_segs_in", "data_segs_out")


def by_ss(line: str) -> dict[str, Any]:
    state, recv_q, _, local, peer = line.split()[:5]
    told: dict[str, Any] = {
        "state": state,
        "recv_q_bytes": int(recv_q),
        "lport": int(local.rpartition(":")[2]),
        "rport": int(peer.rpartition(":")[2]),
    }
    for name in _BY_SS:
        found = printed(name, line)
        told[name] = 0 if found is None and name in _ZERO_IF_MISSING else found
    return told


@pytest.mark.parametrize("user", USERS)
def test_200_sockets_at_rest_are_as_ss_has_them(user: str) -> None:
    before = USERS[user]
    with resting(before) as there:
        lines = refreshed("--source", "sock_diag", "--filter", f"port:{there.port}", before=before)
        told = [
            by_ss(line)
            for line in ss("-tinpHO", f"( sport = {there.port} or dport = {there.port} )", before=before)
        ]
    assert (lines[0]["event"], lines[0]["hook"]) == ("header", "sock_diag")
    rows = {(line["lport"], line["rport"]): line for line in lines if line["event"] == "open"}
    assert len(rows) == len(told) == 2 * PAIRS
    for expected in told:
        row = rows[expected["lport"], expected["rport"]]
        assert {name: row[name] for name in expected} == expected
        assert (row["pid"], row["holder"], row["uid"]) == (there.pid, "process", NOBODY if before else 0)
        assert {row[name] for name in _LACKING} == {None}
        assert row["direction"] == ("in" if row["lport"] == there.port else "out")
    assert any(row["recv_q_bytes"] for row in rows.values())
    assert any(row["data_segs_out"] for row in rows.values())


@pytest.mark.parametrize("user", USERS)
def test_listeners_are_as_ss_has_them(user: str) -> None:
    before = USERS[user]
    with resting(before) as there:
        lines = refreshed("--source", "sock_diag", before=before)
        (told,) = ss("-tlnpH", f"sport = {there.port}", before=before)
    listeners = [line for line in lines if line["event"] == "listener"]
    (listener,) = (line for line in listeners if line["listen_port"] == there.port)
    _, recv_q, send_q, *_ = told.split()
    assert (listener["queue"], listener["queue_limit"], listener["drops"]) == (int(recv_q), int(send_q), 0)
    assert f"pid={listener['pid']}," in told
    assert listener["pid"] == there.pid


def test_others_connections_are_there_and_whose_they_are_is_unknown() -> None:
    with connected() as pair:
        for _ in range(5):
            round_trip(pair)
        lines = refreshed("--source", "sock_diag", "--filter", f"port:{port_of(pair[0])}", before=as_nobody())
        plain = run("--count", "1", "--lport", str(port_of(pair[0])), before=as_nobody())
    assert (plain.returncode, plain.stderr) == (0, "")
    rows = [line for line in lines if line["event"] == "open"]
    assert len(rows) == 2
    for row in rows:
        assert (row["pid"], row["comm"], row["holder"], row["uid"]) == (None, None, None, os.getuid())
        assert row["srtt_us"] > 0
    first, _, connection, *_ = plain.stdout.splitlines()
    assert "no BPF: short connections and spikes between polls are missed; others' processes unknown" in first
    assert connection.split()[:2] == ["?", "?"]


@pytest.mark.parametrize("options", [[], ["--source", "auto"]])
def test_an_ordinary_user_gets_it_by_itself(options: list[str]) -> None:
    with resting(as_nobody()) as there:
        lines = refreshed(*options, "--pid", str(there.pid), before=as_nobody())
    assert lines[0]["hook"] == "sock_diag"
    assert sum(line["event"] == "open" for line in lines) == 2 * PAIRS


class Polls:
    """The source and the connections, stepped by hand."""

    def __init__(self) -> None:
        self.source = SockDiag(Direct())
        self.connections = Connections()

    def look(self) -> Snapshot:
        """As the worker does."""
        for entries in self.source.scan():
            self.connections.ingest_scan(entries)
        self.connections.apply_scan()
        ended = self.source.ended(self.connections.missing_socks())
        self.connections.close_missing(ended)
        return self.connections.snapshot(HEALTH)

    def rows(self) -> Rows:
        return self.look().rows


@pytest.fixture
def polls() -> Iterator[Polls]:
    polls = Polls()
    with closing(polls.source):
        yield polls


def test_a_connection_begins_and_ends_and_keeps_its_id(polls: Polls) -> None:
    polls.look()
    with connected() as pair:
        opened_ns = time.monotonic_ns()
        first = row_of(polls.rows(), pair[0])
        assert first["open_seen"]
        round_trip(pair)
        second = row_of(polls.rows(), pair[0])
        assert second["id"] == first["id"]
        assert second["bytes_acked"] == first["bytes_acked"] + 1
        assert 0 <= second["age_ns"] <= time.monotonic_ns() - opened_ns + 60_000_000_000
        for end in pair:  # so that nothing waits for its peer
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    missed_once = polls.rows()
    assert not missed_once["closed"][missed_once["id"] == first["id"]].any()
    rows = polls.rows()
    (closed,) = rows[rows["id"] == first["id"]]
    assert closed["closed"]
    assert closed["bytes_acked"] == second["bytes_acked"]


def test_a_used_again_socket_is_a_new_connection_with_an_empty_history(polls: Polls) -> None:
    with connected() as pair, serve() as listener:
        for _ in range(50):
            round_trip(pair)
        polls.look()
        met_ns = time.monotonic_ns()
        first = row_of(polls.rows(), pair[0])
        disconnect(pair[0])
        pair[0].connect(listener.getsockname())
        with listener.accept()[0] as server:
            round_trip((pair[0], server))
            rows = polls.rows()
            second = row_of(rows, pair[0])
    assert second["id"] != first["id"]
    assert (second["bytes_acked"], second["data_segs_out"]) == (2, 1)
    assert second["open_seen"]
    assert second["age_ns"] <= time.monotonic_ns() - met_ns
    assert second["out_bps"] < 1_000_000
    assert second["data_segs_out_1m"] <= 1
    (former,) = rows[rows["id"] == first["id"]]
    assert former["closed"]


def test_one_that_is_used_again_between_the_same_ports_has_no_made_up_rates(polls: Polls) -> None:
    with serve() as listener, socket.socket() as client:
        with socket.socket() as other:
            for one in (other, client):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", 0))
            client.bind(other.getsockname())  # a port that bind() chooses is given up with the connection
        ids = set()
        for round_trips in (50, 1):
            client.connect(listener.getsockname())
            with listener.accept()[0] as server:
                for _ in range(round_trips):
                    round_trip((client, server))
                polls.look()
                row = row_of(polls.rows(), client)
                ids.add(int(row["id"]))
                disconnect(client)
    assert len(ids) == 1
    assert row["bytes_acked"] == 2
    assert row["out_bps"] < 1_000_000
    for name in ("window_ms", "segs_in_1m", "data_segs_out_1m", "busy_us_1m", "retrans_1m"):
        assert row[name] < 60_000, name


def test_no_connection_is_older_than_the_scan_that_has_not_met_it(polls: Polls) -> None:
    polls.look()
    with connected() as pair:
        time.sleep(0.3)
        # Its handshake is so old; the kernel counts in jiffies.
        assert row_of(polls.rows(), pair[0])["age_ns"] >= 280_000_000
    before, now = _Met(), np.zeros(3, ENTRY)
    now["id"], now["time_ns"] = (1, 2, 3), before.began_ns + 500_000_000
    now["last_ack_ms"] = (100, 400_000, UNKNOWN_U32)
    _add_times(now, before)
    assert (now["time_ns"] - now["opened_ns"]).tolist() == [100_000_000, 500_000_000, 0]


def test_one_that_was_there_before_does_not_say_that_its_opening_was_seen(polls: Polls) -> None:
    with connected() as pair:
        polls.look()
        assert not row_of(polls.rows(), pair[0])["open_seen"]


def test_a_smoothed_rtt_is_drawn_only_when_it_is_new(polls: Polls) -> None:
    with connected() as pair:
        polls.look()

        def drawn() -> float:
            snapshot = polls.look()
            (at,) = np.flatnonzero(snapshot.rows["id"] == row_of(snapshot.rows, pair[0])["id"])
            return float(np.nansum(snapshot.spark_us(np.array([at]))))

        assert drawn() == 0
        round_trip(pair)
        time.sleep(0.1)  # the kernel counts in jiffies
        once = drawn()
        assert once > 0
        time.sleep(1.1)
        assert drawn() == once
        round_trip(pair)
        assert drawn() > once
        assert row_of(polls.rows(), pair[0])["rtt_age_ms"] < 60_000


def test_who_accepts_and_who_leaves_is_told(polls: Polls) -> None:
    with ExitStack() as opened:
        listener = opened.enter_context(serve())
        client = opened.enter_context(socket.create_connection(listener.getsockname()))

        def server() -> np.void:
            rows = polls.rows()
            row: np.void
            (row,) = rows[(rows["lport"] == port_of(listener)) & (rows["rport"] == port_of(client))]
            return row

        assert (server()["holder"], server()["pid"]) == (Holder.LISTENER, os.getpid())
        accepted, _ = listener.accept()
        assert becomes(lambda: server()["holder"] == Holder.PROCESS, START_S)
        assert (server()["pid"], server()["direction"]) == (os.getpid(), 2)
        fill(accepted)  # so that it stays
        accepted.close()
        left = server()
        assert (left["holder"], left["pid"], left["was_pid"]) == (Holder.NOBODY, 0, os.getpid())


_INHERIT = """
import os, sys
if os.fork():
    sys.exit()
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def test_a_socket_that_is_passed_on_is_shown_under_its_new_process(polls: Polls) -> None:
    with connected() as pair:
        client = pair[0]
        # It is shown already when it is passed on: of two that nobody has met the lower PID would be.
        assert row_of(polls.rows(), client)["pid"] == os.getpid()
        with subprocess.Popen(
            [sys.executable, "-c", _INHERIT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[client.fileno()],
        ) as process:
            assert process.stdout
            heir = int(process.stdout.readline())
            process.wait()
            ends = port_of(client), port_of(pair[1])
            assert row_of(polls.rows(), client)["pid"] == os.getpid()
            client.close()

            def owner() -> int:
                rows = polls.rows()
                (row,) = rows[(rows["lport"] == ends[0]) & (rows["rport"] == ends[1])]
                return int(row["pid"])

            assert becomes(lambda: owner() == heir, START_S)
            process.communicate("")


def test_what_nobody_is_found_for_any_more_has_no_process(polls: Polls) -> None:
    with connected() as pair:
        row = row_of(polls.rows(), pair[0])
        assert row["pid"] == os.getpid()
        for entries in polls.source.scan():
            ours = (entries["lport"] == port_of(pair[0])) & (entries["rport"] == port_of(pair[1]))
            entries["tgid"][ours] = entries["pid"][ours] = 0
            entries["hold"][ours] = Hold.SOCKET | Hold.FILE | Hold.UNSEEN
            polls.connections.ingest_scan(entries)
        polls.connections.apply_scan()
        row = row_of(polls.connections.snapshot(HEALTH).rows, pair[0])
        assert (row["pid"], row["comm"], row["holder"]) == (0, b"", Holder.UNKNOWN)


def test_sockets_in_time_wait_are_counted_and_have_no_rows(polls: Polls) -> None:
    script = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
for _ in range(20):
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.close(); server.recv(1); server.close()
print(flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [
            "unshare",
            "--net",
            "sh",
            "-c",
            'ip link set lo up && exec "$@"',
            "sh",
            sys.executable,
            "-c",
            script,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        inside = os.stat(f"/proc/{process.pid}/ns/net").st_ino
        rows = polls.rows()
        (there,) = (one for one in polls.source.waiting if one.netns == inside)
        assert (there.time_wait, there.syn_recv) == (20, 0)
        assert not np.count_nonzero(rows["netns"] == inside)
        process.communicate("")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EPROTONOSUPPORT, "run sudo modprobe tcp_diag"),
        (errno.ENOENT, "run sudo modprobe tcp_diag"),
        (errno.EPERM, "Operation not permitted"),
    ],
)
def test_a_kernel_that_lists_no_sockets_is_told_as_such(
    number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(netlink: Netlink, request: bytes) -> Iterator[Messages]:  # noqa: ARG001
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Netlink, "dump", refused)
    with pytest.raises(TcptopError, match=words) as told:
        source_opener("sock_diag", Direct()).open()
    assert "\n" not in str(told.value)


def test_that_it_was_asked_for_is_why_there_is_nothing_better() -> None:
    with closing(source_opener("sock_diag", Direct()).open()) as source:
        assert (source.hook, source.hook_note) == ("sock_diag", "asked for by --source")


def test_the_feed_says_that_it_sees_no_ack() -> None:
    source = SockDiag(Direct(), "why not")
    with closing(source):
        feed = LiveFeed(ready(source), 0.1)
        feed.open()
        assert feed.capabilities == frozenset({Capability.REFRESH, Capability.MEASURE})
        for snapshot in feed.snapshots():
            assert snapshot.health.missed.startswith("short connections")
            assert snapshot.health.hook_note == "why not"
            assert {"rtt_samples", "lost", "answers"} <= snapshot.health.lacking
            assert snapshot.health.samples_per_s == 0
            feed.stop()


def test_a_namespace_stays_when_the_process_ends_by_which_it_was_found(polls: Polls) -> None:
    command = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo && exec sleep inf"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as first:
        assert first.stdout
        first.stdout.readline()
        netns = os.stat(f"/proc/{first.pid}/ns/net").st_ino
        with resting(("nsenter", f"--net=/proc/{first.pid}/ns/net")):

            def there() -> Rows:
                rows = polls.rows()
                return rows.take(np.flatnonzero((rows["netns"] == netns) & ~rows["closed"]))

            assert len(there()) == 2 * PAIRS
            first.kill()
            first.wait()
            # What is missing once may merely have been left out of the list.
            assert [len(there()) for _ in range(3)] == 3 * [2 * PAIRS]
            assert netns in {one.netns for one in polls.source.waiting}


def test_root_sees_other_network_namespaces_with_their_processes(record: Callable[..., Recording]) -> None:
    script = 'ip link set lo up && exec "$@"'
    command = ["unshare", "--net", "sh", "-c", script, "sh", sys.executable, "-c", _HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        there = Resting(process)
        netns = os.stat(f"/proc/{process.pid}/ns/net").st_ino
        recording = record("--source", "sock_diag", "--filter", f"port:{there.port}")
        recording.wait_for(lambda line: line["event"] == "listener" and line["listen_port"] == there.port)
        rows = [line for line in recording.stop() if line["event"] == "open"]
        process.kill()
    assert len(rows) == 2 * PAIRS
    assert {(row["netns"], row["pid"]) for row in rows} == {(netns, process.pid)}
