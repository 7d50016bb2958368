"""Rows held against what ``ss`` prints: every full socket, with the same numbers and the same process."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tcptop_rtt.model.rows import STATES, Holder, Rows
from tcptop_rtt.view import addresses
from tests.live.ss import printed, ss

Ends = tuple[str, str]

_OF_ONE_TOO_MANY = ("id", "open_seen", "scanned", "age_ns", "holder", "was_pid", "segs_in")


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


def differences(
    look: Callable[[], Rows], netns: int, prefix: tuple[str, ...] = ()
) -> tuple[int, dict[Ends, object]]:
    """How many sockets stayed the same from before a look until after it, and those told wrong.

    :param look: the rows of a scan that begins after the call
    :param netns: of which network namespace
    :param prefix: starts a command there
    """
    before = _ss(prefix)
    ours = _ours(look(), netns)
    after = _ss(prefix)
    still = [ends for ends, shown in before.items() if after.get(ends) == shown]
    wrong: dict[Ends, object] = {
        ends: (before[ends], _told(ours[ends]) if ends in ours else None)
        for ends in still
        if ends not in ours or not _agree(_told(ours[ends]), before[ends])
    }
    wrong |= {
        ends: ("not there", _told(row), {name: row[name] for name in _OF_ONE_TOO_MANY})
        for ends, row in ours.items()
        if ends not in before and ends not in after
    }
    return len(still), wrong


def _agree(told: Shown, shown: Shown) -> bool:
    # A row names one of several holders.
    return told[:5] == shown[:5] and (told.pids <= shown.pids) and bool(told.pids) == bool(shown.pids)


def check(look: Callable[[], Rows], netns: int, prefix: tuple[str, ...] = (), at_least: int = 2) -> None:
    """Fails if the rows are not as ``ss`` has them. What happens between ss and a look is no difference, so
    those count only that are wrong in each of ten looks: an RTT that goes to and fro between two values is
    wrong in some of them.
    """
    compared, wrong = differences(look, netns, prefix)
    for _ in range(9):
        if wrong:
            compared, now = differences(look, netns, prefix)
            wrong = {ends: now[ends] for ends in wrong if ends in now}
    assert not wrong, wrong
    assert compared >= at_least


def namespace_of(pid: int) -> int:
    """The network namespace of a process."""
    return os.stat(f"/proc/{pid}/ns/net").st_ino
