"""The RTT shown is the true one: that of a link with a known delay, and the one ``ss`` shows."""

from __future__ import annotations

import itertools
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tcptop_rtt.sources.loader.request import READS, Request
from tcptop_rtt.sources.program import Program
from tests.live.conftest import Recording, Watch
from tests.live.link import ADDRESSES, Link
from tests.live.pairs import Pair, connected, fill, port_of, round_trip, row_of
from tests.live.program import END_S, START_S, Line
from tests.live.ss import printed, ss
from tests.waiting import becomes

PAIRS = 100
ANSWERS = 8

_SEND_SLOWLY = """
import socket, sys, time
family, host = (socket.AF_INET6, "fd99::2")
listener = socket.create_server((host, 8081), family=family)
print("ready", flush=True)
connection, _ = listener.accept()
for _ in range(60):
    connection.sendall(bytes(20000))
    time.sleep(0.05)
"""
_RECEIVE = """
import socket
connection = socket.create_connection(("fd99::2", 8081))
while connection.recv(65536):
    pass
"""


_ASK = """
import select, socket, sys, time
connection = socket.create_connection((%r, 8082))
took_s = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    began_s = time.monotonic()
    connection.sendall(b"x" * 100)
    connection.recv(100, socket.MSG_WAITALL)
    took_s += time.monotonic() - began_s
print(took_s, flush=True)
"""
_ANSWER = """
import itertools, socket, time
listener = socket.create_server((%r, 8082))
print("ready", flush=True)
connection, _ = listener.accept()
for pause_s in itertools.cycle(%r):
    if not connection.recv(100, socket.MSG_WAITALL):
        break
    time.sleep(pause_s)
    connection.sendall(b"y" * 100)
"""


@pytest.fixture
def link() -> Iterator[Link]:
    with Link(delay_ms=25) as link:
        yield link


def _measured(lines: list[Line], **wanted: object) -> list[Line]:
    """Lines of the connections with these fields, once they have an RTT."""
    return [
        line
        for line in lines
        if line.get("srtt_us") and all(line[name] == value for name, value in wanted.items())
    ]


def _wait_for_both_ends(recording: Recording, link: Link, port: int) -> None:
    for side in ("lport", "rport"):
        recording.wait_for(
            lambda line, side=side: (  # type: ignore[misc]
                line["event"] == "close" and line[side] == port and line["netns"] in link.namespaces
            )
        )


def _assert_50_ms(rows: list[Line]) -> None:
    # A busy machine makes a round trip longer, never shorter: the shortest of them is that of the link.
    lowest_us = min(row["min_rtt_us"] for row in rows)
    assert 50_000 <= lowest_us <= 60_000, rows
    # The smoothed one counts each ACK's first segment. The minimum counts its last, which waits less.
    assert all(row["srtt_us"] >= lowest_us for row in rows), rows
    assert min(row["srtt_us"] for row in rows) <= 3 * lowest_us, rows


def _assert_owner(rows: list[Line], pid: int) -> None:
    # Between the handshake and accept() nobody owns the server's end, and a scan may tell of its owner later.
    named = list(itertools.dropwhile(lambda shown: shown is None, (row["pid"] for row in rows)))
    assert set(named) == {pid}


