"""The word for what holds a connection up, of connections that really are held up by it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np

from tcptop_rtt.model.rows import Rows
from tcptop_rtt.view import causes
from tests.live.conftest import Watch
from tests.live.link import Link, sending, taking
from tests.live.pairs import Pair, connected, fill, port_of, repeating, round_trip

PATIENCE_S = 60.0
HEALTHY = 200
HEALTHY_S = 60.0

_CONNECT = """
import socket
print("ready", flush=True)
socket.create_connection(("10.199.0.2", 8084))
"""


def _words(rows: Rows, which: np.ndarray) -> set[str | None]:
    return {causes.NAMES[number] for number in causes.verdicts(rows.__getitem__)[which]}


def _wait_for_word(watch: Watch, which: Callable[[Rows], np.ndarray], *words: str) -> None:
    """One of them, sooner or later: a busy machine may hold it up in another way, too."""
    seen: set[str | None] = set()
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        rows = watch.look().rows
        seen = _words(rows, which(rows))
        if seen & set(words):
            return
        time.sleep(0.2)
    raise AssertionError(f"no {words}: {seen}")


def _of(pair: Pair, end: int) -> Callable[[Rows], np.ndarray]:
    lport, rport = port_of(pair[end]), port_of(pair[1 - end])
    return lambda rows: (rows["lport"] == lport) & (rows["rport"] == rport)


def _toward(link: Link, port: int) -> Callable[[Rows], np.ndarray]:
    def which(rows: Rows) -> np.ndarray:
        inside = np.isin(rows["netns"], list(link.namespaces))
        found: np.ndarray = inside & (rows["rport"] == port) & ~rows["closed"]
        return found

    return which


@contextlib.contextmanager
def _far(delay_ms: float) -> Iterator[Link]:
    with Link(delay_ms=delay_ms) as link:
        link.start(link.b, taking(8083))
        link.start(link.a, sending(8083, 100, 0.05))
        yield link


def test_a_process_that_stops_reading_and_its_peer_that_has_to_wait(watch: Watch) -> None:
    with connected() as pair:
        fill(pair[0])
        _wait_for_word(watch, _of(pair, 1), "not-reading")
        _wait_for_word(watch, _of(pair, 0), "peer-not-reading", "window-closed", "peer-slow")


def test_a_process_that_reads_too_slowly_holds_up_its_peer(watch: Watch) -> None:
    def read_some() -> None:
        server.recv(65_536)

    with connected() as (client, server):
        client.setblocking(False)

        def write_all() -> None:
            with contextlib.suppress(BlockingIOError):
                client.send(bytes(1 << 20))

        watch.look()
        with repeating(write_all, 0.001), repeating(read_some, 0.02):
            _wait_for_word(watch, _of((client, server), 0), "peer-slow")


def test_a_full_queue_on_the_path_is_the_networks(watch: Watch) -> None:
    with Link(delay_ms=2, bytes_per_s=1_000_000) as link:
        link.start(link.b, taking(8085))
        link.start(link.a, sending(8085, 65_536, 0))
        _wait_for_word(watch, _toward(link, 8085), "queue")


def test_a_connection_that_nobody_accepts(watch: Watch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            own = port_of(client)
            _wait_for_word(watch, lambda rows: (rows["lport"] == port) & (rows["rport"] == own), "backlog")


def test_a_process_that_takes_its_time_to_answer_and_its_peer_that_has_to_wait(watch: Watch) -> None:
    def ask_and_answer() -> None:
        client, server = pair
        client.sendall(b"x")
        server.recv(1)
        time.sleep(0.2)
        server.sendall(b"x")
        client.recv(1)

    with connected() as pair:
        watch.look()
        with repeating(ask_and_answer, 0.01):
            _wait_for_word(watch, _of(pair, 0), "answers")
            _wait_for_word(watch, _of(pair, 1), "we-answer")


def test_a_far_peer_is_far_and_nothing_else(watch: Watch) -> None:
    with _far(delay_ms=90) as link:
        _wait_for_word(watch, _toward(link, 8083), "long-path")


def test_a_peer_that_has_gone_is_silent(watch: Watch) -> None:
    with _far(delay_ms=5) as link:
        time.sleep(0.5)
        link.cut()
        _wait_for_word(watch, _toward(link, 8083), "silent")


def test_a_peer_that_does_not_answer_at_all(watch: Watch) -> None:
    with Link(delay_ms=5) as link:
        link.cut()
        link.start(link.a, _CONNECT)
        _wait_for_word(watch, _toward(link, 8084), "no-answer")


def test_there_is_no_word_for_what_is_healthy(watch: Watch) -> None:
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(connected()) for _ in range(HEALTHY // 2)]
        ports = [port_of(end) for pair in pairs for end in pair]
        told: dict[str | None, int] = {}
        looks = 0
        began_s = time.monotonic()
        while time.monotonic() < began_s + HEALTHY_S:
            for pair in pairs:
                round_trip(pair)
            rows = watch.look().rows
            ours = np.isin(rows["lport"], ports) & np.isin(rows["rport"], ports)
            assert np.count_nonzero(ours) == HEALTHY
            for number in causes.verdicts(rows.__getitem__)[ours].tolist():
                told[causes.NAMES[number]] = told.get(causes.NAMES[number], 0) + 1
            looks += 1
    # A busy machine may hold one up now and then, and then the word is right.
    told.pop(None)
    told.pop("lag", None)
    assert looks > 1
    assert sum(told.values()) <= 0.01 * HEALTHY * looks, told
