"""After a fault the rows are as ``ss`` has them again, within two scans."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.live import compared
from tests.live.pairs import connected, port_of, repeating, round_trip, rows_of
from tests.live.told import Told, told
from tests.ports import serve

CHURN = 5000
"""Connections: the ring buffer has room for the records of half as many."""
STALL_S = 60.0
"""A minute; the pipe has room for some lines only."""


def _churn(count: int) -> None:
    """So many connections, one after another."""
    with serve(backlog=64) as listener:
        for number in range(count):
            source = (f"127.3.{number // 200 % 250}.{1 + number % 200}", 0)
            with socket.create_connection(listener.getsockname(), source_address=source):
                listener.accept()[0].close()


@contextmanager
def _stopped(it: Told) -> Iterator[None]:
    """As by a debugger or a freezer, with more going on than the ring buffer has room for."""
    it.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        it.process.send_signal(signal.SIGCONT)


@contextmanager
def _without_descriptors(it: Told) -> Iterator[None]:
    """None is free for a while."""
    soft, hard = resource.prlimit(it.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(it.process.pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        it.after(lambda latest: "Too many open files" in latest.health.problem)
        yield
    finally:
        resource.prlimit(it.process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _bring_about_changes(opened: ExitStack) -> None:
    """Connections that begin, end and carry something, each while nobody looks."""
    for size in (1, 70_000):
        client, server = opened.enter_context(connected())
        client.sendall(bytes(size))
        while size:
            size -= len(server.recv(size))


@pytest.mark.parametrize("fault", [_stopped, _without_descriptors], ids=lambda it: it.__name__)
def test_rows_are_as_ss_has_them_within_two_scans_after(
    fault: Callable[[Told], AbstractContextManager[None]],
) -> None:
    with told() as it, ExitStack() as opened:
        before = opened.enter_context(connected())
        _, gone = opened.enter_context(connected()), opened.enter_context(connected())
        ended = port_of(gone[0]), port_of(gone[1])
        it.after(lambda latest: ended[0] in latest.rows["lport"])
        with fault(it):
            _churn(CHURN)
            for end in gone:
                end.close()
            _bring_about_changes(opened)
            round_trip(before)
        rows = it.rows_after_two_scans()
        if fault is _stopped:
            assert it.latest.health.dropped_records > 0
        assert not rows_of(rows, before)["closed"].any()
        ours = rows[(rows["lport"] == ended[0]) & (rows["rport"] == ended[1])]
        assert ours["closed"].all()
        with repeating(lambda: round_trip(before), 0.05):
            compared.check(it.rows_after_two_scans, compared.namespace_of(os.getpid()), at_least=6)
        assert (it.latest.health.problem, it.latest.health.behind_s) == ("", 0)
        it.stop()


def test_a_reader_that_stalls_for_a_minute_gets_what_is_true_then_and_memory_stays_bounded() -> None:
    with told() as it, ExitStack() as opened:
        pair = opened.enter_context(connected())
        gone = opened.enter_context(connected())
        it.after(lambda latest: port_of(gone[0]) in latest.rows["lport"])
        before = _rss_bytes(it.process.pid)
        with it.stalled():
            end_s = time.monotonic() + STALL_S
            while time.monotonic() < end_s:
                _churn(100)
                round_trip(pair)
                time.sleep(1)
            for end in gone:
                end.close()
            _bring_about_changes(opened)
            grown = _rss_bytes(it.process.pid) - before
        assert grown < 60 << 20, f"{grown >> 20} MiB more"
        compared.check(it.rows_after_two_scans, compared.namespace_of(os.getpid()), at_least=6)
        assert it.latest.health.dropped_records > 0
        assert max(snapshot.health.behind_s for snapshot in it.snapshots) > STALL_S / 2
        assert it.latest.health.behind_s == 0
        it.stop()
