"""Snapshots of connections that come and go, each with an RTT, a loss and a rate of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tcptop_rtt.model.rows import ROW
from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, Snapshot
from tests.unit.fake import START_NS, WALL_NS
from tests.unit.rows import address, columns_of

STEP_NS = 1_000_000_000


class Traffic:
    """Connections to some servers, and chance.

    :param seed: another one makes other connections of the same kind
    :param rtt_ms: in the middle
    :param loss: share of the data segments
    :param servers: of each its address and port
    :param stays: the chance that a connection is there in the next second
    :param spread: of connections' RTTs among each other, on the log scale
    """

    def __init__(
        self,
        seed: int,
        rtt_ms: float = 20.0,
        loss: float = 0.01,
        connections: int = 20,
        servers: tuple[tuple[str, int], ...] = (("198.51.100.7", 5432),),
        stays: float = 0.95,
        spread: float = 0.2,
        bps: float = 1e6,
    ) -> None:
        self._chance = np.random.default_rng(seed)
        self._rtt_ms, self._loss, self._stays, self._spread = rtt_ms, loss, stays, spread
        self._connections, self._servers, self._bps = connections, servers, bps
        self._rows = np.zeros(0, ROW)
        self._own: np.ndarray[Any, Any] = np.zeros((0, 2))  # RTT in ms and rate in bit/s of each
        self._ids = 0
        self._fill()
        self._rows["open_seen"] = False

    def snapshots(self, seconds: int, start_s: int = 0) -> Iterator[Snapshot]:
        """One a second."""
        for step in range(start_s, start_s + seconds):
            self._step()
            time_ns = step * STEP_NS
            rows = columns_of(self._rows.copy())
            cells = (np.full(len(rows), np.nan, np.float32),) * SPARK_CELLS
            yield Snapshot(WALL_NS + time_ns, START_NS + time_ns, rows, cells, Health(), None)

    def change(self, **to: float) -> None:
        """From now on it is otherwise: ``rtt_ms``, ``loss``; connections that there are change with it."""
        for name, value in to.items():
            if name == "rtt_ms":
                self._own[:, 0] *= value / self._rtt_ms
            setattr(self, f"_{name}", value)

    def _fill(self) -> None:
        """Open as many as are missing."""
        count = self._connections - len(self._rows)
        if count <= 0:
            return
        rows = np.zeros(count, ROW)
        rows["id"] = np.arange(self._ids + 1, self._ids + count + 1)
        self._ids += count
        chosen = self._chance.integers(0, len(self._servers), count)
        for at, server in enumerate(chosen.tolist()):
            rows["raddr"][at] = np.void(address(self._servers[server][0]))
            rows["rport"][at] = self._servers[server][1]
        rows["laddr"] = np.void(address("192.0.2.1"))
        rows["lport"] = self._chance.integers(32768, 61000, count)
        for name, value in (("family", 4), ("state", 1), ("direction", 1), ("open_seen", 1), ("scanned", 1)):
            rows[name] = value
        rows["comm"] = b"app"
        rtts = self._rtt_ms * np.exp(self._chance.normal(0, self._spread, count))
        rates = self._bps * np.exp(self._chance.normal(0, 0.5, count))
        self._rows = np.concatenate([self._rows, rows])
        self._own = np.concatenate([self._own, np.stack([rtts, rates], axis=1)])

    def _step(self) -> None:
        chance = self._chance
        stay = chance.random(len(self._rows)) < self._stays
        self._rows, self._own = self._rows[stay].copy(), self._own[stay]
        self._fill()
        rows, count = self._rows, len(self._rows)
        shared = np.exp(chance.normal(0, 0.03))  # what concerns all of them at a time
        samples = chance.integers(1, 12, count)
        rtt_us = 1000 * self._own[:, 0, None] * shared * np.exp(chance.normal(0, 0.1, (count, 12)))
        rtt_us[np.arange(12) >= samples[:, None]] = np.nan
        rows["rtt_samples"] = samples
        rows["rtt_lo_us"], rows["rtt_hi_us"] = np.nanmin(rtt_us, axis=1), np.nanmax(rtt_us, axis=1)
        rows["rtt_sum_us"] = np.nansum(rtt_us, axis=1)
        rows["srtt_us"] = np.nanmean(rtt_us, axis=1)
        segments = chance.poisson(self._own[:, 1] / 8 / 1448)
        rows["data_segs_out"] += segments.astype(np.uint32)
        rows["retrans"] += chance.binomial(segments, self._loss * shared).astype(np.uint32)
        rows["bytes_acked"] += (1448 * segments).astype(np.uint64)
        rows["bytes_received"] += (100 * segments).astype(np.uint64)
