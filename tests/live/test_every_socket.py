"""Every full socket that ss lists has a row with the same numbers and the same process, whatever holds it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.live import compared
from tests.live.conftest import Watch
from tests.live.link import Link, inside
from tests.live.odd_sockets import FILL_AND_LEAVE, LEAVE_NO_WHOLE_SOCKETS, NEVER_ACCEPT, mptcp
from tests.live.pairs import connected, port_of, repeating
from tests.ports import serve

CHURN_PAUSE_S = 0.002


@contextmanager
def _process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def _come_and_go() -> None:
    with connected():
        pass


def test_ss_and_the_rows_agree_on_sockets_of_all_kinds_while_others_come_and_go(watch: Watch) -> None:
    with ExitStack() as opened, Link(delay_ms=1) as link:
        for _ in range(3):
            opened.enter_context(connected())
        opened.enter_context(connected("::1", socket.AF_INET6))
        opened.enter_context(mptcp())
        # One that is on its way to another process, which has not taken it.
        here, there = socket.socketpair()
        _, server = opened.enter_context(connected())
        opened.enter_context(here)
        opened.enter_context(there)
        socket.send_fds(here, [b"x"], [server.fileno()])
        server.close()
        # An orphan, in the end.
        listener = opened.enter_context(serve())
        with _process(FILL_AND_LEAVE, str(port_of(listener))):
            opened.enter_context(listener.accept()[0])
        # Closed first: one whose peer has not closed waits outside of any whole socket.
        client, _ = opened.enter_context(connected())
        client.close()
        # A backlog that nobody accepts, here and in another namespace.
        backlog = opened.enter_context(serve())
        for _ in range(3):
            opened.enter_context(socket.create_connection(backlog.getsockname())).sendall(b"request")
        link.start(link.a, LEAVE_NO_WHOLE_SOCKETS)
        holder = link.run(link.b, sys.executable, "-c", NEVER_ACCEPT)
        assert holder.stdout
        holder.stdout.readline()
        places: list[tuple[int, tuple[str, ...]]] = [
            (compared.namespace_of(os.getpid()), ()),
            (compared.namespace_of(link.b.pid), inside(link.b.pid)),
        ]
        opened.enter_context(repeating(_come_and_go, CHURN_PAUSE_S))
        for netns, prefix in places * 3:
            compared.check(lambda: watch.look().rows, netns, prefix, at_least=2 if prefix else 15)
