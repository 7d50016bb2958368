"""The times that two ends wait for each other, beside what their processes measure themselves."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle

import numpy as np
import pytest

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.waited import SLOW_WAIT_US
from tcptop_rtt.sources.loader.request import READS, Request
from tcptop_rtt.sources.program import Program
from tcptop_rtt.view import causes
from tcptop_rtt.view.cause_columns import Columns
from tests.live.conftest import Watch
from tests.live.link import ADDRESSES, Link, echoing
from tests.live.pairs import Pair, connected, row_of, serving

JIFFIES_US = 20_000
"""Two of the longest there are."""
REQUEST = bytes(100)
PIECES, PIECE_PAUSE_S = 20, 0.05


class Times:
    """What processes measure: seconds of each wait."""

    def __init__(self) -> None:
        self.answered_s: list[float] = []
        """From the asker's last send until it has read the answer."""
        self.served_s: list[float] = []
        """From when the server has the request until it answers."""

    @staticmethod
    def sum_us(times_s: list[float]) -> float:
        return 1e6 * sum(times_s)

    @staticmethod
    def slow(times_s: list[float], later_us: float = 0) -> int:
        """How many of them are slow, if each took so much longer."""
        return sum(1e6 * time_s + later_us >= SLOW_WAIT_US for time_s in times_s)


@contextmanager
def _serving(
    server: socket.socket, times: Times, request_bytes: int, before_s: float, after_s: Callable[[], float]
) -> Iterator[None]:
    """Another thread reads requests, and answers each; it sleeps before it reads, and before it answers."""

    def serve() -> None:
        while True:
            server.recv(1, socket.MSG_PEEK)
            arrived_s = time.monotonic()
            time.sleep(before_s)
            left = request_bytes
            while left and (data := server.recv(left)):
                left -= len(data)
            if left:
                return
            if request_bytes > len(REQUEST):
                arrived_s = time.monotonic()
            time.sleep(after_s())
            times.served_s.append(time.monotonic() - arrived_s)
            server.sendall(b"answer")

    with serving(server, serve):
        yield


def _ask(client: socket.socket, times: Times, pieces: int = 1, pause_s: float = 0.0) -> None:
    for _ in range(pieces - 1):
        client.sendall(REQUEST)
        time.sleep(pause_s)
    began_s = time.monotonic()
    client.sendall(REQUEST)
    client.recv(6)
    times.answered_s.append(time.monotonic() - began_s)


def _compare(watch: Watch, pair: Pair, times: Times, late_us: float = 0) -> None:
    """The kernel's times lie between those of the two processes.

    :param late_us: by how much the end of a request may be missed
    """
    rows = watch.look().rows
    client, server = (row_of(rows, end) for end in pair)
    count = len(times.answered_s)
    assert (int(client["answers"]), int(client["crossings"]), int(server["crossings"])) == (count, 0, 0)
    # Ours ends with the next segment that comes, which the asker's last ACK may not be yet.
    assert count - 1 <= int(server["replies"]) <= count
    least, most = times.sum_us(times.served_s), times.sum_us(times.answered_s)
    assert least <= int(client["answer_sum_us"]) <= most
    assert times.slow(times.served_s) <= int(client["slow_answers"]) <= times.slow(times.answered_s)
    served = int(server["replies"])
    least = times.sum_us(times.served_s[:served]) - served * late_us
    most = times.sum_us(times.answered_s[:served]) + served * late_us
    assert least <= int(server["reply_sum_us"]) <= most
    fewest = times.slow(times.served_s[:served], -late_us)
    assert fewest <= int(server["slow_replies"]) <= times.slow(times.answered_s[:served], late_us)


@pytest.mark.parametrize(("before_s", "after_s"), [(0, 0.002), (0, 0.03), (0, 0.2), (0.1, 0.0)])
def test_both_ends_tell_how_long_a_process_takes_to_read_and_to_answer(
    watch: Watch, before_s: float, after_s: float
) -> None:
    times = Times()
    with connected() as pair:
        watch.look()
        with _serving(pair[1], times, len(REQUEST), before_s, lambda: after_s):
            for _ in range(10):
                _ask(pair[0], times)
                time.sleep(0.05)  # which is nobody's time to answer
            _compare(watch, pair, times)


