"""The structures that cross from the BPF program, as numpy sees them.

Each mirrors the C structure of the same name in bpf/abi.h field by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

Records = NDArray[np.void]
"""One-dimensional structured array of dtype :data:`RECORD` or :data:`ENTRY`."""


class Kind(IntEnum):
    """What a record is about: ``enum kind`` in bpf/abi.h."""

    OPEN = 1
    STATE = 2
    SEGMENT = 3
    RETRANS = 4
    USER = 5
    CLOSE = 6
    ENTRY = 7
    MPTCP = 8


class Direction(IntEnum):
    """Who opened a connection: ``enum direction`` in bpf/abi.h."""

    UNKNOWN = 0
    OUT = 1
    IN = 2


class Hold(IntFlag):
    """Who may use a socket: ``enum hold`` in bpf/abi.h."""

    SOCKET = 1
    FILE = 2
    DEAD = 4
    UNSEEN = 8


UNTRACKED_ID = np.uint64(1 << 63)
"""Ids from here on are of connections that are not tracked: ``UNTRACKED_ID`` in bpf/abi.h."""

INTERVAL_S = 0.1
"""The least time between two records of one socket, unless it is set otherwise."""

RECORD = np.dtype(
    [
        ("id", "u8"),
        ("sock", "u8"),
        ("time_ns", "u8"),
        ("opened_ns", "u8"),
        ("started_ns", "u8"),
        ("sampled_us", "u8"),
        ("window_start", "u8"),
        ("rtt_sum_us", "u8"),
        ("kind", "u4"),
        ("tgid", "u4"),
        ("pid", "u4"),
        ("process_uid", "u4"),
        ("rtt_samples", "u4"),
        ("rtt_lo_us", "u4"),
        ("rtt_hi_us", "u4"),
        ("last_rtt_us", "u4"),
        ("single_rtt_us", "u4"),
        ("min_rtt_us", "u4"),
        ("lport", "u2"),
        ("direction", "u1"),
        ("open_seen", "u1"),
        ("port_chosen", "u1"),
        ("error", "u1"),
        ("followed", "u1"),
        ("pad", "V1"),
        ("comm", "S16"),
        ("bytes_acked", "u8"),
        ("bytes_received", "u8"),
        ("uid", "u4"),
        ("netns", "u4"),
        ("srtt_us", "u4"),
        ("rttvar_us", "u4"),
        ("cwnd", "u4"),
        ("ssthresh", "u4"),
        ("mss", "u4"),
        ("retrans", "u4"),
        ("lost", "u4"),
        ("ifindex", "u4"),
        ("rport", "u2"),
        ("family", "u1"),
        ("state", "u1"),
        ("laddr", "V16"),
        ("raddr", "V16"),
        ("retransmits", "u1"),
        ("probes", "u1"),
        ("more_pad", "V2"),
    ]
)
"""What the ring buffer carries."""

ENTRY = np.dtype(
    [
        *RECORD.descr,
        ("pacing_rate", "u8"),
        ("delivery_rate", "u8"),
        ("inode", "u8"),
        ("hold", "u4"),
        ("queue", "u4"),
        ("queue_limit", "u4"),
        ("drops", "u4"),
        ("first_byte_us", "u4"),
        ("dsack_dups", "u4"),
        ("busy_us", "u8"),
        ("rwnd_limited_us", "u8"),
        ("sndbuf_limited_us", "u8"),
        ("answer_sum_us", "u8"),
        ("reply_sum_us", "u8"),
        ("rcv_rtt_us", "u4"),
        ("rto_us", "u4"),
        ("in_flight", "u4"),
        ("unacked_bytes", "u4"),
        ("notsent_bytes", "u4"),
        ("recv_q_bytes", "u4"),
        ("snd_wnd_bytes", "u4"),
        ("rcv_wnd_bytes", "u4"),
        ("last_sent_ms", "u4"),
        ("last_received_ms", "u4"),
        ("last_ack_ms", "u4"),
        ("segs_in", "u4"),
        ("data_segs_in", "u4"),
        ("data_segs_out", "u4"),
        ("answers", "u4"),
        ("replies", "u4"),
        ("crossings", "u4"),
        ("resent_fast", "u4"),
        ("resent_timeout", "u4"),
        ("resent_probe", "u4"),
        ("slow_answers", "u4"),
        ("slow_replies", "u4"),
        ("congestion_control", "S16"),
    ]
)
"""What a scan writes of each descriptor, and of each socket without one: a record and more."""

CONTROL = np.dtype(
    [
        ("report_interval_jiffies", "u4"),
        ("scan", "u4"),
        ("traced_sock", "u8"),
        ("dropped_records", "u8"),
        ("untracked", "u8"),
        ("time_wait", "u4"),
        ("syn_recv", "u4"),
        ("reader", "u4"),
        ("pad", "V4"),
    ]
)
"""Memory shared with the kernel side."""

CONNECTION = np.dtype(
    [
        ("id", "u8"),
        ("opened_ns", "u8"),
        ("tgid", "u4"),
        ("direction", "u1"),
        ("open_seen", "u1"),
        ("closed", "u1"),
        ("followed", "u1"),
    ]
)
"""The beginning of what the kernel side has of each connection: ``struct connection`` in bpf/maps.h."""

if (RECORD.itemsize, ENTRY.itemsize, CONTROL.itemsize) != (224, 416, 48):
    raise AssertionError("model/records.py and bpf/abi.h differ")


def names_between(dtype: np.dtype[np.void], first: str, last: str) -> tuple[str, ...]:
    """Neighbouring fields of a structure, both ends included."""
    names = dtype.names or ()
    return names[names.index(first) : names.index(last) + 1]


def field_span(dtype: np.dtype[np.void], first: str, last: str) -> np.dtype[np.void]:
    """Neighbouring fields as one field, ``span``: numpy copies one field many times faster than several."""
    fields: Mapping[str, Any] = dtype.fields or {}
    start = fields[first][1]
    size = fields[last][1] + fields[last][0].itemsize - start
    return np.dtype(
        {"names": ["span"], "formats": [f"V{size}"], "offsets": [start], "itemsize": dtype.itemsize}
    )


def take_rows(records: Records, where: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Records:
    """A copy of some records, as plain bytes: numpy copies structures field by field, 25 times slower."""
    plain = records.view(f"V{records.itemsize}")[where]
    return plain.copy().view(records.dtype) if plain.base is not None else plain.view(records.dtype)