def test_curl_over_a_50_ms_link_shows_its_rtt_and_both_processes(
    link: Link, record: Callable[..., Recording], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    recording = record("--interval", "0.2")
    server = link.run(
        link.b,
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "8080",
        "--bind",
        ADDRESSES["b"][0],
        "--directory",
        str(tmp_path),
    )
    assert server.stdout
    server.stdout.readline()
    url = f"http://{ADDRESSES['b'][0]}:8080/file"
    client = link.run(link.a, "curl", "--silent", "--output", "/dev/null", url)
    assert client.wait(30) == 0
    _wait_for_both_ends(recording, link, 8080)
    lines = [line for line in recording.stop() if line.get("netns") in link.namespaces]
    server.kill()
    server.wait()
    for rows, process, comm in (
        (_measured(lines, rport=8080), client, "curl"),
        (_measured(lines, lport=8080), server, "python"),
    ):
        assert rows
        _assert_owner(rows, process.pid)
        assert rows[-1]["comm"].startswith(comm)
        _assert_50_ms(rows)
        assert {row["family"] for row in rows} == {4}
    assert {row["direction"] for row in _measured(lines, rport=8080)} == {"out"}
    assert {row["direction"] for row in _measured(lines, lport=8080)} == {"in"}


def test_an_ipv6_transfer_over_a_50_ms_link_shows_its_rtt_and_both_processes(
    link: Link, record: Callable[..., Recording]
) -> None:
    recording = record("--interval", "0.5", "-6")
    server = link.start(link.b, _SEND_SLOWLY)
    client = link.run(link.a, sys.executable, "-c", _RECEIVE)
    assert client.wait(30) == 0
    assert server.wait(30) == 0
    _wait_for_both_ends(recording, link, 8081)
    lines = [line for line in recording.stop() if line.get("netns") in link.namespaces]
    for rows, process in ((_measured(lines, rport=8081), client), (_measured(lines, lport=8081), server)):
        assert rows
        _assert_owner(rows, process.pid)
        _assert_50_ms(rows)
        assert rows[-1]["laddr"] in ("fd99::1", "fd99::2")
    sender = _measured(lines, lport=8081)
    assert sum(row["rtt_samples"] for row in sender) > 10
    assert all(row["rtt_lo_us"] is None or row["rtt_lo_us"] >= 50_000 for row in sender)


def test_without_sacks_a_connection_has_samples_and_answers_too(
    link: Link, record: Callable[..., Recording]
) -> None:
    """As where net.ipv4.tcp_sack is 0, the peer has none, or a firewall strips them."""
    for end in (link.a, link.b):
        assert link.run(end, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/tcp_sack").wait(30) == 0
    pauses_s = (0.02, 0.1)  # the ACK comes with the answer, and before it
    recording = record("--interval", "0.2")
    server = link.start(link.b, _ANSWER % (ADDRESSES["b"][0], pauses_s))
    client = link.run(link.a, sys.executable, "-c", _ASK % ADDRESSES["b"][0])
    asked = recording.wait_for(
        lambda line: (
            line.get("rport") == 8082
            and line["netns"] in link.namespaces
            and (line["answers"] or 0) >= ANSWERS
        )
    )
    out, _ = client.communicate("\n", timeout=END_S)
    assert server.wait(END_S) == 0
    _wait_for_both_ends(recording, link, 8082)
    lines = [line for line in recording.stop() if line.get("netns") in link.namespaces]
    for rows in (_measured(lines, rport=8082), _measured(lines, lport=8082)):
        assert all(row["srtt_us"] >= 50_000 for row in rows)
        assert sum(row["rtt_samples"] or 0 for row in rows) >= ANSWERS
        assert all(row["rtt_lo_us"] is None or row["rtt_lo_us"] >= 50_000 for row in rows)
        assert any(row["rtt_age_ms"] is not None for row in rows)
    count = int(asked["answers"])
    least_us = count * 50_000 + 1e6 * sum(itertools.islice(itertools.cycle(pauses_s), count))
    jiffies_us = count * 2 * 10_000  # two of the longest for each
    assert least_us - jiffies_us <= int(asked["answer_sum_us"]) <= 1e6 * float(out) + jiffies_us


def _ss() -> dict[tuple[str, int, str, int], tuple[int, int]]:
    """Smoothed RTT in microseconds and total retransmits of every established socket, as ss prints them."""
    found = {}
    for line in ss("-tiHnO", "state", "established"):
        _, _, local, remote, details = line.split(maxsplit=4)
        found[(*_endpoint(local), *_endpoint(remote))] = (
            printed("srtt_us", details) or 0,
            printed("retrans", details) or 0,
        )
    return found


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return _shown(host.strip("[]")), int(port)


def _shown(host: str) -> str:
    return host.removeprefix("::ffff:")


def _ends(one: socket.socket) -> tuple[str, int, str, int]:
    (lhost, lport), (rhost, rport) = one.getsockname()[:2], one.getpeername()[:2]
    return _shown(lhost), lport, _shown(rhost), rport


def test_two_hundred_sockets_at_rest_equal_what_ss_prints(record: Callable[..., Recording]) -> None:
    families = (
        ("127.0.0.1", socket.AF_INET),
        ("::1", socket.AF_INET6),
        ("::ffff:127.0.0.1", socket.AF_INET6),
    )
    with ExitStack() as opened:
        pairs = [opened.enter_context(connected(*families[number % 3])) for number in range(PAIRS)]
        for number, (client, server) in enumerate(pairs):
            for _ in range(number % 7):
                client.sendall(b"x" * 100 * number)
                server.recv(65536)
                server.sendall(b"y")
                client.recv(65536)
        time.sleep(0.5)
        recording = record("--count", "1")
        recording.process.wait(20)
        lines = recording.stop()
        truth = _ss()
        ours = {_ends(one) for pair in pairs for one in pair}
    compared = 0
    for line in lines:
        key = tuple(line.get(name) for name in ("laddr", "lport", "raddr", "rport"))
        if line["event"] != "open" or key not in ours or line["state"] != "ESTAB":
            continue
        assert (line["srtt_us"] or 0, line["retrans"]) == truth[key], key
        assert line["family"] == (6 if ":" in line["laddr"] else 4)
        compared += 1
    assert compared == 2 * PAIRS


def _bulk(pair: Pair) -> None:
    """Megabytes that are read only after a while: the receive window is the limit meanwhile."""
    client, server = pair
    size = fill(client)
    time.sleep(0.3)
    while size:
        size -= len(server.recv(min(size, 1 << 20)))


_PRINTED = (
    *("srtt_us", "rttvar_us", "min_rtt_us", "cwnd", "mss", "bytes_acked", "bytes_received", "rto_us"),
    *("delivery_rate_bps", "pacing_rate_bps", "busy_us", "rwnd_limited_us", "sndbuf_limited_us"),
    "recv_q_bytes",
)


@pytest.mark.parametrize("reads", [READS, READS[-1:]], ids=["as the kernel allows", "checked reads"])
def test_all_that_a_scan_tells_equals_what_ss_prints(reads: tuple[tuple[str, ...], ...]) -> None:
    with ExitStack() as opened:
        pairs = [opened.enter_context(connected()) for _ in range(4)]
        for pair in pairs[1:]:
            _bulk(pair)
        pairs[2][1].sendall(b"not read yet")
        time.sleep(1)
        with closing(Watch(Program.loaded(Request(reads=reads)))) as watch:
            rows = watch.look().rows
        for ends in pairs:
            for one, other in (ends, ends[::-1]):
                (line,) = ss("-tiHnO", "sport", f"= :{port_of(one)}", "dport", f"= :{port_of(other)}")
                row = row_of(rows, one)
                for name in _PRINTED:
                    assert int(row[name]) == (printed(name, line) or 0), (name, line)
        assert all(row_of(rows, pair[0])["rwnd_limited_us"] > 100_000 for pair in pairs[1:])


def test_the_time_that_a_receiver_holds_up_a_sender_goes_on(watch: Watch) -> None:
    with connected() as (client, _):
        fill(client)
        limited_us = []
        for _ in range(2):
            time.sleep(1)
            row = row_of(watch.look().rows, client)
            limited_us.append(int(row["rwnd_limited_us"]))
            assert row["busy_us"] >= row["rwnd_limited_us"]
        assert limited_us[0] >= 900_000
        assert limited_us[1] - limited_us[0] >= 900_000


def test_an_rtt_has_an_age_once_data_was_acknowledged_and_none_by_the_handshake_alone(
    record: Callable[..., Recording],
) -> None:
    recording = record()
    with connected() as pair:
        ends = {(port_of(one), port_of(other)) for one, other in (pair, pair[::-1])}

        def lines(event: str) -> list[Line]:
            found = [line for line in recording.lines if line["event"] == event]
            return [line for line in found if (line["lport"], line["rport"]) in ends]

        assert becomes(lambda: len(lines("open")) == 2, START_S)
        assert {line["rtt_age_ms"] for line in lines("open") + lines("sample")} == {None}
        for _ in range(2):
            round_trip(pair)
        assert becomes(lambda: any(line["bytes_acked"] > 1 for line in lines("sample")), START_S)
        sent = [line for line in lines("sample") if line["bytes_acked"] > 1]
        assert all(line["rtt_age_ms"] is not None for line in sent)
    recording.stop()