def test_where_a_part_of_the_answers_is_slow_that_is_said_at_both_ends(watch: Watch) -> None:
    times = Times()
    with connected() as pair:
        watch.look()
        naps_s = cycle([0.3] + 4 * [0.0])
        with _serving(pair[1], times, len(REQUEST), 0, lambda: next(naps_s)):
            for _ in range(20):
                _ask(pair[0], times)
            _compare(watch, pair, times)
        rows = watch.look().rows
        for end, cause, who in zip(pair, ("answers", "we-answer"), ("answers", "replies"), strict=True):
            one = Connection(row_of(rows, end), frozenset())
            (found,) = (each for each in causes.one(one) if each.name == cause)
            slow, count = (getattr(one, f"{name}{who}_1m") for name in ("slow_", ""))
            assert slow >= 4  # a busy machine makes more of them slow, never fewer
            assert found.words(one).brief == f"slow {who} {slow / count:.0%}" or 2 * slow >= count


def test_a_request_that_comes_in_pieces_ends_with_its_last(watch: Watch) -> None:
    times = Times()
    with connected() as pair:
        watch.look()
        with _serving(pair[1], times, PIECES * len(REQUEST), 0, lambda: 0.05):
            for _ in range(3):
                _ask(pair[0], times, PIECES, PIECE_PAUSE_S)
            _compare(watch, pair, times, JIFFIES_US)


def test_an_answer_that_leaves_in_pieces_begins_with_its_first(watch: Watch) -> None:
    """The asker's ACKs come with its requests, so that both pieces have left when one arrives."""
    served_s, answered_s = [], []
    with connected() as (client, server):
        watch.look()

        def serve() -> None:
            while server.recv(1, socket.MSG_PEEK):
                began_s = time.monotonic()
                server.recv(100)
                time.sleep(0.005)
                served_s.append(time.monotonic() - began_s)
                server.sendall(b"an")
                time.sleep(0.02)
                server.sendall(b"swer")

        with serving(server, serve):
            for _ in range(40):
                began_s = time.monotonic()
                client.sendall(REQUEST)
                client.recv(1)
                answered_s.append(time.monotonic() - began_s)
                left = 5
                while left:
                    left -= len(client.recv(left))
            row = row_of(watch.look().rows, server)
    replies = int(row["replies"])
    assert 39 <= replies <= 40
    assert 1e6 * sum(served_s[:replies]) <= int(row["reply_sum_us"]) <= 1e6 * sum(answered_s[:replies])


_SERVE = """
import json, socket, time
listener = socket.create_server(("10.199.0.2", 8085))
print("ready", flush=True)
connection, _ = listener.accept()
times = []
while connection.recv(100):
    began = time.monotonic()
    time.sleep(0.08)
    times.append(time.monotonic() - began)
    connection.sendall(b"answer")
print(json.dumps(times), flush=True)
"""
_ASK = """
import json, socket, sys, time
print("ready", flush=True)
connection = socket.create_connection(("10.199.0.2", 8085))
times = []
for _ in range(20):
    began = time.monotonic()
    connection.sendall(bytes(100))
    connection.recv(6)
    times.append(time.monotonic() - began)
    time.sleep(0.01)
print(json.dumps(times), flush=True)
sys.stdin.read()
"""
_PIPELINE = """
import socket, threading, time
print("ready", flush=True)
connection = socket.create_connection(("10.199.0.2", 8085))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
threading.Thread(target=lambda: [None for _ in iter(lambda: connection.recv(100), b"")], daemon=True).start()
while True:
    connection.sendall(bytes(100))
    time.sleep(0.01)
"""


