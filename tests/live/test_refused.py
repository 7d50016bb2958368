"""Connects that fail are one row for all that go to one place, and lines of their own in the stream."""

from __future__ import annotations

import errno
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tcptop_rtt.model.records import Kind
from tcptop_rtt.model.rows import CONNECT_ERRORS
from tcptop_rtt.view.filter import Filter, listed
from tests.live.conftest import Recording, Watch
from tests.ports import bind

CONNECTS = 2000

_NO_ANSWER = """
import contextlib, socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
open("/proc/sys/net/ipv4/tcp_syn_retries", "w").write("1")
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
first = socket.create_connection(listener.getsockname())
with contextlib.suppress(TimeoutError):
    socket.create_connection(listener.getsockname())
other = socket.socket()
other.setblocking(False)
other.connect_ex(listener.getsockname())
other.close()
print("failed", flush=True)
input()
"""

_NO_PORT = """
import contextlib, errno, socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
open("/proc/sys/net/ipv4/ip_local_port_range", "w").write("40000 40000")
listener = socket.create_server(("127.0.0.1", 5432))
first = socket.create_connection(listener.getsockname())
other = socket.socket()
assert other.connect_ex(listener.getsockname()) == errno.EADDRNOTAVAIL
print("failed", flush=True)
input()
"""

_NOT_BEGUN = """
import socket, subprocess, time
TCP_FASTOPEN, TCP_FASTOPEN_CONNECT = 23, 30
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
open("/proc/sys/net/ipv4/tcp_fastopen", "w").write("3")
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
listener.listen()
def connected():
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    client.connect(listener.getsockname())
    return client
first = connected()  # gets the cookie with which the next one needs no handshake
first.sendall(b"x")
assert listener.accept()[0].recv(1) == b"x"
connected().close()
print("failed", flush=True)
input()
"""


def _refused(port: int) -> None:
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", port))


def test_each_of_many_refused_connects_is_counted_in_one_row(watch: Watch) -> None:
    watch.look()
    with socket.socket() as nobody_listens:
        port = bind(nobody_listens)
        for _ in range(CONNECTS):
            _refused(port)
        snapshot = watch.look()
    (target,) = snapshot.targets[snapshot.targets["rport"] == port]
    lost = watch.probe.read().dropped_records
    assert CONNECTS - lost <= target["count"] <= CONNECTS
    assert target["refused"] == target["count"]
    assert target["per_s"] > 0
    assert target["pid"] == os.getpid()
    failed = (snapshot.rows["rport"] == port) & (snapshot.rows["connect_error"] > 0)
    assert np.count_nonzero(failed) == target["count"]
    assert not failed[listed(snapshot.rows, Filter())].any()
    assert not (watch.look().rows["rport"] == port).any()


def _targets_of(script: str, watch: Watch) -> NDArray[np.void]:
    """The targets of a script, in a network namespace of its own, once it has printed "failed"."""
    watch.look()
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        while not select.select([process.stdout], [], [], 0.2)[0]:
            watch.look()  # or the records of others fill its room in these seconds
        assert process.stdout.readline() == "failed\n"
        netns = os.stat(f"/proc/{process.pid}/ns/net").st_ino
        targets = watch.look().targets
        process.communicate("\n")
    found: NDArray[np.void] = targets[targets["netns"] == netns]
    return found


def test_one_without_an_answer_and_one_that_its_process_gives_up_are_told_apart(watch: Watch) -> None:
    (target,) = _targets_of(_NO_ANSWER, watch)
    assert (target["timed_out"], target["given_up"], target["count"]) == (1, 1, 2)
    assert CONNECT_ERRORS[target["connect_error"]] == "given-up"


def test_one_that_finds_no_local_port_is_not_called_given_up(watch: Watch) -> None:
    (target,) = _targets_of(_NO_PORT, watch)
    assert (target["no_port"], target["count"]) == (1, 1)


def test_one_that_is_given_up_before_its_first_segment_is_not_called_without_a_port(watch: Watch) -> None:
    (target,) = _targets_of(_NOT_BEGUN, watch)
    assert (target["given_up"], target["no_port"], target["count"]) == (1, 0, 1)


def test_the_stream_has_the_beginning_and_the_end_of_each(record: Callable[..., Recording]) -> None:
    with socket.socket() as nobody_listens:
        port = bind(nobody_listens)
        recording = record("--rport", str(port), "--interval", "0.2")
        time.sleep(0.5)
        for _ in range(50):
            _refused(port)
        time.sleep(1)
        lines = recording.stop()
    lost = lines[-1]["lost"]
    by_id: dict[int, list[tuple[str, ...]]] = {}
    for line in lines:
        if line["event"] in ("open", "sample", "close"):
            by_id.setdefault(line["id"], []).append((line["event"], line["connect_error"], line["why"]))
    assert 50 - lost <= len(by_id) <= 50
    whole = [events for events in by_id.values() if events[-1] == ("close", "refused", "refused")]
    assert len(whole) >= 50 - lost
    assert {events[0][0] for events in whole} == {"open"}


def test_a_record_of_a_closed_connection_has_the_error_of_its_socket(watch: Watch) -> None:
    watch.probe.read()
    with socket.socket() as nobody_listens:
        port = bind(nobody_listens)
        _refused(port)
        records = watch.probe.read().records
    (closed,) = records[(records["rport"] == port) & (records["kind"] == Kind.CLOSE)]
    assert (closed["error"], closed["bytes_acked"]) == (errno.ECONNREFUSED, 0)
