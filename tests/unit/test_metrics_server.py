"""What serves metrics: who makes the numbers never waits for who reads them, nor these for each other."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tcptop_rtt.outputs.prometheus.options import Address
from tcptop_rtt.outputs.prometheus.server import MetricsServer
from tests.ports import free_port
from tests.waiting import ENOUGH_S


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    server = MetricsServer(Address("127.0.0.1", free_port()))
    yield server
    server.close()


def _get(server: MetricsServer) -> str:
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=ENOUGH_S) as answer:
        body: bytes = answer.read()
        return body.decode()


def test_the_latest_page_is_served(server: MetricsServer) -> None:
    for text in ("one\n", "two\n"):
        server.show(lambda text=text: text)  # type: ignore[misc]
        assert _get(server) == text


def test_the_next_page_is_taken_while_a_scrape_of_the_one_before_is_stuck(server: MetricsServer) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def stuck() -> str:
        begun.set()
        assert goes_on.wait(ENOUGH_S)
        return "stuck\n"

    server.show(stuck)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(_get, server)
        assert begun.wait(ENOUGH_S)
        server.show(lambda: "next\n")  # in this thread, which is the worker's: it would wait for ever
        goes_on.set()
        assert first.result(ENOUGH_S) == "stuck\n"
    assert _get(server) == "next\n"


def test_a_page_is_made_once_for_all_that_scrape_it(server: MetricsServer) -> None:
    made = []

    def page() -> str:
        made.append(1)
        return "page\n"

    server.show(page)
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(lambda _: _get(server), range(24))} == {"page\n"}
    assert len(made) == 1


def test_a_reader_that_takes_nothing_holds_up_nobody(server: MetricsServer) -> None:
    server.show(lambda: "x" * (1 << 24))
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.address.port))
        slow.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert slow.recv(1)
        assert len(_get(server)) == 1 << 24
        server.show(lambda: "next\n")
        assert _get(server) == "next\n"


def test_a_fault_fails_one_scrape_and_not_the_next(server: MetricsServer) -> None:
    server.show(lambda: str(1 // 0))
    with pytest.raises(urllib.error.HTTPError) as failed:
        _get(server)
    assert failed.value.code == 500
    assert failed.value.read() == b"unexpected ZeroDivisionError: integer division or modulo by zero\n"
    server.show(lambda: "well\n")
    assert _get(server) == "well\n"


def test_it_can_be_closed_before_and_after_it_serves() -> None:
    for serves in (False, True):
        address = Address("127.0.0.1", free_port())
        before = set(threading.enumerate())
        server = MetricsServer(address)
        if serves:
            server.show(str)
        begun = set(threading.enumerate()) - before
        assert len(begun) == serves
        server.close()
        for thread in begun:
            thread.join(ENOUGH_S)
            assert not thread.is_alive()
        MetricsServer(address).close()
