"""Snapshots in which everything changes, and all that one says, to be compared with another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import ROW, Holder
from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, Origin, Snapshot, Waiting
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.streamed import CONNECTION_COLUMNS, LISTENER_COLUMNS, TARGET_COLUMNS, Kind
from tests.unit.fake import START_NS, WALL_NS
from tests.unit.rows import columns_of, listener, listeners_of, row, rows_of, target, targets_of

ORIGIN = Origin("web1", "6.1.0", "fentry", 1)
LACKING = frozenset({"rcv_wnd_bytes"})


class World:
    """Connections that come, go and change in every field, as chance has it."""

    def __init__(self, seed: int, clock_ns: int = START_NS) -> None:
        self._chance = np.random.default_rng(seed)
        self._clock_ns = clock_ns
        self._rows = np.zeros(0, ROW)
        self._cells: dict[int, NDArray[np.float32]] = {}
        self._ids = 0

    def step(self) -> Snapshot:
        chance = self._chance
        elapsed_ns = int(chance.integers(100_000_000, 3_000_000_000))
        before_ms, self._clock_ns = self._clock_ns // 1_000_000, self._clock_ns + elapsed_ns
        elapsed_ms = self._clock_ns // 1_000_000 - before_ms
        stays = chance.random(len(self._rows)) < 0.95
        rows = self._rows[stays]
        rows["rtt_samples"] = 0
        rows["age_ns"][~rows["closed"]] += np.uint64(elapsed_ns)
        for name in ("rtt_age_ms", "peak_age_ms"):
            known = rows[name] != 0xFFFFFFFF
            rows[name][known] += np.uint32(elapsed_ms)
        for name in ("last_sent_ms", "last_received_ms", "last_ack_ms"):
            rows[name] += (elapsed_ms + chance.integers(-1, 2, len(rows)) * 4).astype(np.uint32)
        for name in ROW.names or ():
            # What holds either end up is made of two rows, for tables only; a host has a name.
            if ROW[name].kind in "uf" and name not in (
                "id", "host", "state", "family", "direction", "age_ns", "both_why"
            ):  # fmt: skip
                some = chance.random(len(rows)) < 0.1
                most = {"holder": 5, "connect_error": 6}.get(name, 200)
                rows[name][some] = chance.integers(0, most, int(some.sum()))
        for name in ROW.names or ():
            if name.endswith("_1m"):
                rows[name][rows["window_ms"] == 0] = 0
        for total, count in (("answer_sum_us_1m", "answers_1m"), ("reply_sum_us_1m", "replies_1m")):
            rows[total][rows[count] == 0] = 0
        rows["scanned"] |= chance.random(len(rows)) < 0.3
        closing = ~rows["closed"] & (chance.random(len(rows)) < 0.05)
        rows["closed"][closing], rows["state"][closing] = True, 7
        fresh = [self._new() for _ in range(int(chance.integers(0, 6)))]
        made = rows_of(*fresh)[:] if fresh else np.zeros(0, ROW)
        together = np.concatenate([rows, made])
        order = chance.permutation(len(together))
        self._rows = together[order]
        self._move_cells(stays, len(made), order)
        self._rows.flags.writeable = False
        snapshot = self._snapshot()
        self._rows = self._rows.copy()
        return snapshot

    def _new(self) -> dict[str, Any]:
        self._ids += 1
        text = self._chance.choice(["nginx", "wäsche", "\udcff", "", "[red]\x1b[31m"])
        family = int(self._chance.choice([4, 6]))
        made = row(
            self._ids, comm=text.encode("utf-8", "surrogateescape"), scanned=False, rtt_age_ms=0xFFFFFFFF,
            ssthresh=0x7FFFFFFF, ifindex=int(self._chance.integers(0, 3)), holder=Holder.PROCESS,
        )  # fmt: skip
        ends = {"laddr": "2001:db8::1", "raddr": "fe80::2", "interface": b"eth0"} if family == 6 else {}
        return made | {"family": family} | ends

    def _move_cells(self, stays: NDArray[np.bool_], more: int, order: NDArray[np.intp]) -> None:
        nan = np.float32(np.nan)
        newest = self._clock_ns // 1_000_000_000
        for second in range(newest - SPARK_CELLS + 1, newest + 1):
            cells = self._cells.get(second, np.full(len(stays), nan))
            self._cells[second] = np.concatenate([cells[stays], np.full(more, nan)])[order]
        for second in (newest - 1, newest):
            some = self._chance.random(len(order)) < 0.2
            self._cells[second][some] = self._chance.integers(1, 5_000_000, int(some.sum()))
        self._cells = {
            second: cells for second, cells in self._cells.items() if second > newest - SPARK_CELLS
        }

    def _snapshot(self) -> Snapshot:
        clock_ns, chance = self._clock_ns, self._chance
        targets = targets_of(*(target(id_, raddr="203.0.113.9") for id_ in (1 << 63, 5)))
        targets["count"], targets["per_s"] = chance.integers(1, 3, 2), chance.random(2)
        targets["latest_ms"] = clock_ns // 1_000_000 % 10_000
        listeners = [
            listener(
                number, read_ms=int(chance.integers(0, 9)), drops_per_s=float(chance.choice([np.nan, 0.5]))
            )
            for number in range(1, int(chance.integers(2, 5)))
        ]
        health = Health("fentry", cpu_percent=float(chance.random()), lacking=LACKING, samples_per_s=1.5)
        cells = tuple(self._cells[second].copy() for second in sorted(self._cells))
        return Snapshot(
            WALL_NS + clock_ns - START_NS, clock_ns, columns_of(self._rows), cells, health, None,
            self._waiting(), targets, listeners_of(*listeners),
        )  # fmt: skip

    def _waiting(self) -> tuple[Waiting, ...]:
        """Of network namespaces, which come and go."""
        there = (number for number in (7, 8, 9) if self._chance.random() < 0.7)
        return tuple(Waiting(number, *self._chance.integers(0, 3, 2).tolist()) for number in there)


def told(snapshot: Snapshot) -> dict[str, Any]:
    """All that a snapshot says, in the order of ids; what is not known is nothing, whatever stands there."""
    found: dict[str, Any] = {"time": (snapshot.time_ns, snapshot.clock_ns)}
    found["waiting"] = {one for one in snapshot.waiting if one.time_wait or one.syn_recv}
    found["health"] = snapshot.health
    tables = {"connections": snapshot.rows, "listeners": snapshot.listeners, "targets": snapshot.targets}
    for kind in (CONNECTION_COLUMNS, LISTENER_COLUMNS, TARGET_COLUMNS):
        found[kind.name] = _values(kind, tables[kind.name], snapshot)
    order = np.argsort(snapshot.rows["id"])
    found["cells"] = [np.nan_to_num(cells[order]).tolist() for cells in snapshot.cells_us]
    found["closed"] = snapshot.rows["closed"][order].tolist()
    return found


def _values(kind: Kind, rows: Any, snapshot: Snapshot) -> dict[str, Any]:
    order = np.argsort(rows["id"])
    fields = CONNECTIONS.fields if kind is CONNECTION_COLUMNS else kind.fields
    return {
        field.name: list(field.values(lambda name: rows[name][order], snapshot.health.lacking))
        for field in fields
    }
