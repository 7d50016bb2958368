"""What is known of every connection: the fields of a row, their values by name, and rows as columns.

Nothing here knows where the numbers come from or how they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]
"""Where rows are, shape (N,)."""

Mask = NDArray[np.bool_]
"""Which rows, shape (N,)."""

Get = Callable[[str], NDArray[Any]]
"""Gives the values of a field, of some rows: to gather whole rows would cost more."""

UNKNOWN_U32 = 0xFFFFFFFF
"""Stands for "never" in fields in which 0 is a value. The kernel writes it in ``rtt_min`` until there is a
sample (``minmax_reset(..., ~0U)`` in ``tcp_init_sock()``)."""

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

ESTABLISHED, LISTEN, CLOSED = (STATES.index(name) for name in ("ESTAB", "LISTEN", "CLOSED"))
SYN_SENT, SYN_RECV, TIME_WAIT = (STATES.index(name) for name in ("SYN-SENT", "SYN-RECV", "TIME-WAIT"))

DIRECTIONS = (None, "out", "in")
"""Indexed by the ``direction`` field: unknown, connected from here, accepted here."""


CONNECT_ERRORS = (None, "refused", "timed-out", "unreachable", "given-up", "other")
"""Indexed by the ``connect_error`` field: how connecting has ended without a connection. ``given-up``: by its
process, before there was an answer."""


class Holder(IntEnum):
    """How a connection's process is known."""

    UNKNOWN = 0
    PROCESS = 1  # it holds the socket, by a descriptor or by the MPTCP socket above it
    LISTENER = 2  # nobody has accepted it yet: the process is the one that listens
    NOBODY = 3  # an orphan: its process has closed it or ended, the kernel has data to send
    KERNEL = 4  # the kernel itself


HOLDERS = (None, "process", "listener", "nobody", "kernel")
"""Indexed by the ``holder`` field."""


UNIT_BYTES = 48
"""As much of the name of a container, pod or unit as is kept."""

MAPPED = b"\0" * 10 + b"\xff\xff"
"""In front of an IPv4 address that is written as one of IPv6."""

HOST_BYTES = 48
"""As much of the name of a host is kept."""

