"""Counts failed connects by target: a row for each of them would bury all other rows."""

from __future__ import annotations

import errno

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.records import Direction, Kind
from tcptop_rtt.model.rows import CONNECT_ERRORS
from tcptop_rtt.model.targets import COUNTS, TARGET
from tcptop_rtt.tracking.located import Located
from tcptop_rtt.tracking.row_store import RowStore
from tcptop_rtt.tracking.side_tables import frozen
from tcptop_rtt.tracking.smoothing import EVENTS_OVER_S, LEAST_EVENTS_PER_S, newest_share

MOST = 4096
"""At most this many targets are kept, those with the latest failures."""
QUIET_NS = 10_000_000_000
"""After so long without a failure a target's rate is 0."""

_KEPT = np.dtype(
    [
        *TARGET.descr,
        ("latest_ns", "u8"),
        ("gained", "u4"),  # failures since the previous snapshot
        ("smoothed", "f8"),
        ("weight", "f8"),  # how much of ``smoothed`` was measured: the rest is the 0 that it began with
    ]
)
_KEY = ("netns", "raddr", "rport", "comm")


def _kinds() -> NDArray[np.uint8]:
    """For each error of a socket its kind of failure, as an index into CONNECT_ERRORS."""
    kinds = np.full(256, CONNECT_ERRORS.index("other"), np.uint8)
    kinds[0] = CONNECT_ERRORS.index("given-up")
    kinds[errno.EADDRNOTAVAIL] = CONNECT_ERRORS.index("no-port")
    kinds[errno.ECONNREFUSED] = CONNECT_ERRORS.index("refused")
    kinds[errno.ETIMEDOUT] = CONNECT_ERRORS.index("timed-out")
    for error in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.ENONET):
        kinds[error] = CONNECT_ERRORS.index("unreachable")
    return kinds


_KINDS = _kinds()


class Targets:
    """Sets ``connect_error`` of the rows, and keeps the targets in the order of their ids."""

    def __init__(self, store: RowStore, now_ns: int) -> None:
        self._store = store
        self._targets = np.zeros(0, _KEPT)
        self._updated_ns = now_ns

    def count(self, batch: Located) -> None:
        """Count the connects that have failed, by their records of kind CLOSE."""
        closed = batch.where(batch.kinds == Kind.CLOSE)
        if not len(closed):
            return
        # A handshake counts into bytes_acked, so 0 means that it failed. Only connects from here are counted.
        called = self._store["direction"][closed.rows] == Direction.OUT
        failed = closed.where((closed["bytes_acked"] == 0) & called)
        if len(failed):
            kinds = _KINDS[failed["error"]]
            self._store.set("connect_error", failed.rows, kinds)
            self._add(failed, kinds)

    def _add(self, failed: Located, kinds: NDArray[np.uint8]) -> None:
        rows = failed.rows
        ids = mixed(self._store[name][rows] for name in _KEY)
        different, place = np.unique(ids, return_inverse=True)
        latest = np.zeros(len(different), np.intp)
        latest[place] = np.arange(len(rows))  # if a target has several failures, the last one stays
        self._make_room_for(different, rows[latest])
        at = np.searchsorted(self._targets["id"], different)
        targets = self._targets[at]
        targets["pid"] = self._store["pid"][rows[latest]]
        targets["connect_error"], targets["latest_ns"] = kinds[latest], failed["time_ns"][latest]
        for kind, name in enumerate(COUNTS, 1):
            targets[name] += np.bincount(place, weights=kinds == kind, minlength=len(different)).astype("u4")
        gained = np.bincount(place, minlength=len(different)).astype(np.uint32)
        targets["count"] += gained
        targets["gained"] += gained
        self._targets[at] = targets
        self._forget_oldest()

    def _make_room_for(self, ids: NDArray[np.uint64], rows: NDArray[np.intp]) -> None:
        is_new = ~among(ids, self._targets["id"])
        fresh = np.zeros(np.count_nonzero(is_new), _KEPT)
        fresh["id"] = ids[is_new]
        for name in (*_KEY, "family"):
            fresh[name] = self._store[name][rows[is_new]]
        targets = np.concatenate([self._targets, fresh])
        self._targets = targets[np.argsort(targets["id"])]

    def _forget_oldest(self) -> None:
        if len(self._targets) > MOST:
            by_age = np.argsort(self._targets["latest_ns"], kind="stable")
            self._targets = self._targets[np.sort(by_age[-MOST:])]

    def freeze(self, now_ns: int) -> NDArray[np.void]:
        """All targets as they are now, read-only. Begins a new period for the rates."""
        targets, elapsed_s = self._targets, (now_ns - self._updated_ns) / 1e9
        if elapsed_s > 0:
            self._updated_ns = now_ns
            new = newest_share(elapsed_s, EVENTS_OVER_S)
            for name, value in (("smoothed", targets["gained"] / elapsed_s), ("weight", 1.0)):
                targets[name] += (value - targets[name]) * new
            targets["per_s"] = targets["smoothed"] / targets["weight"]
            over = (targets["per_s"] < LEAST_EVENTS_PER_S) | (targets["latest_ns"] + QUIET_NS < now_ns)
            for name in ("per_s", "smoothed", "weight"):
                targets[name][over] = 0  # the next failures begin a new average
            targets["gained"] = 0
        return frozen(targets, TARGET, "latest_ms", "latest_ns", now_ns)
