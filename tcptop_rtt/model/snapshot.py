"""What front ends read: one frozen snapshot of every connection, handed from the worker to whoever draws.

Nothing here knows where the numbers come from or how they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.listeners import no_listeners
from tcptop_rtt.model.reach import SocketUse
from tcptop_rtt.model.rows import Indices, Rows, no_rows
from tcptop_rtt.model.targets import no_targets


@dataclass(frozen=True, slots=True)
class Health:
    """How the program itself is doing, and what it costs."""

    hook: str = ""  # "fentry", "tcp_probe" or "sock_diag"
    hook_note: str = ""  # why not the first choice; empty if it is
    samples_per_s: float = 0.0  # RTT samples the kernel side has seen
    dropped_records: int = 0  # records that found no room in the ring buffer, since the start
    cpu_percent: float = 0.0  # of one core, this whole process
    untracked: int = 0  # connections that the kernel side had no memory for, since the start
    problem: str = ""  # what does not work at the moment; empty if all does
    unknown: frozenset[str] = frozenset()  # the fields of a row that this kernel does not tell
    records_per_s: float = 0.0  # what has come out of the ring buffer
    report_interval_s: float = 0.0  # a connection sends a record no more often; 0: not known
    scan_s: float = 0.0  # processor time of the latest pass over all sockets; 0: there was none
    scan_pause_s: float = 0.0  # from that one to the next
    rss_bytes: int = 0  # memory of this process, what it shares with others included; 0: not known
    missed: str = ""  # what may happen and is not seen, as there is no BPF; empty: nothing
    refresh_s: float = 0.0  # between two snapshots; 0: not known
    budget_percent: float = 0.0  # of one core, that all it costs is to stay below; 0: there is no budget
    cost_percent: float | None = (
        None  # what all of it has cost lately; None: not known, or there is no budget
    )
    kernel_percent: float | None = None  # of one core, at the hooks: as measured now and then; None: never
    kernel_note: str = ""  # why that cannot be measured, and is an estimate; empty: it can
    spaced: frozenset[str] = frozenset()  # of SPACED, what comes less often than without the budget
    behind_s: float = 0.0  # how old what is shown may be, as reads or scans are late; 0: as fresh as is meant


RECORDS, SCANS, REFRESHES = SPACED = ("records", "scans", "refreshes")
"""What a budget spaces, in the order in which it is told."""


class ProgramCost(NamedTuple):
    """What a program in the kernel costs."""

    name: str
    runs_per_s: float
    ns_per_run: float
    ours: bool  # it runs when this process asks, on its processor time; else on that of the traffic


@dataclass(frozen=True, slots=True)
class OwnCost:
    """What the program costs, measured for about a second."""

    time_ns: int  # wall clock, at its end
    lasted_s: float
    cpu_percent: float  # of one core, this process
    kernel_percent: float | None  # of one core, on the traffic's time; None: the kernel does not count it
    programs: tuple[ProgramCost, ...] = ()  # those that have run
    note: str = ""  # why the kernel does not count; empty: it does


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when snapshots are from."""

    host: str
    kernel: str  # release
    hook: str  # as in Health
    boot_time_ns: int  # wall clock, Unix epoch: when that host was started


class ProcessKey(NamedTuple):
    """A process; there is no other one of the same, ever."""

    pid: int  # 0: not known, or not seen from here
    started_ns: int  # CLOCK_BOOTTIME


class Waiting(NamedTuple):
    """The number of TIME-WAIT and SYN-RECV sockets in one network namespace. They have no rows."""

    netns: int
    time_wait: int
    syn_recv: int


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """One process that holds the socket."""

    pid: int  # 0: in another PID namespace
    comm: bytes


@dataclass(frozen=True, slots=True)
class Process:
    """What the kernel's socket does not say about the process; None where it could not be read."""

    pid: int
    cmdline: str
    started: float  # seconds since the Unix epoch
    cpu_percent: float  # of one core, since the previous look
    rss_bytes: int


class Changes(NamedTuple):
    """When the number of segments sent again has changed, or a stall has begun or ended: arrays (M,).

    The first one is of when the details opened.
    """

    time_s: NDArray[np.float64]  # seconds before the snapshot, ascending, all <= 0
    retrans: NDArray[np.uint32]  # segments sent again up to then, in total
    stalled: NDArray[np.bool_]  # whether it is stalled from then on


@dataclass(frozen=True, slots=True)
class Trace:
    """The one connection that is looked at closely: every ACK's RTT since it was opened.

    Of a connection that brings very many, samples stand for others: ``weight`` says for how many.
    """

    id: int
    time_s: NDArray[np.float64]  # (N,) seconds before the snapshot, ascending to 0, all <= 0
    rtt_us: NDArray[np.uint32]  # (N,) raw sample at that time
    srtt_us: NDArray[np.uint32]  # (N,) smoothed at that time; 0: not known, as before the details opened
    weight: NDArray[np.float32]  # (N,) 0: the highest of a second or more, before the details opened
    changes: Changes
    samples: int  # samples seen since the details opened (N is bounded, this is not)
    lowest_us: int  # over all samples since the details opened; 0: none
    highest_us: int
    owners: tuple[Owner, ...]  # all holders; empty: not known
    owner_note: str  # why the owner is not known; empty if it is
    user: str  # the name of the row's uid; empty: it has none, or it is not known yet
    process: Process | None
    cgroup_path: str | None
    parents: tuple[Owner, ...] = ()  # of the process, the nearest first; empty: not known
    netns_name: str = ""  # of the network namespace; empty: it has none
    use: SocketUse | None = None  # of the process; None: not known


class Ends(NamedTuple):
    """Which rows are the two ends of one connection, on two hosts. Arrays are (N,), by a row's number."""

    line: Indices  # the row that shows both: that of the end that has called; all others show themselves
    other: Indices  # the other end's row; -1: it is not seen
    rows: Rows  # each end as its host tells it


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything to be shown at one moment. Arrays are read-only.

    ``cells_us`` are SPARK_CELLS columns, oldest first: per second the highest RTT sample of each row;
    nan where no segment brought a sample. With ``ends`` a row that shows both is made of both; None: there
    is no such row, or nobody has looked for any.
    """

    time_ns: int  # wall clock, Unix epoch; it may be set, back too
    clock_ns: int  # CLOCK_MONOTONIC: for the time between two snapshots
    rows: Rows
    cells_us: tuple[NDArray[np.float32], ...]
    health: Health
    trace: Trace | None
    waiting: tuple[Waiting, ...] = ()  # per network namespace, as the latest scan of it has found
    targets: NDArray[np.void] = field(default_factory=no_targets)  # of dtype TARGET
    listeners: NDArray[np.void] = field(default_factory=no_listeners)  # of dtype LISTENER
    cost: OwnCost | None = None  # as measured last; None: never
    ends: Ends | None = None

    @property
    def each_end(self) -> Rows:
        """The rows as each host tells them."""
        return self.rows if self.ends is None else self.ends.rows

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """The cells of some rows: shape (SPARK_CELLS, number of rows)."""
        return np.stack([cell[indices] for cell in self.cells_us])


CELL_NS = 1_000_000_000
"""The time that one cell of a row's recent past stands for."""
SPARK_CELLS = 24
SPARK_S = SPARK_CELLS * CELL_NS // 1_000_000_000
"""What a row's sparkline shows."""


def empty(health: Health) -> Snapshot:
    """No connections: what is shown before the first real snapshot."""
    return Snapshot(0, 0, no_rows(), (np.zeros(0, np.float32),) * SPARK_CELLS, health, None)
