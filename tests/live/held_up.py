"""Connections that are held up for real, each by one thing, and the words that say so.

Each way of holding one up is a context: what it gives begins as it is entered.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import Rows
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import causes
from tests.live.link import Link, asking, echoing, sending, taking
from tests.live.pairs import Pair, connected, fill, port_of, repeating
from tests.ports import bind, serve

_Which = Callable[[Rows], NDArray[np.bool_]]

_CONNECT = """
import socket
print("ready", flush=True)
socket.create_connection(("10.199.0.2", 8084))
"""
ANSWER_S = 0.2


class Held(NamedTuple):
    """A connection that is held up."""

    said: Callable[[Snapshot], set[str | None]]
    """What is said of it; nothing: it is not there."""
    words: frozenset[str]
    """Each of them is right: a busy machine may hold it up in another way, too."""


def words_of(rows: Rows, which: NDArray[np.bool_]) -> set[str | None]:
    """What is said of some connections; None: nothing is wrong with one."""
    return {causes.NAMES[number] for number in causes.verdicts(rows.__getitem__)[which]}


def _held(which: _Which, *words: str) -> Held:
    return Held(lambda snapshot: words_of(snapshot.rows, which(snapshot.rows)), frozenset(words))


def _end(pair: Pair, end: int, *words: str) -> Held:
    lport, rport = port_of(pair[end]), port_of(pair[1 - end])
    return _held(lambda rows: (rows["lport"] == lport) & (rows["rport"] == rport), *words)


def _from_a(link: Link, port: int, *words: str) -> Held:
    def which(rows: Rows) -> NDArray[np.bool_]:
        inside = np.isin(rows["netns"], list(link.namespaces))
        found: NDArray[np.bool_] = inside & (rows["rport"] == port) & ~rows["closed"]
        return found

    return _held(which, *words)


@contextmanager
def a_process_that_stops_reading() -> Iterator[list[Held]]:
    with connected() as pair:
        fill(pair[0])
        waits = _end(pair, 0, "peer-not-reading", "window-closed", "peer-slow")
        yield [_end(pair, 1, "not-reading"), waits]


@contextmanager
def a_receiver_that_is_stopped() -> Iterator[list[Held]]:
    with Link(delay_ms=2) as link:
        receiver = link.start(link.b, taking(8087))
        link.start(link.a, sending(8087, 65_536, 0.001))
        receiver.send_signal(signal.SIGSTOP)
        yield [_from_a(link, 8087, "peer-not-reading", "window-closed", "peer-slow")]


@contextmanager
def a_process_that_reads_slowly() -> Iterator[list[Held]]:
    def read_some() -> None:
        server.recv(65_536)

    with connected() as (client, server):
        client.setblocking(False)

        def write_all() -> None:
            with suppress(BlockingIOError):
                client.send(bytes(1 << 20))

        with repeating(write_all, 0.001), repeating(read_some, 0.02):
            yield [_end((client, server), 0, "peer-slow", "peer-not-reading")]


@contextmanager
def a_process_that_answers_slowly() -> Iterator[list[Held]]:
    def ask_and_answer() -> None:
        client, server = pair
        client.sendall(b"x")
        server.recv(1)
        time.sleep(ANSWER_S)
        server.sendall(b"x")
        client.recv(1)

    with connected() as pair, repeating(ask_and_answer, 0.01):
        yield [_end(pair, 0, "answers"), _end(pair, 1, "we-answer")]


@contextmanager
def an_answer_from_afar_that_is_slow() -> Iterator[list[Held]]:
    with Link(delay_ms=5) as link:
        link.start(link.b, echoing(8088, ANSWER_S))
        link.start(link.a, asking(8088, 100, 0.01))
        yield [_from_a(link, 8088, "answers")]


@contextmanager
def _sent_over(link: Link, port: int, size: int, pause_s: float) -> Iterator[None]:
    """From one end to the other, so many bytes again and again."""
    with link:
        link.start(link.b, taking(port))
        link.start(link.a, sending(port, size, pause_s))
        yield


@contextmanager
def a_full_queue_on_the_path() -> Iterator[list[Held]]:
    with _sent_over(link := Link(delay_ms=2, bytes_per_s=1_000_000), 8085, 65_536, 0):
        yield [_from_a(link, 8085, "queue")]


@contextmanager
def a_path_that_loses_segments() -> Iterator[list[Held]]:
    with _sent_over(link := Link(delay_ms=2, lose_each=30), 8089, 1000, 0.005):
        yield [_from_a(link, 8089, "loss")]


@contextmanager
def nobody_who_accepts() -> Iterator[list[Held]]:
    with serve() as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            own = port_of(client)
            yield [_held(lambda rows: (rows["lport"] == port) & (rows["rport"] == own), "backlog")]


@contextmanager
def a_queue_of_a_listener_that_is_full() -> Iterator[list[Held]]:
    with serve(backlog=0) as listener, ExitStack() as opened:
        port = listener.getsockname()[1]
        for _ in range(5):
            client = opened.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        waits = _held(lambda rows: rows["lport"] == port, "backlog")
        yield [waits, _held(lambda rows: rows["rport"] == port, "no-answer")]


@contextmanager
def a_port_that_refuses() -> Iterator[list[Held]]:
    with socket.socket() as nobody_listens:
        port = bind(nobody_listens)

        def connect() -> None:
            with socket.socket() as client, suppress(ConnectionRefusedError):
                client.connect(("127.0.0.1", port))

        def said(snapshot: Snapshot) -> set[str | None]:
            ours = snapshot.targets[snapshot.targets["rport"] == port]
            return {"refused"} if ours["refused"].any() else set()

        with repeating(connect, 0.05):
            yield [Held(said, frozenset({"refused"}))]


@contextmanager
def a_peer_that_is_far() -> Iterator[list[Held]]:
    with _sent_over(link := Link(delay_ms=90), 8083, 100, 0.05):
        yield [_from_a(link, 8083, "long-path")]


@contextmanager
def a_peer_that_has_gone() -> Iterator[list[Held]]:
    with _sent_over(link := Link(delay_ms=5), 8083, 100, 0.05):
        time.sleep(0.5)
        link.cut()
        yield [_from_a(link, 8083, "silent")]


@contextmanager
def a_peer_that_never_answers() -> Iterator[list[Held]]:
    with Link(delay_ms=5) as link:
        link.cut()
        link.start(link.a, _CONNECT)
        yield [_from_a(link, 8084, "no-answer")]


WAYS: tuple[Callable[[], AbstractContextManager[list[Held]]], ...] = (
    a_path_that_loses_segments,
    a_full_queue_on_the_path,
    a_process_that_stops_reading,
    a_receiver_that_is_stopped,
    a_process_that_reads_slowly,
    an_answer_from_afar_that_is_slow,
    a_process_that_answers_slowly,
    nobody_who_accepts,
    a_queue_of_a_listener_that_is_full,
    a_port_that_refuses,
    a_peer_that_is_far,
    a_peer_that_has_gone,
    a_peer_that_never_answers,
)
"""All of them."""
