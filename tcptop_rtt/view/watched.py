"""One connection over the snapshots that come while its details are shown."""

from __future__ import annotations

import dataclasses

import numpy as np

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.snapshot import CELL_NS, SPARK_CELLS, Snapshot, Trace
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.axes import Floats
from tcptop_rtt.view.chart import Series
from tcptop_rtt.view.diagnosis import Verdict, diagnose
from tcptop_rtt.view.ends import answer_of, other_end, parted
from tcptop_rtt.view.shown import Shown, shown

SPARK_TIMES_S: Floats = np.linspace((1 - SPARK_CELLS) * CELL_NS / 1e9, 0.0, SPARK_CELLS)
"""The times of the cells of a row's sparkline, relative to the snapshot."""


class Watched:
    """What is known of one connection. After it has ended, its last values stay.

    :param first: the first snapshot: the sparkline in it is the past before the trace begins
    """

    def __init__(self, id: int, first: Snapshot, names: Names = NO_NAMES) -> None:  # noqa: A002
        self.id = id
        self.names = names
        """The names that the next snapshot is shown with."""
        self.row: Shown | None = None
        self.other: Shown | None = None
        """The other end; None: it is not seen."""
        self.verdict: Verdict | None = None
        self.closed = False
        self._trace: Trace | None = None
        self._traced_ns = self._traced_wall_ns = 0  # when the trace was taken, by both clocks
        self._shown_ns, self._shown_wall_ns = first.clock_ns, first.time_ns
        self._spark: Floats = np.zeros(SPARK_CELLS)
        self._spark_ns = first.clock_ns
        self.take(first)
        self._before, self._opened_ns = self._spark, first.clock_ns

    @property
    def trace(self) -> Trace | None:
        """What is known since the details were opened; None: nothing, or what is shown was before."""
        return self._trace if self._traced_ns <= self._shown_ns else None

    def take(self, snapshot: Snapshot) -> None:
        """Take over the values of another snapshot, which may be of the past."""
        at = _index(snapshot, self.id)
        if at is None and snapshot.clock_ns < self._shown_ns:
            return  # it had not begun yet
        if at is not None:
            self._spark = snapshot.spark_us(np.array([at]))[:, 0].astype(np.float64)
            self._spark_ns = snapshot.clock_ns
            self.row = self._shown(snapshot, at)
            self.verdict = diagnose(self.row, snapshot.health.netns)
            other = other_end(snapshot.each_end, at)
            self.other = None if other is None else self._shown(snapshot, other)
            if self.other is not None and self.row.host:
                self.row.wait = parted(self.row.wait, answer_of(self.row, self.other))
        elif self.row is not None and not self.row.closed:
            self.row.row["closed"] = True  # its end was in no snapshot that was shown; the row is a copy
            self.verdict = diagnose(self.row)
        self.closed = at is None or bool(snapshot.rows["closed"][at])
        trace = snapshot.trace
        if trace is not None and trace.id == self.id:
            self._trace = trace
            self._traced_ns, self._traced_wall_ns = snapshot.clock_ns, snapshot.time_ns
        self._shown_ns, self._shown_wall_ns = snapshot.clock_ns, snapshot.time_ns

    def _shown(self, snapshot: Snapshot, at: int) -> Shown:
        return shown(snapshot.each_end[np.array([at])], snapshot.health.lacking, self.names)[0]

    def series(self, recent_s: float) -> Series:
        """The samples of the last ``recent_s`` seconds, from the trace and the first sparkline before it.

        :param recent_s: inf for all samples
        """
        polled = self.row is not None and "rtt_samples" in self.row.lacking
        each = "each scan" if polled else "each ACK"
        whole = self._whole().since(recent_s)
        return dataclasses.replace(whole, empty=_why_empty(self.row, self.closed), each=each)

    def _whole(self) -> Series:
        end_ns, end_wall_ns, trace = self._shown_ns, self._shown_wall_ns, self.trace
        nothing = np.zeros(SPARK_CELLS)
        if trace is None:
            spark_s = SPARK_TIMES_S - (end_ns - self._spark_ns) / 1e9
            return Series(spark_s, self._spark, nothing, nothing, end_ns=end_ns, end_wall_ns=end_wall_ns)
        if self.closed:
            end_ns, end_wall_ns = self._traced_ns, self._traced_wall_ns  # no more samples come
        before_s = SPARK_TIMES_S - (end_ns - self._opened_ns) / 1e9
        late_s = (end_ns - self._traced_ns) / 1e9
        changes = trace.changes._replace(time_s=trace.changes.time_s - late_s)
        time_s = trace.time_s - late_s
        older = before_s < (time_s[0] if len(time_s) else np.inf)
        return Series(
            np.concatenate((before_s[older], time_s)),
            np.concatenate((self._before[older], trace.rtt_us)),
            np.concatenate((nothing[older], trace.srtt_us)),
            np.concatenate((nothing[older], trace.weight)),
            changes,
            end_ns,
            end_wall_ns,
        )


def _index(snapshot: Snapshot, id: int) -> int | None:  # noqa: A002
    found = np.flatnonzero(snapshot.rows["id"] == id)
    return int(found[0]) if len(found) else None


def _why_empty(row: Connection | None, closed: bool) -> str:
    """The text of a chart without samples. It promises a sample only where one may still come."""
    if row is None or closed:
        return "no RTT sample was taken"
    if not row.was_sampled:
        if row.bytes_received and not row.unacked_bytes:
            return "no RTT sample: it only receives, and only what it sends brings one"
        if row.scanned and not row.unacked_bytes and not row.notsent_bytes:
            return "no RTT sample: nothing has been sent yet"
        return "waiting for the first RTT sample"
    return f"no RTT sample: the latest one came {fmt.ago(row.rtt_age_ms)}"
