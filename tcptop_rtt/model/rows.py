"""The fields of a connection's row, names of their values, and rows as columns.

Nothing here knows where the numbers come from or how they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]
"""Numbers of rows, shape (N,)."""

Mask = NDArray[np.bool_]
"""True for the rows that are meant, shape (N,)."""

Get = Callable[[str], NDArray[Any]]
"""Returns the values of a field for some rows. Whole rows would take longer to gather."""

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
FIN_CAME = tuple(STATES.index(name) for name in ("CLOSE-WAIT", "LAST-ACK", "CLOSING", "CLOSED"))
"""The states in which the peer's FIN has, or may have, come: it counts as a byte until the end is read."""
SYN_SENT, SYN_RECV, TIME_WAIT = (STATES.index(name) for name in ("SYN-SENT", "SYN-RECV", "TIME-WAIT"))

DIRECTIONS = (None, "out", "in")
"""Indexed by the ``direction`` field: unknown, connected from here, accepted here."""


CONNECT_ERRORS = (None, "refused", "timed-out", "unreachable", "given-up", "no-port", "other")
"""Indexed by the ``connect_error`` field: how connecting has ended without a connection. ``given-up``: by its
process, before there was an answer; ``no-port``: no local port was free."""


class Holder(IntEnum):
    """How a connection's process is known."""

    UNKNOWN = 0
    PROCESS = 1  # it holds the socket, by a descriptor or by the MPTCP socket above it
    LISTENER = 2  # nobody has accepted it yet: the process is the one that listens
    NOBODY = 3  # an orphan: its process has closed it or ended, the kernel has data to send
    KERNEL = 4  # the kernel itself


NOT_HELD = (Holder.NOBODY, Holder.UNKNOWN)
"""The holders with which a connection may have a last process, which holds it no longer."""

HOLDERS = (None, "process", "listener", "nobody", "kernel")
"""Indexed by the ``holder`` field."""


UNIT_BYTES = 48
"""The longest name of a container, pod or unit; longer ones are cut."""

MAPPED = b"\0" * 10 + b"\xff\xff"
"""The first bytes of a v4-mapped IPv6 address."""

