"""Listeners: their queues and what they drop, beside what ss and the kernel's own counters tell of them."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.listening import TROUBLES, listening, waits_at
from tests.live.conftest import Recording, Watch
from tests.live.link import inside
from tests.live.ss import ss
from tests.ports import serve
from tests.waiting import ENOUGH_S

LIMIT = 3
CLIENTS = 8

_NEVER_ACCEPTS = f"""
import socket, subprocess, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen({LIMIT})
clients = [socket.socket() for _ in range({CLIENTS})]
for client in clients:
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
print(listener.getsockname()[1], flush=True)
input()
"""


class Namespace(NamedTuple):
    """A network namespace with one listener that never accepts."""

    pid: int
    port: int

    def run(self, *command: str) -> str:
        there = [*inside(self.pid), *command]
        return subprocess.run(there, check=True, capture_output=True, text=True).stdout

    def told(self) -> tuple[int, int, int, int]:
        """Recv-Q and Send-Q of the listener, and the kernel's counters of overflows and of all drops."""
        (line,) = ss("-tlnH", before=inside(self.pid))
        counters = self.run("nstat", "-asz", "TcpExtListenOverflows", "TcpExtListenDrops")
        overflows, drops = (
            int(re.search(rf"{name}\s+(\d+)", counters)[1])  # type: ignore[index]
            for name in ("TcpExtListenOverflows", "TcpExtListenDrops")
        )
        recv_q, send_q = line.split()[1:3]
        return int(recv_q), int(send_q), overflows, drops


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", _NEVER_ACCEPTS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        yield Namespace(process.pid, int(process.stdout.readline()))
        process.communicate("\n")


def _inode_of(namespace: Namespace) -> int:
    return Path(f"/proc/{namespace.pid}/ns/net").stat().st_ino


def _look_between(watch: Watch, namespace: Namespace) -> tuple[Snapshot, tuple[int, int, int, int]]:
    """A snapshot, and what others tell if nothing changes meanwhile: clients try again, and are dropped."""
    deadline = time.monotonic() + ENOUGH_S
    while time.monotonic() < deadline:
        before = namespace.told()
        snapshot = watch.look()
        if before == namespace.told() and before[2] > 0:
            return snapshot, before
    pytest.fail("what the kernel tells has changed all the time")


def test_a_listener_that_never_accepts_is_full_as_ss_and_nstat_tell(
    watch: Watch, namespace: Namespace
) -> None:
    snapshot, told = _look_between(watch, namespace)
    (row,) = snapshot.listeners[snapshot.listeners["netns"] == _inode_of(namespace)]
    assert (row["queue"], row["queue_limit"], row["drops"], row["drops"]) == told
    assert told[:2] == (LIMIT + 1, LIMIT)
    assert (row["lport"], row["pid"]) == (namespace.port, namespace.pid)
    (shown,) = listening(np.array([row]), snapshot.rows, frozenset())
    assert TROUBLES[shown["trouble"]] == "queue-full"
    assert shown["live"] == 0
    assert 0 < shown["oldest_ns"] < ENOUGH_S * 2e9
    waiting = waits_at(snapshot.listeners, int(row["id"]), snapshot.rows.__getitem__)
    assert np.count_nonzero(waiting) == LIMIT + 1
    assert snapshot.rows["queue_full"][waiting].all()


def test_what_a_listener_drops_is_counted_from_scan_to_scan(watch: Watch, namespace: Namespace) -> None:
    before, (*_, first) = _look_between(watch, namespace)
    inode, dropped = _inode_of(namespace), 0
    deadline = time.monotonic() + ENOUGH_S
    while dropped < 20 and time.monotonic() < deadline:
        sending = "import socket\nfor _ in range(20):\n s = socket.socket(); s.setblocking(False)\n"
        namespace.run(sys.executable, "-c", sending + f" s.connect_ex(('127.0.0.1', {namespace.port}))")
        after, (*_, now) = _look_between(watch, namespace)
        dropped = now - first
    rows = [snapshot.listeners[snapshot.listeners["netns"] == inode] for snapshot in (before, after)]
    assert rows[0]["id"] == rows[1]["id"]
    assert rows[1]["drops"] - rows[0]["drops"] == dropped >= 20
    assert rows[1]["drops_per_s"] > 0


def test_the_stream_tells_of_a_listener_when_its_queue_changes(record: Callable[..., Recording]) -> None:
    with serve(backlog=5) as listener, contextlib.ExitStack() as opened:
        port = listener.getsockname()[1]
        recording = record("--lport", str(port), "--interval", "0.2")

        def wait_for(queue: int, closed: bool = False) -> dict[str, object]:
            return recording.wait_for(
                lambda line: (
                    line["event"] == "listener" and (line["queue"], line["closed"]) == (queue, closed)
                )
            )

        line = wait_for(0)
        assert (line["listen_port"], line["listen_address"], line["pid"]) == (port, "127.0.0.1", os.getpid())
        assert (line["queue_limit"], line["drops"]) == (5, 0)
        for _ in range(2):
            opened.enter_context(socket.create_connection(listener.getsockname()))
        assert wait_for(2)["listener"] == line["listener"]
        listener.accept()[0].close()
        assert wait_for(1)["listener"] == line["listener"]
        listener.close()
        assert wait_for(1, closed=True)["listener"] == line["listener"]
    assert {one["listen_port"] for one in recording.stop() if one["event"] == "listener"} == {port}
