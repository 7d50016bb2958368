"""Connections whose end is not told, or is told at an awkward moment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.records import Records
from tcptop_rtt.model.rows import STATES
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.limits import Limits
from tcptop_rtt.sources.loader.request import Request
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tests.live.conftest import Recording
from tests.live.pairs import Pair, connected, port_of, send_and_close
from tests.live.program import START_S, Line
from tests.live.ss import ss
from tests.ports import serve
from tests.waiting import becomes

INTERVAL_S = 0.1
_LIMITS = Limits()


def _nothing() -> None:
    pass


class _Probe(Probe):
    """Counts its scans, and lets something happen after one and before it is asked what has ended."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, Direct())
        self.scans = 0
        self.after_scan = self.before_question = _nothing

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        yield from super().scan(unheld)
        self.scans += 1
        self.after_scan()

    def ended(self, connections: Mapping[int, int]) -> list[int]:
        self.before_question()
        return super().ended(connections)


@contextmanager
def _watching(limits: Limits = _LIMITS) -> Iterator[tuple[_Probe, Iterator[Snapshot]]]:
    with closing(_Probe(Program.loaded(Request(limits=limits)))) as probe:
        yield probe, LiveFeed(ready(probe), INTERVAL_S).snapshots()


def _first(snapshots: Iterator[Snapshot], condition: Callable[[Snapshot], bool]) -> Snapshot:
    """The first for which it holds."""
    deadline = time.monotonic() + START_S
    for snapshot in snapshots:
        if condition(snapshot):
            return snapshot
        assert time.monotonic() < deadline, "it has never come to that"
    raise AssertionError("there are no more")


def _after_scans(probe: _Probe, snapshots: Iterator[Snapshot], scans: int) -> Snapshot:
    """The first once so many have been made since the beginning."""
    return _first(snapshots, lambda _: probe.scans >= scans)


def _with_port(snapshot: Snapshot, port: int) -> NDArray[np.void]:
    rows = snapshot.rows
    return rows[np.flatnonzero((rows["lport"] == port) | (rows["rport"] == port))]


def _between(snapshot: Snapshot, *ports: int) -> NDArray[np.void]:
    """Both ends of one connection."""
    rows = _with_port(snapshot, ports[0])
    return rows[np.isin(rows["lport"], ports) & np.isin(rows["rport"], ports)]


def _full_sockets(port: int) -> list[str]:
    states = ("state", "connected", "exclude", "time-wait")
    return ss("-tHn", *states, "sport", f"= :{port}", "or", "dport", f"= :{port}")


def test_what_ended_without_being_told_is_closed_within_two_scans_after_a_loss() -> None:
    with (
        _watching(Limits(ring_bytes=os.sysconf("SC_PAGE_SIZE"))) as (probe, snapshots),
        serve(backlog=64) as listener,
    ):
        port = listener.getsockname()[1]
        for _ in range(2):
            with ExitStack() as opened:
                for _ in range(100):
                    opened.enter_context(socket.create_connection(listener.getsockname()))
                    opened.enter_context(listener.accept()[0])
                seen, lost = probe.scans, next(snapshots).health.dropped_records
                rows = _with_port(_after_scans(probe, snapshots, seen + 2), port)
                assert np.count_nonzero(~rows["closed"]) == 200
            assert becomes(lambda: not _full_sockets(port))  # the kernel takes its time on a busy machine
            latest = _after_scans(probe, snapshots, probe.scans + 2)
            assert latest.health.dropped_records > lost
            assert _with_port(latest, port)["closed"].all()