ROW = np.dtype(
    [
        ("id", "u8"),  # never used twice in one run
        ("host", f"S{HOST_BYTES}"),  # where it is, if there are several; empty: they are all of one host
        # Whose it is.
        ("holder", "u1"),  # what Holder says of pid, comm, uid, started_ns
        ("queue_full", "?"),  # nobody has accepted it, and the queue that it waits in takes no more
        ("pid", "u4"),  # in our PID namespace; 0: none, not known, or in another one if comm is known
        ("comm", "S16"),  # raw bytes from the kernel: pass them through format.printable
        ("uid", "u4"),  # effective one of the process; of the socket where no process is known
        ("started_ns", "u8"),  # of the process, CLOCK_BOOTTIME; 0: not known
        ("was_pid", "u4"),  # who held it before nobody did; 0: not known
        ("was_comm", "S16"),
        ("unit", f"S{UNIT_BYTES}"),  # what runs the process, as UTF-8; empty: nothing, or it is not known
        ("followed", "?"),  # a process of the command that is run has held it
        ("both_why", "u1"),  # what holds either end up, as view/ends.py says; 0: one end alone is told of
        ("netns", "u4"),  # inode number of the network namespace
        ("ifindex", "u4"),  # the interface that it is bound to, as link-local addresses are; 0: none
        ("interface", "S16"),  # its name in that namespace; empty: there is none, or it is not known
        # From where to where.
        ("family", "u1"),  # 4 or 6
        ("laddr", "V16"),  # IPv4 ones are v4-mapped and have family 4
        ("raddr", "V16"),
        ("lport", "u2"),
        ("rport", "u2"),
        ("direction", "u1"),  # index into DIRECTIONS
        # How far it is.
        ("state", "u1"),  # index into STATES
        ("connect_error", "u1"),  # index into CONNECT_ERRORS; such a row is in one snapshot only, and closed
        ("closed", "?"),  # gone from the kernel; stays for a few seconds
        ("stalled", "?"),  # retransmitting or probing a zero window with no answer; never if closed
        ("open_seen", "?"),  # the opening was seen: age_ns is the connection's own age
        ("end_seen", "?"),  # closed, and the end was seen: its counters are final, not of the latest reading
        (
            "connect_us",
            "u4",
        ),  # from our SYN until it was established; 0: not known, or the peer has opened it
        ("age_ns", "u8"),  # since the connection was first seen, or opened if that was seen
        # Round-trip time, microseconds; 0: no measurement yet.
        ("srtt_us", "u4"),
        ("rttvar_us", "u4"),
        ("min_rtt_us", "u4"),
        ("last_rtt_us", "u4"),
        ("rtt_lo_us", "u4"),  # of the samples since the previous snapshot
        ("rtt_hi_us", "u4"),
        ("rtt_samples", "u4"),
        ("rtt_sum_us", "u8"),  # of them
        ("rtt_age_ms", "u4"),  # since the latest sample; UNKNOWN_U32: none since the handshake, or never
        # Of the samples of about the last minute, estimated; 0: there was none.
        ("rtt_p50_us", "u4"),
        ("rtt_p95_us", "u4"),
        # The highest sample of the last ten minutes; of the tenth only a part counts.
        ("peak_rtt_us", "u4"),
        ("peak_age_ms", "u4"),
        ("peak_time_s", "u4"),  # when that was by the wall clock, Unix epoch
        # Rates are averaged over about the last second.
        ("out_bps", "f8"),
        ("in_bps", "f8"),
        ("bytes_acked", "u8"),
        ("bytes_received", "u8"),
        ("delivery_rate_bps", "u8"),  # 0: not known
        ("pacing_rate_bps", "u8"),  # 0: not paced
        ("cwnd", "u4"),  # segments
        ("ssthresh", "u4"),  # segments, or INFINITE_SSTHRESH
        ("mss", "u4"),  # bytes
        ("retrans", "u4"),  # retransmitted segments, total
        ("lost", "u4"),  # segments marked lost, total
        ("retransmits", "u1"),  # retransmission timeouts in a row without an ACK
        ("probes", "u1"),  # zero-window probes in a row without an answer
        ("congestion_control", "S16"),
        ("scanned", "?"),  # the following, and the rates and congestion control before, have been read
        # The sender's chronograph, microseconds: time with data to send,
        ("busy_us", "u8"),
        ("rwnd_limited_us", "u8"),  # of that, held up by the peer's receive window,
        ("sndbuf_limited_us", "u8"),  # by our send buffer
        ("rcv_rtt_us", "u4"),  # the receiver's own RTT estimate, 0: none
        ("rto_us", "u4"),
        ("in_flight", "u4"),  # segments
        # What stands where: bytes.
        ("unacked_bytes", "u4"),  # sent, not acknowledged
        ("notsent_bytes", "u4"),  # written by the process, not sent
        ("recv_q_bytes", "u4"),  # received, not read by the process
        ("snd_wnd_bytes", "u4"),  # the peer's receive window
        ("rcv_wnd_bytes", "u4"),  # ours
        # How long ago, milliseconds.
        ("last_sent_ms", "u4"),
        ("last_received_ms", "u4"),
        ("last_ack_ms", "u4"),
        # Segments in total, as tcp_segs_in() and __tcp_transmit_skb() count them.
        ("segs_in", "u4"),
        ("data_segs_in", "u4"),  # of them, those that carry data: the others are bare ACKs
        ("data_segs_out", "u4"),  # those sent again, too
        ("dsack_dups", "u4"),  # segments that the peer says it got twice: to send them again was needless
        # Segments sent again since it was first seen, by what told of the loss.
        ("resent_fast", "u4"),  # ACKs, as in fast recovery
        ("resent_timeout", "u4"),  # the retransmission timer
        ("resent_probe", "u4"),  # nothing: it probes for the loss of the last segment, or of a SYN
        # How the two ends wait for each other, as bpf/waits.h counts it.
        (
            "first_byte_us",
            "u4",
        ),  # until the peer's first data: from our first, or from when it was established
        ("answers", "u4"),  # the peer's, to what we have sent
        ("answer_sum_us", "u8"),  # from our last data to the first data of the answer
        ("replies", "u4"),  # ours, to what the peer has sent
        ("reply_sum_us", "u8"),  # from the peer's last data to our next
        ("crossings", "u4"),  # data that the peer had sent before it got our latest: it answers nothing
        # What has been gained up to the latest scan in about the minute before it; of a younger connection
        # since it was opened, of one that was there before us since it was first seen.
        ("window_ms", "u4"),  # how long that is; 0: not known yet
        ("retrans_1m", "u4"),
        ("segs_in_1m", "u4"),
        ("data_segs_in_1m", "u4"),
        ("data_segs_out_1m", "u4"),
        ("busy_us_1m", "u4"),
        ("rwnd_limited_us_1m", "u4"),
        ("sndbuf_limited_us_1m", "u4"),
        ("answers_1m", "u4"),
        ("answer_sum_us_1m", "u4"),
        ("replies_1m", "u4"),
        ("reply_sum_us_1m", "u4"),
        ("crossings_1m", "u4"),
    ]
)
"""What is known of a connection."""


