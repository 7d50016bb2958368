"""The frozen snapshot of every connection that the worker hands to front ends.

Nothing here knows where the numbers come from or how they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.listeners import no_listeners
from tcptop_rtt.model.reach import SocketUse
from tcptop_rtt.model.rows import Get, Indices, Rows, no_rows
from tcptop_rtt.model.targets import no_targets


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the program itself, and its cost."""

    hook: str = ""  # "fentry", "tcp_probe" or "sock_diag"
    hook_note: str = ""  # why this is not the first choice; empty if it is
    samples_per_s: float = 0.0  # RTT samples the kernel side has seen
    dropped_records: int = 0  # records that found no room in the ring buffer, since the start
    cpu_percent: float = 0.0  # of one core, this whole process
    untracked: int = 0  # connections that the kernel side had no memory for, since the start
    problem: str = ""  # what does not work at the moment; empty: nothing
    lacking: frozenset[str] = frozenset()  # the fields of a row that this kernel does not have
    records_per_s: float = 0.0  # read from the ring buffer
    report_interval_s: float = 0.0  # the least time between two records of a connection; 0: unknown
    scan_s: float = 0.0  # processor time of the latest scan; 0: there was none
    scan_pause_s: float = 0.0  # from the latest scan to the next
    rss_bytes: int = 0  # resident memory of this process, shared pages included; 0: unknown
    missed: str = ""  # what is not seen without BPF; empty: nothing
    refresh_s: float = 0.0  # between two snapshots; 0: not known
    budget_percent: float = 0.0  # of one core, the limit of the whole cost; 0: there is no budget
    cost_percent: float | None = None  # the whole cost lately; None: unknown, or there is no budget
    kernel_percent: float | None = None  # of one core, at the hooks, as last measured; None: never
    kernel_note: str = ""  # why kernel_percent is an estimate; empty: it is measured
    spaced: frozenset[str] = frozenset()  # those of SPACED that come less often because of the budget
    behind_s: float = 0.0  # how old the numbers may be, as reads or scans are late; 0: not late
    netns: int = 0  # inode number of this process's network namespace; 0: unknown, or hosts differ


RECORDS, SCANS, REFRESHES = SPACED = ("records", "scans", "refreshes")
"""What a budget spaces, in the order in which it is named."""


class ProgramCost(NamedTuple):
    """The cost of one BPF program."""

    name: str
    runs_per_s: float
    ns_per_run: float
    ours: bool  # it runs on this process's time, as iterators do; otherwise on the traffic's


@dataclass(frozen=True, slots=True)
class OwnCost:
    """The cost of the program, measured for about a second."""

    time_ns: int  # wall clock, at the end of the measurement
    lasted_s: float
    cpu_percent: float  # of one core, this process
    kernel_percent: float | None  # of one core, on the traffic's time; None: unknown
    programs: tuple[ProgramCost, ...] = ()  # the programs that ran
    note: str = ""  # why the kernel does not count run time; empty: it does


@dataclass(frozen=True, slots=True)
class Origin:
    """The host that snapshots come from."""

    host: str
    kernel: str  # release
    hook: str  # as in Health
    boot_time_ns: int  # wall clock, Unix epoch, when the host booted


class ProcessKey(NamedTuple):
    """A process, distinct from all others, also from one that gets its PID later."""

    pid: int  # 0: unknown, or not visible in our PID namespace
    started_ns: int  # CLOCK_BOOTTIME


_Value = TypeVar("_Value")


def processes_of(get: Get) -> list[ProcessKey]:
    """Return the process of each row.

    :param get: gives the values of a field
    """
    return list(map(ProcessKey, get("pid").tolist(), get("started_ns").tolist()))


def of_processes_here(by_process: dict[ProcessKey, _Value], get: Get) -> dict[ProcessKey, _Value]:
    """Return what is known of each process without those that no row has, if these are too many.

    :param get: gives the values of a field
    """
    if len(by_process) <= 2 * len(get("pid")):
        return by_process
    here = set(processes_of(get))
    return {process: value for process, value in by_process.items() if process in here}


class Waiting(NamedTuple):
    """The number of TIME-WAIT and SYN-RECV sockets in one network namespace. They have no rows."""

    netns: int
    time_wait: int
    syn_recv: int


