"""What front ends read: one frozen picture of every connection, handed from the worker to whoever draws.

Nothing here knows where the numbers come from or how they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]
"""One-dimensional structured array of dtype :data:`ROW`, one element per connection."""

Indices = NDArray[np.intp]
"""Where rows are, shape (N,)."""

UNKNOWN_U32 = 0xFFFFFFFF
"""How the kernel writes "no RTT yet" in ``rtt_min`` (``tcp_init_sock``: minmax_reset to ~0U)."""

INFINITE_SSTHRESH = 0x7FFFFFFF
"""``TCP_INFINITE_SSTHRESH``: slow start has not ended yet."""

STATES = (
    "?",
    "ESTAB",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSED",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
)
"""State names as ``ss`` prints them, indexed by the kernel's ``TCP_*`` numbers (include/net/tcp_states.h)."""

DIRECTIONS = (None, "out", "in")
"""Indexed by the ``direction`` field: unknown, connected from here, accepted here."""

ROW = np.dtype(
    [
        ("id", "u8"),  # never used twice in one run
        ("pid", "u4"),  # thread group; 0: not known
        ("comm", "S16"),  # raw bytes from the kernel: pass them through format.printable
        ("lport", "u2"),
        ("direction", "u1"),  # index into DIRECTIONS
        ("closed", "?"),  # gone from the kernel; stays for a few seconds
        ("stalled", "?"),  # retransmitting or probing a zero window with no answer; never if closed
        ("born", "?"),  # the opening was seen: age_ns is the connection's own age
        ("age_ns", "u8"),  # since the connection was first seen, or opened if that was seen
        # Round-trip time, microseconds; 0: no measurement yet. The smoothed one is further down.
        ("min_rtt_us", "u4"),
        ("last_rtt_us", "u4"),
        ("rtt_lo_us", "u4"),  # of the samples since the previous snapshot
        ("rtt_hi_us", "u4"),
        ("rtt_samples", "u4"),
        # Rates are averaged over about the last second.
        ("out_bps", "f8"),
        ("in_bps", "f8"),
        ("delivery_rate_bps", "u8"),  # 0: not known
        ("pacing_rate_bps", "u8"),  # 0: not paced
        # What every record of the kernel side tells, in the order of RECORD.
        ("bytes_acked", "u8"),
        ("bytes_received", "u8"),
        ("uid", "u4"),
        ("netns", "u4"),  # inode number of the network namespace
        ("srtt_us", "u4"),
        ("rttvar_us", "u4"),
        ("cwnd", "u4"),  # segments
        ("ssthresh", "u4"),  # segments, or INFINITE_SSTHRESH
        ("mss", "u4"),  # bytes
        ("retrans", "u4"),  # retransmitted segments, total
        ("lost", "u4"),  # segments marked lost, total
        ("rport", "u2"),
        ("family", "u1"),  # 4 or 6
        ("state", "u1"),  # index into STATES
        ("laddr", "V16"),  # IPv4 ones are v4-mapped and have family 4
        ("raddr", "V16"),
        ("backoff", "u1"),  # retransmission timeouts in a row without an ACK
        ("probes", "u1"),  # zero-window probes in a row without an answer
        # What scans tell, in the order of ENTRY.
        # The sender's chronograph, microseconds: time with data to send,
        ("busy_us", "u8"),
        ("rwnd_limited_us", "u8"),  # of that, held up by the peer's receive window,
        ("sndbuf_limited_us", "u8"),  # by our send buffer
        ("rcv_rtt_us", "u4"),  # the receiver's own RTT estimate, 0: none
        ("rto_us", "u4"),
        ("in_flight", "u4"),  # segments
        # What stands where: bytes.
        ("unacked", "u4"),  # sent, not acknowledged
        ("unsent", "u4"),  # written by the process, not sent
        ("unread", "u4"),  # received, not read by the process
        ("snd_wnd", "u4"),  # the peer's receive window
        ("rcv_wnd", "u4"),  # ours
        # How long ago, milliseconds.
        ("last_sent_ms", "u4"),
        ("last_received_ms", "u4"),
        ("last_ack_ms", "u4"),
        ("congestion_control", "S16"),
    ],
    align=True,  # numpy takes several times as long for others
)


@dataclass(frozen=True, slots=True)
class Health:
    """How the program itself is doing; for the header line."""

    hook: str  # "fentry" or "tcp_probe"
    hook_note: str  # why not the first choice; empty if it is
    samples_per_s: float  # RTT samples the kernel side has seen
    lost: int  # records that found no room in the ring buffer, since the start
    cpu_percent: float  # of one core, this whole process
    forgotten: int = 0  # times that the kernel side forgot a connection for lack of room, since the start
    problem: str = ""  # what went wrong while running; empty if nothing


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """One process that holds the socket."""

    pid: int
    comm: bytes


@dataclass(frozen=True, slots=True)
class Process:
    """What the kernel's socket does not say about the process; None where it could not be read."""

    pid: int
    cmdline: str
    user: str
    started: float  # seconds since the Unix epoch
    cpu_percent: float  # of one core, since the previous look
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Focus:
    """The one connection that is looked at closely: every ACK's RTT since it was opened."""

    id: int
    time_s: NDArray[np.float64]  # (N,) seconds before the snapshot, ascending to 0, all <= 0
    rtt_us: NDArray[np.uint32]  # (N,) raw sample at that time
    srtt_us: NDArray[np.uint32]  # (N,) smoothed at that time
    samples: int  # samples seen since the drill-down opened (N is bounded, this is not)
    p50_us: float  # percentiles over the N samples; nan if there is none
    p95_us: float
    p99_us: float
    lowest_us: int  # over all samples since the drill-down opened; 0: none
    highest_us: int
    owners: tuple[Owner, ...]  # all holders; empty: not known
    owner_note: str  # why the owner is not known; empty if it is
    process: Process | None
    cgroup_path: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything to be shown at one moment. Arrays are read-only.

    ``spark_us`` has shape (SPARK_CELLS, len(rows)): per half second the highest RTT sample,
    oldest first; nan where no segment brought a sample.
    """

    time_ns: int  # wall clock, Unix epoch
    rows: Rows
    spark_us: NDArray[np.float32]
    health: Health
    focus: Focus | None


SPARK_CELLS = 24
"""Cells of a row's sparkline: 12 s at half a second each."""


def empty(health: Health) -> Snapshot:
    """A picture of no connections: what is shown before the first real one."""
    rows: NDArray[Any] = np.zeros(0, ROW)
    return Snapshot(0, rows, np.zeros((SPARK_CELLS, 0), np.float32), health, None)