def test_a_slow_path_and_a_slow_answer_are_told_apart(watch: Watch) -> None:
    with Link(delay_ms=25) as link:
        server, client = link.start(link.b, _SERVE), link.start(link.a, _ASK)
        assert client.stdout
        answered_us = 1e6 * np.array(json.loads(client.stdout.readline()))
        rows = watch.look().rows
        inside = np.flatnonzero(np.isin(rows["netns"], list(link.namespaces)) & ~rows["closed"])
        asking = rows[inside[rows["rport"][inside] == 8085]]
        found = Columns(asking.__getitem__).waits
        assert found.known.all()
        assert asking["answers"].tolist() == [20]
        client.kill()
        assert server.stdout
        served_us = 1e6 * np.array(json.loads(server.stdout.readline()))
        assert served_us.sum() + 20 * 50_000 <= asking["answer_sum_us"][0] <= answered_us.sum()
        # What is neither path nor queue is the process's time. A busy machine lets the asker wait longer for
        # its turn to read than the answer took to come.
        assert found.path_us[0] >= 50_000
        assert served_us.mean() + 50_000 <= found.total_us[0] <= 1.05 * answered_us.mean()


_ASK_OFTEN = """
import socket, sys, time
print("ready", flush=True)
connection = socket.create_connection((sys.argv[1], 8085))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for _ in range(150):
    connection.sendall(bytes(100))
    connection.recv(100)
    time.sleep(0.02)
print("done", flush=True)
sys.stdin.read()
"""


def _means_us(watch: Watch, lost: str, lose_each: int) -> tuple[float, float, float]:
    """The mean reply of the answering and of the asking end, and the mean answer that the latter has seen.

    Requests are answered at once, and the next one comes 20 ms later.
    """
    with Link(delay_ms=25, lose_each=lose_each) as link:
        places = [(link.b, ADDRESSES["b"][0]), (link.a, ADDRESSES["a"][0])]  # it loses what a sends
        (there, address), (here, _) = places if lost == "requests" else reversed(places)
        link.start(there, echoing(8085).replace(ADDRESSES["b"][0], address))
        client = link.start(here, _ASK_OFTEN.replace("sys.argv[1]", repr(address)))
        assert client.stdout
        assert client.stdout.readline() == "done\n"
        rows = watch.look().rows
        inside = np.flatnonzero(np.isin(rows["netns"], list(link.namespaces)) & ~rows["closed"])
        served, asking = (rows[inside[rows[name][inside] == 8085]][0] for name in ("lport", "rport"))
        assert not lose_each or (asking if lost == "requests" else served)["retrans"] >= 10
        assert min(served["replies"], asking["replies"]) >= 75
        means = [(served, "reply_sum_us", "replies"), (asking, "reply_sum_us", "replies")]
        means.append((asking, "answer_sum_us", "answers"))
        served_us, asking_us, answer_us = (float(row[total] / row[count]) for row, total, count in means)
        return served_us, asking_us, answer_us


@pytest.mark.parametrize("lost", ["requests", "answers"])
def test_the_time_that_a_loss_takes_is_no_process_s(watch: Watch, lost: str) -> None:
    """The kernel probes for a lost tail 100 ms after the process has sent it: 30 ms more, on average."""
    clean = _means_us(watch, lost, 0)
    lossy = _means_us(watch, lost, 11)
    least_us = 12_000
    assert lossy[0] < clean[0] + least_us, (clean, lossy)
    assert lossy[1] < clean[1] + least_us, (clean, lossy)
    if lost == "requests":  # of answers that are lost this end cannot know
        assert lossy[2] < clean[2] + least_us, (clean, lossy)


def test_requests_that_do_not_wait_for_each_other_are_told_as_such(watch: Watch) -> None:
    with Link(delay_ms=25) as link:
        link.start(link.b, echoing(8085))
        link.start(link.a, _PIPELINE)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            rows = watch.look().rows
            inside = np.flatnonzero(np.isin(rows["netns"], list(link.namespaces)) & (rows["crossings"] > 20))
            asking = rows[inside[rows["rport"][inside] == 8085]]
            if len(asking):
                assert Columns(asking.__getitem__).waits.several.tolist() == [True]
                return
            time.sleep(0.2)
        raise AssertionError("nothing has crossed")


def test_the_kernel_takes_the_program_with_plain_loads() -> None:
    # A checked read costs forty times as much, and nothing else would tell of it. Linux 5.10 needs them.
    Program.loaded(Request(reads=READS[:1])).close()
