"""Every full socket that ss lists has a row with the same numbers and the same process, whatever holds it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np

from tcptop_rtt.model.rows import STATES, Holder, Rows
from tcptop_rtt.view import addresses
from tests.live.conftest import Watch
from tests.live.link import Link, inside
from tests.live.odd_sockets import FILL_AND_LEAVE, LEAVE_NO_WHOLE_SOCKETS, NEVER_ACCEPT, mptcp
from tests.live.pairs import connected, port_of, repeating
from tests.live.ss import printed, ss

CHURN_PAUSE_S = 0.002

Ends = tuple[str, str]


class Shown(NamedTuple):
    """What ss prints of a socket."""

    state: str
    recv_q: int
    send_q: int
    srtt_us: int
    retrans: int
    pids: frozenset[int]


def _ss(prefix: tuple[str, ...] = ()) -> dict[Ends, Shown]:
    """All full sockets of a network namespace that are no listeners."""
    found = {}
    states = ("state", "connected", "exclude", "time-wait", "exclude", "syn-recv")
    for line in ss("-tinpHO", *states, before=prefix):
        state, recv_q, send_q, local, remote, *rest = line.split(maxsplit=5)
        details = rest[0] if rest else ""
        if state == "FIN-WAIT-2" and "cwnd:" not in details:
            continue  # no whole socket: what was closed waits in TIME-WAIT's structure (tcp_time_wait())
        found[_plain(local), _plain(remote)] = Shown(
            state,
            int(recv_q),
            int(send_q),
            printed("srtt_us", details) or 0,
            printed("retrans", details) or 0,
            frozenset(map(int, re.findall(r"pid=(\d+)", details))),
        )
    return found


def _plain(endpoint: str) -> str:
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]").removeprefix("::ffff:").partition("%")[0]
    return f"{host}:{port}"


def _ours(rows: Rows, netns: int) -> dict[Ends, np.void]:
    """The open rows of a network namespace."""
    found = {}
    for row in rows[(rows["netns"] == netns) & ~rows["closed"]]:
        hosts = (addresses.address(int(row["family"]), row[name].tobytes()) for name in ("laddr", "raddr"))
        local, remote = hosts
        found[f"{local}:{row['lport']}", f"{remote}:{row['rport']}"] = row
    return found


def _told(row: np.void) -> Shown:
    pid = int(row["pid"]) if row["holder"] != Holder.LISTENER else 0
    return Shown(
        STATES[row["state"]],
        int(row["recv_q_bytes"]),
        int(row["notsent_bytes"]) + int(row["unacked_bytes"]),
        int(row["srtt_us"]),
        int(row["retrans"]),
        frozenset({pid} if pid else ()),
    )


def _differences(watch: Watch, netns: int, prefix: tuple[str, ...]) -> tuple[int, list[object]]:
    """How many sockets stayed the same from before a look until after it, and those told wrong."""
    before = _ss(prefix)
    ours = _ours(watch.look().rows, netns)
    after = _ss(prefix)
    still = [ends for ends, shown in before.items() if after.get(ends) == shown]
    wrong: list[object] = [
        (ends, before[ends], ours.get(ends))
        for ends in still
        if ends not in ours or not _agree(_told(ours[ends]), before[ends])
    ]
    wrong += [("too many", ends) for ends in ours if ends not in before and ends not in after]
    return len(still), wrong


def _agree(told: Shown, shown: Shown) -> bool:
    # A row names one of several holders.
    return told[:5] == shown[:5] and (told.pids <= shown.pids) and bool(told.pids) == bool(shown.pids)


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
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        with _process(FILL_AND_LEAVE, str(port_of(listener))):
            opened.enter_context(listener.accept()[0])
        # Closed first: one whose peer has not closed waits outside of any whole socket.
        client, _ = opened.enter_context(connected())
        client.close()
        # A backlog that nobody accepts, here and in another namespace.
        backlog = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(3):
            opened.enter_context(socket.create_connection(backlog.getsockname())).sendall(b"request")
        link.start(link.a, LEAVE_NO_WHOLE_SOCKETS)
        holder = link.run(link.b, sys.executable, "-c", NEVER_ACCEPT)
        assert holder.stdout
        holder.stdout.readline()
        places: list[tuple[int, tuple[str, ...]]] = [
            (_netns(os.getpid()), ()),
            (_netns(link.b.pid), inside(link.b.pid)),
        ]
        opened.enter_context(repeating(_come_and_go, CHURN_PAUSE_S))
        for netns, prefix in places * 3:
            for _ in range(5):  # what happens between ss and the look is no difference
                compared, wrong = _differences(watch, netns, prefix)
                if not wrong:
                    break
            assert wrong == []
            assert compared >= (15 if not prefix else 2)


def _netns(pid: int) -> int:
    return os.stat(f"/proc/{pid}/ns/net").st_ino
