"""The trace of one connection: the RTT of every ACK."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import Records
from tcptop_rtt.model.snapshot import Owner, Trace

SAMPLES_KEPT = 16_384

_SAMPLE = np.dtype([("time_ns", "u8"), ("rtt_us", "u4"), ("srtt_us", "u4")])


class TraceLog:
    """The samples of one connection since tracing began, after its history.

    :param past_ns: when the cells of its history began, oldest first, shape (N,)
    :param past_us: the highest RTT of each cell, shape (N,)
    """

    def __init__(self, connection: int, past_ns: NDArray[np.int64], past_us: NDArray[np.float32]) -> None:
        self.id = connection
        self._past = np.zeros(len(past_ns), _SAMPLE)
        self._past["time_ns"] = past_ns
        # srtt_us stays 0: the history has no smoothed RTT, and a highest sample is no measure of it.
        self._past["rtt_us"] = past_us
        self._log = np.zeros(0, _SAMPLE)
        self._samples = 0
        self._lowest_us = 0
        self._highest_us = 0

    def add(self, records: Records) -> None:
        """Log the single samples among these records of the connection."""
        records = records[records["single_rtt_us"] > 0]
        if not len(records):
            return
        new = np.zeros(len(records), _SAMPLE)
        new["time_ns"] = records["time_ns"]
        new["rtt_us"] = records["single_rtt_us"]
        new["srtt_us"] = records["srtt_us"]
        log = np.concatenate([self._log, new])
        # A scan's samples arrive after newer ones, which the ring buffer brought while it went on.
        self._log = log[np.argsort(log["time_ns"], kind="stable")][-SAMPLES_KEPT:]
        lowest, highest = int(new["rtt_us"].min()), int(new["rtt_us"].max())
        self._lowest_us = min(lowest, self._lowest_us) if self._samples else lowest
        self._highest_us = max(highest, self._highest_us)
        self._samples += len(new)

    def freeze(self, now_ns: int, owners: tuple[Owner, ...], owner_note: str) -> Trace:
        """The log as it is now. The caller fills in the process."""
        log = np.concatenate([self._past, self._log])
        # Without the history: it has only the highest sample of each cell.
        p50, p95, p99 = np.percentile(self._log["rtt_us"], [50, 95, 99]) if self._samples else [np.nan] * 3
        time_s = (log["time_ns"].astype(np.int64) - now_ns) / 1e9
        columns = (time_s, log["rtt_us"].copy(), log["srtt_us"].copy())
        for column in columns:
            column.flags.writeable = False
        return Trace(
            self.id,
            *columns,
            samples=self._samples,
            p50_us=float(p50),
            p95_us=float(p95),
            p99_us=float(p99),
            lowest_us=self._lowest_us,
            highest_us=self._highest_us,
            owners=owners,
            owner_note=owner_note,
            user="",
            process=None,
            cgroup_path=None,
        )