class Rows:
    """All connections of one moment: a read-only column per field of :data:`ROW`, all of one length.

    By a field's name a column; by a number, a mask or numbers of rows those rows, gathered into a copy
    of dtype :data:`ROW`.
    """

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns["id"])

    def __iter__(self) -> Iterator[np.void]:
        return iter(self[:])

    @overload
    def __getitem__(self, key: str) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, key: int) -> np.void: ...
    @overload
    def __getitem__(self, key: Indices | NDArray[np.bool_] | slice) -> NDArray[np.void]: ...

    def __getitem__(self, key: str | int | Indices | NDArray[np.bool_] | slice) -> NDArray[Any] | np.void:
        if isinstance(key, str):
            return self._columns[key]
        if isinstance(key, int):
            row: np.void = self[np.array([key])][0]
            return row
        ids = self._columns["id"][key]
        rows = np.empty(len(ids), ROW)
        for name, column in self._columns.items():
            rows[name] = column[key]
        return rows

    def take(self, indices: Indices, **others: NDArray[Any]) -> Rows:
        """Some rows, with other values in some fields."""
        return Rows({name: others.get(name, column[indices]) for name, column in self._columns.items()})


def fields_of(rows: Rows | NDArray[np.void], indices: Indices) -> Get:
    """The fields of some rows, ascending: of all of them without a copy."""
    whole = len(indices) == len(rows)
    return lambda name: rows[name] if whole else rows[name][indices]


def is_same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two columns are one stretch of memory: what has not changed is shared by snapshots."""
    return one is other or (
        one.__array_interface__["data"][0] == other.__array_interface__["data"][0]
        and (one.shape, one.strides, one.dtype) == (other.shape, other.strides, other.dtype)
        and not one.flags.writeable
    )


def word_of(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """The type of the unsigned numbers that make up a value of a column, and how many of them do."""
    size = next(size for size in (8, 4, 2, 1) if dtype.itemsize % size == 0)
    return np.dtype(f"u{size}"), dtype.itemsize // size


def as_words(column: NDArray[Any]) -> NDArray[Any]:
    """A column as such numbers, of shape (rows, words per value): they are compared faster than text."""
    word, per_value = word_of(column.dtype)
    return np.ascontiguousarray(column).view(word).reshape(len(column), per_value)


def has_text(column: NDArray[np.bytes_]) -> bool:
    """Whether any row has one. Compared as numbers, which is faster by far."""
    return bool(np.ascontiguousarray(column).view(np.uint64).any())


def no_rows() -> Rows:
    """Those of no connections."""
    return Rows({name: np.zeros(0, ROW[name]) for name in ROW.names or ()})
