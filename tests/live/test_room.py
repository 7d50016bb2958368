"""When there is no room: what is lost is counted, and it goes on."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import numpy as np
import pytest

from tcptop_rtt.model.records import INTERVAL_S, Kind, Records, take_rows
from tcptop_rtt.sources.limits import Limits
from tcptop_rtt.sources.loader.request import Request
from tcptop_rtt.sources.program import Program
from tests.live.conftest import Watch
from tests.live.pairs import connected, port_of, round_trip
from tests.ports import serve
from tests.waiting import becomes

LOAD_CONNECTIONS = 1500

_TINY = Limits(ring_bytes=os.sysconf("SC_PAGE_SIZE"))


@contextmanager
def _many_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), max(hard, count)))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _watch(limits: Limits) -> Watch:
    return Watch(Program.loaded(Request(limits=limits)))


def _open_and_close(listener: socket.socket) -> int:
    """One connection; its client's port."""
    with socket.create_connection(listener.getsockname(), source_address=("127.0.0.1", 0)) as client:
        listener.accept()[0].close()
        port: int = client.getsockname()[1]
        return port


def _events(records: Records) -> Records:
    """Without samples: those that find no room wait for another time."""
    return take_rows(records, records["kind"] != Kind.SEGMENT)


def _of_port(records: Records, port: int) -> Records:
    """Of the connections between this port and any other."""
    return take_rows(records, (records["lport"] == port) | (records["rport"] == port))


def test_with_a_tiny_ring_buffer_and_nobody_reading_every_lost_record_is_counted() -> None:
    # The kernel's events that reports do not depend on: both probes are offered the same.
    large, tiny = _watch(Limits(ring_bytes=1 << 25)), _watch(_TINY)
    try:
        lost_before = tiny.probe.read().dropped_records
        with serve(backlog=64) as listener:
            port = port_of(listener)
            for _ in range(LOAD_CONNECTIONS):
                _open_and_close(listener)
            # What the large one has seen begins before the tiny one's, and ends after it.
            part, whole = tiny.probe.read(), large.probe.read()
            assert whole.dropped_records == 0
            offered, delivered = _events(whole.records), _events(part.records)
            ours = len(_of_port(offered, port))
            assert ours >= 4 * LOAD_CONNECTIONS  # a beginning and an end of two sockets each
            ours_lost = ours - len(_of_port(delivered, port))
            assert ours_lost > 0
            others = len(offered) - ours
            assert ours_lost <= part.dropped_records - lost_before <= ours_lost + others

            def goes_on() -> bool:
                tiny.probe.read()
                ended = _open_and_close(listener)
                return ended in tiny.probe.read().records["lport"]

            # Others may fill it again between the two reads.
            assert becomes(goes_on)
    finally:
        large.close()
        tiny.close()


def test_samples_that_find_no_room_are_told_of_later() -> None:
    with closing(_watch(_TINY)) as watch:
        with connected() as pair, serve(backlog=64) as listener:
            watch.look()
            for _ in range(30):
                _open_and_close(listener)
            for _ in range(5):
                for _ in range(20):
                    round_trip(pair)
                time.sleep(1.2 * INTERVAL_S)
            full = watch.probe.read()
            assert full.dropped_records > 0
            port = port_of(pair[0])
            assert port not in full.records["lport"]
            told: list[int] = []

            def is_told() -> bool:
                watch.probe.read()
                round_trip(pair)
                records = watch.probe.read().records
                told.extend(records["rtt_samples"][records["lport"] == port].tolist())
                return bool(told)

            # Others may fill it again meanwhile; then it is told of after another interval.
            trips = 5 * 20
            while not is_told():
                trips += 1
                assert trips < 1000
                time.sleep(INTERVAL_S)
        # The last one or two begin the next interval.
        assert trips - 2 <= told[0] <= trips


def test_where_there_was_no_room_nobody_asks_again_before_another_interval() -> None:
    interval_s = 2.0
    with closing(_watch(_TINY)) as watch:
        with connected() as pair, serve(backlog=64) as listener:
            watch.look()
            watch.probe.set_report_interval(interval_s)
            for _ in range(30):
                _open_and_close(listener)
            round_trip(pair)
            port = port_of(pair[0])

            def told() -> int:
                for _ in range(5):
                    round_trip(pair)
                return int(np.count_nonzero(watch.probe.read().records["lport"] == port))

            time.sleep(1.2 * interval_s)
            began_s = time.monotonic()
            assert told() == 0  # refused
            told_again = told()
            assert told_again == 0 or time.monotonic() - began_s >= interval_s
            # Others may fill it again right after the read; then it is asked an interval later.
            for _ in range(10):
                time.sleep(1.2 * interval_s)
                watch.probe.read()
                times = told()
                if times:
                    break
        assert times == 1


def test_the_end_of_a_connection_that_found_no_room_is_found_out() -> None:
    with closing(_watch(_TINY)) as watch:
        with serve(backlog=64) as listener, ExitStack() as opened:
            for _ in range(100):
                opened.enter_context(socket.create_connection(listener.getsockname()))
                opened.enter_context(listener.accept()[0])
            port = listener.getsockname()[1]
            rows = watch.look().rows
            ours = rows[(rows["lport"] == port) | (rows["rport"] == port)]
            assert len(ours) == 200
            assert not ours["closed"].any()
        rows = watch.look().rows
        watch.connections.close_missing(watch.probe.ended(watch.connections.missing_socks()))
        rows = watch.look().rows
        ours = rows[(rows["lport"] == port) | (rows["rport"] == port)]
        assert ours["closed"].all()


@pytest.mark.parametrize("when", ["before them", "after them"])
def test_with_more_connections_than_room_it_says_so_and_all_stay_on_the_screen(when: str) -> None:
    limits, pairs = Limits(connections=1024), 1500
    with (
        _many_files(2 * pairs + 200),
        serve(backlog=64) as listener,
        ExitStack() as opened,
    ):
        watch = None
        if when == "before them":
            watch = opened.enter_context(closing(_watch(limits)))
            watch.look()
        for _ in range(pairs):
            opened.enter_context(socket.create_connection(listener.getsockname()))
            opened.enter_context(listener.accept()[0])
        port = listener.getsockname()[1]
        watch = watch or opened.enter_context(closing(_watch(limits)))
        watch.look()
        rows = watch.look().rows
        ours = rows[(rows["lport"] == port) | (rows["rport"] == port)]
        assert len(ours) == 2 * pairs
        assert not ours["closed"].any()
        assert (ours["pid"] == os.getpid()).all()
        assert len(np.unique(ours[["lport", "rport"]])) == 2 * pairs
        # Others end meanwhile, so that there is room for some of them: they stay what they were.
        again = watch.look().rows
        assert {*ours["id"].tolist()} <= {*again["id"][~again["closed"]].tolist()}
        assert watch.probe.read().untracked >= 2 * pairs - limits.connections
