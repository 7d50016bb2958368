"""The trace of one connection: the RTT of every ACK, retransmissions, and when it was stalled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import Kind, Records
from tcptop_rtt.model.snapshot import Changes, NamedProcess, Trace

SAMPLES_KEPT = 32_768
READ_KEPT = 32
"""At most this many samples of one read are kept: a connection may bring 100,000 a second."""
_OLD_GROUP, _OLD_KEPT = 64, 16
"""Once there are more than SAMPLES_KEPT samples, each _OLD_GROUP of the older half become _OLD_KEPT."""
CHANGES_KEPT = 8_192
CHANGE_NS = 100_000_000
"""Retransmissions in the same stretch of this length are logged once, at the time of the last one."""

_SAMPLE = np.dtype([("time_ns", "u8"), ("rtt_us", "u4"), ("srtt_us", "u4"), ("weight", "f4")])
_CHANGE = np.dtype([("time_ns", "u8"), ("retrans", "u4"), ("stalled", "?")])

Samples = NDArray[np.void]


def thinned(samples: Samples, count: int) -> Samples:
    """A few samples that represent all: the lowest, the highest, and some between, evenly spread by rank.

    :param samples: shape (N,), in order of time, like the result
    :param count: how many to keep, at least 2
    """
    if len(samples) <= count:
        return samples
    by_rtt = np.argsort(samples["rtt_us"], kind="stable")
    below = np.cumsum(samples["weight"][by_rtt], dtype=np.float64)
    total = below[-1]
    at = np.searchsorted(below, np.linspace(0, total, count), side="left")
    kept = samples[by_rtt[np.minimum(at, len(samples) - 1)]]
    kept["weight"] = total / (count - 1)
    kept["weight"][[0, -1]] /= 2  # these two have a neighbour on one side only
    return kept[np.argsort(kept["time_ns"], kind="stable")]


class TraceLog:
    """A log of one connection: its history, then what has happened since tracing began. Its size is bounded.

    :param past_ns: when the cells of the history began, oldest first, shape (N,)
    :param past_us: the highest RTT of each cell, shape (N,)
    :param now_ns: when tracing begins
    :param retrans: segments retransmitted before
    :param stalled: whether the connection is stalled
    """

    def __init__(
        self,
        connection: int,
        past_ns: NDArray[np.int64],
        past_us: NDArray[np.float32],
        now_ns: int,
        retrans: int,
        stalled: bool,
    ) -> None:
        self.id = connection
        self._past = np.zeros(len(past_ns), _SAMPLE)
        self._past["time_ns"] = past_ns
        # srtt_us and weight stay 0: the highest sample of a cell says nothing about the others.
        self._past["rtt_us"] = past_us
        self._log = np.zeros(0, _SAMPLE)
        self._changes = np.array([(now_ns, retrans, stalled)], _CHANGE)
        self._samples = 0
        self._lowest_us = 0
        self._highest_us = 0

    def add(self, records: Records, stalled: NDArray[np.bool_]) -> None:
        """Log these records of the connection.

        :param stalled: whether the connection is stalled, as of each record
        """
        self._add_changes(records, stalled)
        self._add_samples(records[records["single_rtt_us"] > 0])

    def _add_samples(self, records: Records) -> None:
        """Log the single samples."""
        if not len(records):
            return
        new = np.zeros(len(records), _SAMPLE)
        new["time_ns"] = records["time_ns"]
        new["rtt_us"] = records["single_rtt_us"]
        new["srtt_us"] = records["srtt_us"]
        new["weight"] = 1
        log = np.concatenate([self._log, thinned(new, READ_KEPT)])
        if (log["time_ns"][1:] < log["time_ns"][:-1]).any():
            # Samples of a scan may arrive after newer ones, which the ring buffer brought during the scan.
            log = log[np.argsort(log["time_ns"], kind="stable")]
        self._log = log if len(log) <= SAMPLES_KEPT else _coarser_when_old(log)
        lowest, highest = int(new["rtt_us"].min()), int(new["rtt_us"].max())
        self._lowest_us = min(lowest, self._lowest_us) if self._samples else lowest
        self._highest_us = max(highest, self._highest_us)
        self._samples += len(new)

    def _add_changes(self, records: Records, stalled: NDArray[np.bool_]) -> None:
        """Log each change of the number of retransmits, and each beginning and end of a stall."""
        kinds = records["kind"]
        # USER records have no counters, and a scan's entry may come after newer records.
        telling = (kinds != Kind.USER) & (records["time_ns"] >= self._changes["time_ns"][-1])
        new = np.zeros(np.count_nonzero(telling), _CHANGE)
        for name in ("time_ns", "retrans"):
            new[name] = records[name][telling]
        new["stalled"] = stalled[telling]
        last = self._changes[-1:]
        before = np.concatenate([last, new[:-1]])
        turned = new["stalled"] != before["stalled"]
        new, turned = (part[turned | (new["retrans"] != before["retrans"])] for part in (new, turned))
        if not len(new):
            return
        # If a stretch of time has several retransmissions, the last one has the count of all.
        stretch = new["time_ns"] // CHANGE_NS
        superseded = np.append((stretch[1:] == stretch[:-1]) & ~turned[1:], False)
        self._changes = np.concatenate([self._changes, new[~superseded]])[-CHANGES_KEPT:]

    def freeze(self, now_ns: int, holders: tuple[NamedProcess, ...], holder_note: str) -> Trace:
        """The log as it is now. The caller fills in what it knows of the process."""
        log = np.concatenate([self._past, self._log])

        def seconds(events: NDArray[np.void]) -> NDArray[np.float64]:
            relative: NDArray[np.float64] = (events["time_ns"].astype(np.int64) - now_ns) / 1e9
            return relative

        time_s = seconds(log)
        rtt_us, srtt_us, weight = (log[name].copy() for name in ("rtt_us", "srtt_us", "weight"))
        changes = Changes(seconds(self._changes), self._changes["retrans"], self._changes["stalled"])
        for column in (time_s, rtt_us, srtt_us, weight, *changes):
            column.flags.writeable = False
        return Trace(
            self.id,
            time_s,
            rtt_us,
            srtt_us,
            weight,
            changes=changes,
            samples=self._samples,
            lowest_us=self._lowest_us,
            highest_us=self._highest_us,
            holders=holders,
            holder_note=holder_note,
            user="",
            process=None,
            cgroup_path=None,
        )


def _coarser_when_old(log: Samples) -> Samples:
    """A log with its newer half unchanged, and its older half thinned."""
    half = len(log) // 2
    groups = [log[start : start + _OLD_GROUP] for start in range(0, half, _OLD_GROUP)]
    return np.concatenate([*(thinned(group, _OLD_KEPT) for group in groups), log[len(groups) * _OLD_GROUP :]])
