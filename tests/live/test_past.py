"""Back in time over real sockets: a peer that stops reading, before and after, and the moment between."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.past.frames import Past
from tcptop_rtt.past.recorder import Recorder
from tcptop_rtt.past.side_signs import OVERFLOW
from tcptop_rtt.past.signs import STOPS
from tcptop_rtt.view import causes
from tests.live.conftest import Watch
from tests.live.pairs import connected, fill, overflowing, port_of, talking
from tests.live.terminal import Terminals
from tests.ports import free_port, serve
from tests.waiting import ENOUGH_S, becomes

MOVE_S = 5.0
"""How long a cursor may take to move, if it does."""
STOPPED = {"peer-not-reading", "window-closed", "peer-slow"}

Ports = tuple[int, int]

# Sends and answers until it is told to stop reading; then it only sends.
_STOPPING = """
import socket, sys, threading, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
print(client.getsockname()[1], server.getsockname()[1], flush=True)
reads = True
def wait():
    global reads
    sys.stdin.readline()
    reads = False
threading.Thread(target=wait, daemon=True).start()
while True:
    if reads:
        client.send(b"x")
        server.recv(1)
        time.sleep(0.02)
    else:
        client.send(bytes(65_536))
"""


def _words(snapshot: Snapshot, ports: Ports) -> set[str | None]:
    """Of the connection from the first of these ports, as long as it is open."""
    rows = snapshot.rows
    ours = (rows["lport"] == ports[0]) & (rows["rport"] == ports[1]) & ~rows["closed"]
    return {causes.NAMES[number] for number in causes.verdicts(rows.__getitem__)[ours].tolist()}


def _keep_until(
    watch: Watch, recorder: Recorder, condition: Callable[[Snapshot], bool]
) -> tuple[Snapshot, Past]:
    deadline = time.monotonic() + ENOUGH_S
    while time.monotonic() < deadline:
        time.sleep(1.0)
        snapshot = watch.look()
        past = recorder.add(snapshot)
        if past.frames[-1].clock_ns == snapshot.clock_ns and condition(snapshot):
            return snapshot, past
    raise AssertionError("it has never come to that")


def test_a_connection_before_it_stopped_while_it_stands_and_after_it_has_gone(watch: Watch) -> None:
    recorder = Recorder()
    with connected() as pair:
        ports = port_of(pair[0]), port_of(pair[1])
        with talking(pair):
            before, _ = _keep_until(watch, recorder, lambda now: _words(now, ports) == {None})
        fill(pair[0])
        stopped, _ = _keep_until(watch, recorder, lambda now: bool(_words(now, ports) & STOPPED))
        _keep_until(watch, recorder, lambda _: True)
    _, past = _keep_until(watch, recorder, lambda now: not _words(now, ports))
    for snapshot in (stopped, before, stopped):
        number = past.index(snapshot.clock_ns)
        assert number is not None
        then = past.visit(number).snapshot
        assert _words(then, ports) == _words(snapshot, ports)
        for name in ("id", "comm", "srtt_us", "notsent_bytes", "age_ns", "rtt_age_ms"):
            assert np.array_equal(then.rows[name], snapshot.rows[name]), name
        assert all(map(np.array_equal, then.cells_us, snapshot.cells_us, [True] * len(then.cells_us)))
    told = [
        moment
        for moment in past.moments
        if moment.kind == STOPS and {moment.row.lport, moment.row.rport} == set(ports)
    ]
    # Each end has stopped once: one does not read, the other may not send.
    assert len(told) == len({moment.row.id for moment in told}) <= 2
    assert any(before.clock_ns < moment.clock_ns <= stopped.clock_ns for moment in told)


def test_a_refused_connection_is_a_moment(watch: Watch) -> None:
    recorder = Recorder()
    port = free_port()
    _keep_until(watch, recorder, lambda _: True)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    _, past = _keep_until(watch, recorder, lambda now: bool((now.targets["rport"] == port).any()))
    told = [moment for moment in past.moments if moment.row.rport == port]
    assert [(moment.words, moment.count) for moment in told] == [("refused", 3)]


def test_a_full_accept_queue_is_a_moment(watch: Watch) -> None:
    recorder = Recorder()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(serve(backlog=1))
        _keep_until(watch, recorder, lambda _: True)
        stack.enter_context(overflowing(listener, 8))
        port = listener.getsockname()[1]

        def is_told(_: Snapshot) -> bool:
            return any(
                (moment.kind, moment.row.rport) == (OVERFLOW, port) for moment in recorder.past.moments
            )

        _keep_until(watch, recorder, is_told)


def test_the_dashboard_goes_back_to_before_and_after_it_stopped(terminals: Terminals) -> None:
    terminal = terminals()
    with subprocess.Popen(
        [sys.executable, "-c", _STOPPING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            client, server = process.stdout.readline().split()
            peer = f"127.0.0.1:{server}"
            terminal.start()
            terminal.filter(f"lport:{client} rport:{server}")
            terminal.wait_for(f" {peer} ", "ms")
            time.sleep(3)  # a past to go to
            process.stdin.write("\n")
            process.stdin.flush()
            terminal.wait_for(f" {peer} ", "peer not reading")
        finally:
            process.kill()
    # There may be others that the filter hides, or none.
    terminal.wait_for("no ", "connection ")
    terminal.press("m")
    terminal.wait_for("WHAT")

    def is_marked() -> bool:
        """Others have moments, too: go on to ours."""
        marked = terminal.line_with("▸ ")
        if "not reading" in marked and peer in marked:
            return True
        terminal.press("Down")
        becomes(lambda: terminal.line_with("▸ ") != marked, MOVE_S)
        return False

    terminal.expect(is_marked, "the cursor on its moment")
    terminal.press("Enter")
    terminal.wait_for(" PAST ", " ago ")
    terminal.wait_for(f" {peer} ", "peer not reading")

    def is_well() -> bool:
        """A busy machine may have held it up for longer before: step until it was not."""
        row = terminal.line_with(f" {peer} ")
        terminal.press("Left")
        return bool(row) and "not reading" not in row and "ms" in row

    terminal.expect(is_well, "the connection before it stopped")
    terminal.press("h")
    terminal.expect(lambda: not terminal.line_with(" PAST "), "the present")
    terminal.wait_for("no ", "connection ")
    terminal.press("q")
    terminal.check_restored()