def test_a_connection_that_ends_just_before_it_is_asked_for_is_closed_with_its_final_counters() -> None:
    with _watching() as (probe, snapshots), ExitStack() as opened:
        next(snapshots)
        pairs: list[Pair] = []

        def connect() -> None:
            if not pairs:
                pairs.append(opened.enter_context(connected()))

        def talk_and_close() -> None:
            if pairs and pairs[0][0].fileno() >= 0:
                client, server = pairs[0]
                ports.append((port_of(client), port_of(server)))
                client.sendall(b"x" * 1000)
                server.recv(1000)
                opened.close()

        ports: list[tuple[int, int]] = []
        # No scan has seen it by the time of the question, and none does afterwards.
        probe.after_scan, probe.before_question = connect, talk_and_close

        def closed_of(snapshot: Snapshot) -> list[np.void]:
            return [row for row in _between(snapshot, *ports[0]) if row["closed"]] if ports else []

        closed = closed_of(_first(snapshots, lambda now: len(closed_of(now)) >= 2))
        assert [int(row["bytes_acked"] + row["bytes_received"]) >= 1000 for row in closed] == [True, True]


SHORT_CONNECTIONS = 5000
BLOCK = 250


def test_the_last_line_of_each_short_connection_has_all_its_bytes(record: Callable[..., Recording]) -> None:
    recording = record("--interval", "0.2")
    sent: dict[str, int] = {}

    def closed(end: str, other: str) -> dict[str, Line]:
        lines = [line for line in list(recording.lines) if line["event"] == "close"]
        return {line[end]: line for line in lines if line[end] in sent and line[other] == port}

    def all_closed(sources: set[str]) -> bool:
        return sources <= closed("laddr", "rport").keys() & closed("raddr", "lport").keys()

    with serve(backlog=64) as listener:
        port = port_of(listener)
        for block in range(SHORT_CONNECTIONS // BLOCK):
            before = set(sent)
            for number in range(1, BLOCK + 1):
                # Ports are used again within a second; of loopback addresses there are enough.
                source, size = f"127.2.{block}.{number}", 1 + number * 7919 % 20_000
                send_and_close(listener, source, size)
                sent[source] = size
            # More at once than it can write down would be lost; of what others have nobody knows.
            becomes(partial(all_closed, sent.keys() - before))
    lost = recording.stop()[-1]["lost"]
    for end, other, count in (("laddr", "rport", "bytes_acked"), ("raddr", "lport", "bytes_received")):
        lines = closed(end, other)
        seen = {source for source, line in lines.items() if line["end_seen"]}
        assert SHORT_CONNECTIONS - len(seen) <= lost
        beyond = {lines[source][count] - sent[source] for source in seen}
        assert beyond <= {0, 1, 2}  # SYN and FIN count, too


_LEAVE_ORPHANS = """
import socket
from pathlib import Path
from tests.live.pairs import fill
from tests.ports import bind, serve
Path("/proc/sys/net/ipv4/tcp_orphan_retries").write_text("1")
listener, client = serve(), socket.socket()
bind(client)
client.connect(listener.getsockname())
server, _ = listener.accept()
fill(client)
print(client.getsockname()[1], flush=True)
input()
client.close()
subprocess.run(["ip", "link", "set", "lo", "down"])
"""
"""A process that ends with data unsent, in a network namespace of its own that ends with it."""


def test_an_orphan_of_a_namespace_that_is_gone_is_open_until_the_kernel_gives_up_on_it() -> None:
    script = "import subprocess" + _LEAVE_ORPHANS
    command = [
        "unshare",
        "--net",
        "sh",
        "-c",
        'ip link set lo up; exec "$@"',
        "sh",
        sys.executable,
        "-c",
        script,
    ]
    with (
        _watching() as (_, snapshots),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout
        port = int(process.stdout.readline())
        _first(snapshots, lambda now: len(_with_port(now, port)) > 0)
        process.communicate("\n")
        states: set[str] = set()

        def is_over(snapshot: Snapshot) -> bool:
            rows = _with_port(snapshot, port)
            states.update(STATES[row["state"]] for row in rows if not rows["closed"].all())
            return bool(rows["closed"].all())

        _first(snapshots, is_over)
    assert "FIN-WAIT-1" in states
