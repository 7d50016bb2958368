"""What bad connections share, told from real ones: only those to one network have peers that do not read."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tcptop_rtt.model.rows import Rows, fields_of
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.common import Common, compare
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.listing import matching
from tcptop_rtt.view.meanings import BAD, Judged
from tests.live.conftest import Watch
from tests.live.pairs import fill
from tests.live.terminal import Terminals
from tests.waiting import ENOUGH_S

GOOD, BAD_ONES, LATER = 150, 24, 30
MOST_LINES = 48
"""A screen has no more."""

# Bound to the loopback interface, it takes connections to each of its addresses, and nobody else's.
_TAKE = """
import socket
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
listener.bind(("0.0.0.0", 0))
listener.listen(500)
print(listener.getsockname()[1], flush=True)
taken = []
while True:
    taken.append(listener.accept())
"""


class Clients:
    """Connections of this process to a server that accepts and does not read."""

    def __init__(self, stack: contextlib.ExitStack, port: int) -> None:
        self._stack = stack
        self._port = port

    def connect(self, host: str) -> socket.socket:
        return self._stack.enter_context(socket.create_connection((host, self._port)))

    def fill(self, host: str) -> None:
        """Send until the peer's window is closed, and our own buffer is full."""
        fill(self.connect(host))


@pytest.fixture
def clients() -> Iterator[Clients]:
    with (
        subprocess.Popen([sys.executable, "-c", _TAKE], stdout=subprocess.PIPE, text=True) as server,
        contextlib.ExitStack() as stack,
    ):
        assert server.stdout
        clients = Clients(stack, int(server.stdout.readline()))
        try:
            for number in range(GOOD):
                clients.connect(f"127.{1 + number % 60}.{number % 9}.{1 + number}")
            for number in range(BAD_ONES):
                clients.fill(f"127.77.7.{1 + number // 2}")
            yield clients
        finally:
            server.kill()


def _common(snapshot: Snapshot) -> Common:
    listed = matching(snapshot, Filter(pid=os.getpid()), None)
    get = fields_of(snapshot.rows, listed)
    bad, good = BAD.ask(Judged(get, frozenset()))
    return compare(fields_of(snapshot.rows, listed[bad | good]), bad[bad | good])


def _toward(rows: Rows, prefix: bytes) -> int:
    ours = rows["raddr"][rows["pid"] == os.getpid()]
    return sum(address.tobytes()[12:].startswith(prefix) for address in ours)


def test_the_network_whose_peers_do_not_read_is_named_with_its_counts(watch: Watch, clients: Clients) -> None:
    clients.connect("127.77.7.99")  # a healthy one goes there, too
    deadline = time.monotonic() + ENOUGH_S
    common = Common(0, 0)
    while common.bad < BAD_ONES and time.monotonic() < deadline:
        time.sleep(0.2)
        snapshot = watch.look()
        common = _common(snapshot)
    share = common.shares[0]
    assert share.said.does == "go to 127.77.7.0/24"
    assert share.said.filter == "remote:127.77.7.0/24"
    assert (share.shared, share.members) == (BAD_ONES, BAD_ONES + 1)
    assert share.members == _toward(snapshot.rows, bytes([127, 77, 7]))
    assert common.total == GOOD + BAD_ONES + 1
    assert common.bad >= BAD_ONES  # a busy machine may hold others up now and then
    assert not [other for other in common.shares if "port" in other.said.does]  # all of them share that


def test_one_key_says_it_and_enter_shows_them(terminals: Terminals, clients: Clients) -> None:
    terminal = terminals((160, 48))
    terminal.start(f"--pid {os.getpid()}")
    terminal.press("c")
    line = terminal.wait_for("bad ones go to 127.77.7.0/24")
    terminal.expect(
        lambda: terminal.line_with(f" {BAD_ONES} of ", "bad ones go to 127.77.7.0/24; 14% of all do") != "",
        "all of them",
    )
    assert line.startswith("▸")
    for number in range(LATER):
        clients.fill(f"127.88.8.{1 + number}")
    terminal.wait_for(f"{LATER} of ", "bad ones go to 127.88.8.0/24")
    terminal.expect(
        lambda: bool(re.search(rf"\b{BAD_ONES} of \d+ bad ones go to 127\.77\.7\.0/24", terminal.text)),
        "both",
    )
    for _ in range(MOST_LINES):
        if "127.77.7.0/24" in terminal.marked():
            break
        terminal.wait_for_change("Down")
    assert "127.77.7.0/24" in terminal.marked()
    terminal.press("Enter")
    terminal.wait_for(f" {BAD_ONES} of ", " connections")
    terminal.wait_for('filter "remote:127.77.7.0/24"')
    assert "peer not reading" in terminal.marked() or "window" in terminal.marked()
    terminal.press("c")
    terminal.wait_for("nothing to compare with: it is true of all 24")
    terminal.press("q")
    terminal.wait_for("PROCESS")
    terminal.press("q")
    terminal.check_restored()