ROW = np.dtype(
    [
        ("id", "u8"),  # never used twice in one run
        ("host", "u4"),  # the number of its host, see hosts.py; 0: there is one host
        # Its process.
        ("holder", "u1"),  # how pid, comm, uid and started_ns are known: see Holder
        ("queue_full", "?"),  # it waits in an accept queue that is full
        (
            "pid",
            "u4",
        ),  # in our PID namespace; 0: no process, unknown, or in another namespace if comm is known
        ("comm", "S16"),  # raw bytes from the kernel: pass them through format.printable
        ("uid", "u4"),  # the process's effective uid; the socket's if no process is known
        ("started_ns", "u8"),  # start of the process, CLOCK_BOOTTIME; 0: unknown
        ("was_pid", "u4"),  # the last process that held it, if none is known to now; 0: unknown
        ("was_comm", "S16"),
        ("unit", f"S{UNIT_BYTES}"),  # container, pod or unit of the process, UTF-8; empty: none, or unknown
        ("followed", "?"),  # a process of the command of `run` has held it
        ("both_why", "u1"),  # the verdict on both ends, see view/ends.py; 0: only one end is seen
        ("netns", "u4"),  # inode number of the network namespace
        ("ifindex", "u4"),  # the interface that it is bound to, as with link-local addresses; 0: none
        ("interface", "S16"),  # the interface's name in that namespace; empty: none, or unknown
        # Its addresses and ports.
        ("family", "u1"),  # 4 or 6
        ("laddr", "V16"),  # IPv4 ones are v4-mapped and have family 4
        ("raddr", "V16"),
        ("lport", "u2"),
        ("rport", "u2"),
        ("direction", "u1"),  # index into DIRECTIONS
        # Its state.
        ("state", "u1"),  # index into STATES
        (
            "connect_error",
            "u1",
        ),  # index into CONNECT_ERRORS; a failed connect is in one snapshot only, and closed
        ("closed", "?"),  # the socket is gone; the row stays for a few seconds
        ("stalled", "?"),  # retransmits or probes a zero window, and gets no answer; never if closed
        ("open_seen", "?"),  # the opening was seen, so age_ns is the connection's own age
        ("end_seen", "?"),  # the end was seen, so the counters are final and not those of the latest scan
        (
            "connect_us",
            "u4",
        ),  # from our SYN until established; 0: unknown, or the peer opened it
        ("age_ns", "u8"),  # since the opening, or since it was first seen
        # Round-trip time; 0: no measurement yet.
        ("srtt_us", "u4"),
        ("rttvar_us", "u4"),
        ("min_rtt_us", "u4"),
        ("last_rtt_us", "u4"),
        ("rtt_lo_us", "u4"),  # of the samples since the previous snapshot
        ("rtt_hi_us", "u4"),
        ("rtt_samples", "u4"),
        ("rtt_sum_us", "u8"),  # their sum
        ("rtt_age_ms", "u4"),  # since the latest sample; UNKNOWN_U32: no sample since the handshake
        # Estimated from the samples of about the last minute; 0: there was none.
        ("rtt_p50_us", "u4"),
        ("rtt_p95_us", "u4"),
        # The highest sample of the last nine to ten minutes.
        ("peak_rtt_us", "u4"),
        ("peak_age_ms", "u4"),
        ("peak_time_s", "u4"),  # wall clock, Unix epoch
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
        ("scanned", "?"),  # a scan has read the following fields, congestion_control and the two rates
        # The sender's chronograph (tcp_chrono_start()).
        ("busy_us", "u8"),  # with data to send
        ("rwnd_limited_us", "u8"),  # of that, limited by the peer's receive window
        ("sndbuf_limited_us", "u8"),  # of that, limited by our send buffer
        ("rcv_rtt_us", "u4"),  # the receiver's own RTT estimate; 0: none
        ("rto_us", "u4"),
        ("in_flight", "u4"),  # segments
        # Bytes in queues and windows.
        ("unacked_bytes", "u4"),  # sent, not acknowledged
        ("notsent_bytes", "u4"),  # written by the process, not sent
        ("recv_q_bytes", "u4"),  # received, not read by the process
        ("snd_wnd_bytes", "u4"),  # the peer's receive window
        ("rcv_wnd_bytes", "u4"),  # our receive window
        # Time since the last data sent, data received, and ACK received.
        ("last_sent_ms", "u4"),
        ("last_received_ms", "u4"),
        ("last_ack_ms", "u4"),
        # Segments in total, as tcp_segs_in() and __tcp_transmit_skb() count them.
        ("segs_in", "u4"),
        ("data_segs_in", "u4"),  # those with data; the others are bare ACKs
        ("data_segs_out", "u4"),  # retransmits included
        ("dsack_dups", "u4"),  # segments that the peer got twice: their retransmit was spurious
        # Retransmits since the connection was first seen, by what caused them.
        ("resent_fast", "u4"),  # ACKs that show a loss, as in fast recovery
        ("resent_timeout", "u4"),  # the retransmission timer
        ("resent_probe", "u4"),  # to probe for a lost tail
        # How long the two ends wait for each other: see bpf/waits.h.
        (
            "first_byte_us",
            "u4",
        ),  # from our first data, or from the opening, until the peer's first data
        ("answers", "u4"),  # the peer's answers to our data
        ("answer_sum_us", "u8"),  # from our last data to the answer's first data
        ("replies", "u4"),  # our replies to the peer's data
        ("reply_sum_us", "u8"),  # from the peer's last data to our next data
        ("crossings", "u4"),  # data that the peer sent before it had our latest data, so it is no answer
        ("slow_answers", "u4"),  # of the answers, those that took SLOW_WAIT_US or longer
        ("slow_replies", "u4"),
        # Increases in about the last minute before the latest scan, or since the connection was opened or
        # first seen.
        ("window_ms", "u4"),  # the length of that time; 0: unknown yet
        ("retrans_1m", "u4"),
        ("dsack_dups_1m", "u4"),
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
        ("slow_answers_1m", "u4"),
        ("slow_replies_1m", "u4"),
    ]
)
"""All that is known of a connection."""


class Rows:
    """All connections of one moment: one read-only column per field of :data:`ROW`.

    ``rows[name]`` is a column. ``rows[number]``, ``rows[mask]`` and ``rows[numbers]`` are copies of rows, of
    dtype :data:`ROW`.
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
        """Return some rows, with other values in the fields that are given."""
        return Rows({name: others.get(name, column[indices]) for name, column in self._columns.items()})


def fields_of(rows: Rows | NDArray[np.void], indices: Indices) -> Get:
    """Return a getter of the fields of some rows, without a copy if these are all rows.

    :param indices: ascending
    """
    whole = len(indices) == len(rows)
    return lambda name: rows[name] if whole else rows[name][indices]


def is_same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether two columns share memory, as snapshots share columns that have not changed."""
    return one is other or (
        one.__array_interface__["data"][0] == other.__array_interface__["data"][0]
        and (one.shape, one.strides, one.dtype) == (other.shape, other.strides, other.dtype)
        and not one.flags.writeable
    )


def word_of(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """Return the largest unsigned type that divides a column's values into words, and the words per value."""
    size = next(size for size in (8, 4, 2, 1) if dtype.itemsize % size == 0)
    return np.dtype(f"u{size}"), dtype.itemsize // size


def as_words(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column as words, of shape (rows, words per value). They compare faster than text."""
    word, per_value = word_of(column.dtype)
    return np.ascontiguousarray(column).view(word).reshape(len(column), per_value)


def has_any(column: NDArray[Any]) -> bool:
    """Return whether any row has a text, or a number but 0. Words compare much faster than text."""
    return bool(as_words(column).any())


def no_rows() -> Rows:
    """Return rows of no connections."""
    return Rows({name: np.zeros(0, ROW[name]) for name in ROW.names or ()})