@dataclass(frozen=True, slots=True, order=True)
class NamedProcess:
    """A process by number and name: one that has a descriptor of the socket, or a parent of it."""

    pid: int  # 0: it is in another PID namespace
    comm: bytes


@dataclass(frozen=True, slots=True)
class Process:
    """What /proc says about the process."""

    pid: int
    cmdline: str
    started: float  # seconds since the Unix epoch
    cpu_percent: float  # of one core, since the previous read
    rss_bytes: int


class Changes(NamedTuple):
    """When the number of retransmits changed, or a stall began or ended: arrays (M,).

    The first entry is from when the details opened.
    """

    time_s: NDArray[np.float64]  # seconds before the snapshot, ascending, all <= 0
    retrans: NDArray[np.uint32]  # total retransmits up to then
    stalled: NDArray[np.bool_]  # whether the connection is stalled from then on


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of the one connection that is shown in detail: the RTT of each ACK since the details opened.

    If there are very many samples, one stands for several: ``weight`` says for how many.
    """

    id: int
    time_s: NDArray[np.float64]  # (N,) seconds before the snapshot, ascending to 0, all <= 0
    rtt_us: NDArray[np.uint32]  # (N,) the sample
    srtt_us: NDArray[np.uint32]  # (N,) 0: unknown, as before the details opened
    weight: NDArray[np.float32]  # (N,) 0: the highest of a second or more, from before the details opened
    changes: Changes
    samples: int  # number of samples since the details opened; unlike N it is not bounded
    lowest_us: int  # over all samples since the details opened; 0: none
    highest_us: int
    holders: tuple[NamedProcess, ...]  # all holders; empty: unknown
    holder_note: str  # why the holder is unknown; empty if it is known
    user: str  # the name of the row's uid; empty: none, or not looked up yet
    process: Process | None
    cgroup_path: str | None
    parents: tuple[NamedProcess, ...] = ()  # of the process, the nearest first; empty: unknown
    netns_name: str = ""  # of the network namespace; empty: none
    use: SocketUse | None = None  # by the process; None: unknown


class Ends(NamedTuple):
    """Which rows are the two ends of one connection, on two hosts. Arrays are (N,), one entry per row."""

    line: Indices  # the row that shows both ends: the caller's; for other rows their own number
    other: Indices  # the row of the other end; -1: not seen
    rows: Rows  # each end as its own host reports it


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that can be shown of one moment. Arrays are read-only.

    ``cells_us`` are SPARK_CELLS columns, oldest first: the highest RTT sample of each row in each second;
    nan if there was none. With ``ends``, a connection seen from both hosts is one row made of both ends;
    None: there is no such row, or both ends were not looked for.
    """

    time_ns: int  # wall clock, Unix epoch; it may jump, also back
    clock_ns: int  # CLOCK_MONOTONIC, for the time between two snapshots
    rows: Rows
    cells_us: tuple[NDArray[np.float32], ...]
    health: Health
    trace: Trace | None
    waiting: tuple[Waiting, ...] = ()  # per network namespace, from its latest scan
    targets: NDArray[np.void] = field(default_factory=no_targets)  # of dtype TARGET
    listeners: NDArray[np.void] = field(default_factory=no_listeners)  # of dtype LISTENER
    cost: OwnCost | None = None  # the latest measurement; None: there was none
    ends: Ends | None = None

    @property
    def each_end(self) -> Rows:
        """The rows as each host reports them, both ends apart."""
        return self.rows if self.ends is None else self.ends.rows

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """Return the cells of some rows, of shape (SPARK_CELLS, rows)."""
        return np.stack([cell[indices] for cell in self.cells_us])


CELL_NS = 1_000_000_000
"""The time that one cell of a sparkline covers."""
SPARK_CELLS = 24
SPARK_S = SPARK_CELLS * CELL_NS // 1_000_000_000
"""The time that a sparkline covers."""


def empty(health: Health) -> Snapshot:
    """Return a snapshot without connections, for the time before the first real one."""
    return Snapshot(0, 0, no_rows(), (np.zeros(0, np.float32),) * SPARK_CELLS, health, None)
