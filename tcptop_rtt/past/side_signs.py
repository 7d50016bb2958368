"""Finds what is of note about listeners and failed connects between two snapshots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import gained, matched
from tcptop_rtt.model.listeners import is_full
from tcptop_rtt.model.rows import ROW
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.cause_words import way_to_fail
from tcptop_rtt.view.listener_list import LISTENERS
from tcptop_rtt.view.target_list import TARGETS

CONNECT, OVERFLOW = "connect", "overflow"
FEW = 5
"""At most so many targets, and so many listeners, are reported per snapshot."""


class SideNews(NamedTuple):
    """What has happened at a listener, or when connecting to a target."""

    table: str  # the name of the row's table
    kind: str
    id: int
    gained: int  # how often it has happened since the previous snapshot
    words: str
    row: np.void  # of dtype ROW: the process, and the endpoint as the remote one


def side_news(before: Snapshot, now: Snapshot) -> list[SideNews]:
    """Returns what has happened between two snapshots, the most frequent first."""
    found = [*_failed(before, now), *_overflowed(before, now)]
    return sorted(found, key=lambda news: -news.gained)


def _failed(before: Snapshot, now: Snapshot) -> list[SideNews]:
    targets = now.targets
    count = gained(before.targets, targets, "count", matched(before.targets["id"], targets["id"]))
    return [
        SideNews(
            TARGETS.name,
            CONNECT,
            int(targets["id"][at]),
            int(count[at]),
            way_to_fail(int(targets["connect_error"][at])),
            _as_row(targets[at], "raddr", "rport"),
        )
        for at in _largest(count)
    ]


def _overflowed(before: Snapshot, now: Snapshot) -> list[SideNews]:
    listeners = now.listeners
    at, full = matched(before.listeners["id"], listeners["id"]), is_full(listeners.__getitem__)
    count = gained(before.listeners, listeners, "drops", at)
    count[at < 0] = 0  # drops from before the listener was first read are not new
    return [
        SideNews(
            LISTENERS.name,
            OVERFLOW,
            int(listeners["id"][at]),
            int(count[at]),
            "queue full, drops" if full[at] else "drops",
            _as_row(listeners[at], "laddr", "lport"),
        )
        for at in _largest(count)
    ]


def _largest(count: NDArray[np.int64]) -> list[int]:
    """Returns the indices of the largest counts above 0, largest first."""
    largest: list[int] = np.argsort(-count, kind="stable")[:FEW].tolist()
    return [at for at in largest if count[at] > 0]


def _as_row(one: np.void, address: str, port: str) -> np.void:
    row = np.zeros(1, ROW)
    for name in ("family", "comm", "pid", "netns"):
        row[name] = one[name]
    row["raddr"], row["rport"] = one[address], one[port]
    first: np.void = row[0]
    return first
