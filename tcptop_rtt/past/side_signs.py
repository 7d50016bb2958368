"""What is of note about listeners and failed connects from one snapshot to the next."""

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
"""Of so many targets, and so many listeners, it is told at a time."""


class SideNews(NamedTuple):
    """Something about a row that is no connection."""

    table: str  # the name of its kind of rows
    kind: str
    id: int
    gained: int  # of what has happened since the snapshot before
    words: str
    row: np.void  # as a row of ROW: whose it is, and the endpoint as the remote one


def side_news(before: Snapshot, now: Snapshot) -> list[SideNews]:
    """What has happened in between, the most frequent first."""
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
    count[at < 0] = 0  # what a listener has dropped before it was first read is no news
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
    """Where something has happened, and most often."""
    largest: list[int] = np.argsort(-count, kind="stable")[:FEW].tolist()
    return [at for at in largest if count[at] > 0]


def _as_row(one: np.void, address: str, port: str) -> np.void:
    row = np.zeros(1, ROW)
    for name in ("family", "comm", "pid", "netns"):
        row[name] = one[name]
    row["raddr"], row["rport"] = one[address], one[port]
    first: np.void = row[0]
    return first
