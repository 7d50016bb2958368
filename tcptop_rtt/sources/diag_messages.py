"""Turns the kernel's answer to a request for TCP sockets into entries, all messages of a dump at once.

The structures are those of include/uapi/linux/inet_diag.h (``inet_diag_req_v2``, ``inet_diag_msg``, the
attributes ``INET_DIAG_INFO``, ``CONG``, ``SKMEMINFO``) and include/uapi/linux/tcp.h (``tcp_info``, filled by
``tcp_get_info()`` in net/ipv4/tcp.c). They only grow, so an older kernel's are shorter.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among
from tcptop_rtt.model.known import SYN_BYTES
from tcptop_rtt.model.mixing import mixed_ids
from tcptop_rtt.model.records import ENTRY, Direction, Hold, Kind, Records
from tcptop_rtt.model.rows import CLOSED, LISTEN, STATES, SYN_RECV, SYN_SENT, TIME_WAIT, UNKNOWN_U32
from tcptop_rtt.model.waited import SLOW_WAITS, WAITED
from tcptop_rtt.sources.dump import ATTRIBUTE, Dump
from tcptop_rtt.sources.netlink import HEADER, Messages

_INFO, _CONG, _SKMEMINFO = 2, 4, 7  # the attributes' numbers
_CLOSED_BY_US = tuple(STATES.index(name) for name in ("FIN-WAIT-1", "FIN-WAIT-2", "LAST-ACK", "CLOSING"))
"""The states of a socket that its process has closed. A socket that waits to be accepted is in none."""

_REQUEST = struct.Struct("=BBBxI48x")
FAMILIES = (socket.AF_INET, socket.AF_INET6)


def _request(family: int, states: int, *attributes: int) -> bytes:
    wanted = sum(1 << number - 1 for number in attributes)
    return _REQUEST.pack(family, socket.IPPROTO_TCP, wanted, states)


LISTENERS = tuple(_request(family, 1 << LISTEN, _SKMEMINFO) for family in FAMILIES)
"""Requests for the listeners."""
CONNECTIONS = tuple(
    _request(
        family,
        sum(1 << state for state in range(1, 12) if state not in (LISTEN, TIME_WAIT, CLOSED)),
        _INFO,
        _CONG,
    )
    for family in FAMILIES
)
"""Requests for all connections but those in TIME-WAIT, of which there may be very many."""

_MESSAGE = np.dtype(
    [
        ("family", "u1"),
        ("state", "u1"),
        ("timer", "u1"),
        ("retrans", "u1"),
        ("sport", ">u2"),
        ("dport", ">u2"),
        ("src", "u1", 16),
        ("dst", "u1", 16),
        ("interface", "u4"),
        ("cookie", "u4", 2),
        ("expires", "u4"),
        ("rqueue", "u4"),
        ("wqueue", "u4"),
        ("uid", "u4"),
        ("inode", "u4"),
    ]
)

_INFO_FIELDS = np.dtype(
    [
        *((name, "u1") for name in ("state", "ca_state", "retransmits", "probes", "backoff", "options")),
        *((name, "u1") for name in ("wscale", "bits")),
        *((name, "u4") for name in ("rto", "ato", "snd_mss", "rcv_mss")),
        *((name, "u4") for name in ("unacked", "sacked", "lost", "retrans", "fackets")),
        *((name, "u4") for name in ("last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv")),
        *((name, "u4") for name in ("pmtu", "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd")),
        *((name, "u4") for name in ("advmss", "reordering", "rcv_rtt", "rcv_space", "total_retrans")),
        *((name, "u8") for name in ("pacing_rate", "max_pacing_rate", "bytes_acked", "bytes_received")),
        *((name, "u4") for name in ("segs_out", "segs_in", "notsent_bytes", "min_rtt")),
        *((name, "u4") for name in ("data_segs_in", "data_segs_out")),
        *((name, "u8") for name in ("delivery_rate", "busy_time", "rwnd_limited", "sndbuf_limited")),
        *((name, "u4") for name in ("delivered", "delivered_ce")),
        *((name, "u8") for name in ("bytes_sent", "bytes_retrans")),
        *((name, "u4") for name in ("dsack_dups", "reord_seen", "rcv_ooopack", "snd_wnd", "rcv_wnd")),
    ]
)
"""``struct tcp_info`` up to the last field that is read, without prefixes of names. It has no padding."""

_SK_MEMINFO = np.dtype([("others", "u4", 8), ("drops", "u4")])
"""The array up to SK_MEMINFO_DROPS, in include/uapi/linux/sock_diag.h."""

_LONGEST_BYTES = max(_MESSAGE.itemsize, _INFO_FIELDS.itemsize)

_COPIED = {
    "srtt_us": "rtt",
    "rttvar_us": "rttvar",
    "min_rtt_us": "min_rtt",
    "rcv_rtt_us": "rcv_rtt",
    "rto_us": "rto",
    "cwnd": "snd_cwnd",
    "ssthresh": "snd_ssthresh",
    "mss": "snd_mss",
    "retrans": "total_retrans",
    "retransmits": "retransmits",
    "probes": "probes",
    "bytes_acked": "bytes_acked",
    "bytes_received": "bytes_received",
    "pacing_rate": "pacing_rate",
    "delivery_rate": "delivery_rate",
    "busy_us": "busy_time",
    "rwnd_limited_us": "rwnd_limited",
    "sndbuf_limited_us": "sndbuf_limited",
    "notsent_bytes": "notsent_bytes",
    "snd_wnd_bytes": "snd_wnd",
    "rcv_wnd_bytes": "rcv_wnd",
    "last_sent_ms": "last_data_sent",
    "last_received_ms": "last_data_recv",
    "last_ack_ms": "last_ack_recv",
    "segs_in": "segs_in",
    "data_segs_in": "data_segs_in",
    "data_segs_out": "data_segs_out",
    "dsack_dups": "dsack_dups",
}
"""By field of an entry, the field of tcp_info that is copied."""

_IN_ROW = {"pacing_rate": "pacing_rate_bps", "delivery_rate": "delivery_rate_bps"}
"""Fields of an entry that have another name in a row."""

LACKING = frozenset(
    {
        *("lost", "connect_us", "connect_error"),
        *("last_rtt_us", "rtt_samples", "rtt_lo_us", "rtt_hi_us", "rtt_sum_us"),
        *("peak_rtt_us", "peak_age_ms", "peak_time_s"),
        *("resent_fast", "resent_timeout", "resent_probe"),
        *("first_byte_us", *WAITED, *SLOW_WAITS),
    }
)
"""Fields of a row that sock_diag has on no kernel."""


_IDENTITY = ("sock", "laddr", "lport", "raddr", "rport")
"""The fields of an entry that together tell a connection from all others."""


class Connections(NamedTuple):
    """The connections in some messages."""

    entries: Records
    """Of dtype ENTRY, without process, network namespace, and what follows from an earlier scan."""
    syn_recv: int
    """Number of handshakes, which are no full sockets yet."""
    lacking: frozenset[str]
    """The fields of a row that this kernel's tcp_info lacks; empty if no message has a tcp_info."""


def connections(messages: Messages, time_ns: int) -> Connections:
    """The connections among these messages that are full sockets.

    :param time_ns: when the messages came, CLOCK_MONOTONIC
    """
    dump = Dump(messages.raw, _LONGEST_BYTES)
    starts = np.array(messages.starts, np.intp)
    places = dump.attributes(starts, _MESSAGE.itemsize, _INFO, _CONG)
    # A closed socket that is only kept as a timer is in FIN-WAIT-2, too, but has no tcp_info.
    whole = places[_INFO] > 0
    handshakes = dump.gather(starts[~whole] + HEADER.size, _MESSAGE)["state"] == SYN_RECV
    heads = dump.gather(starts[whole] + HEADER.size, _MESSAGE)
    entries, syn_recv = _identified(heads, time_ns), int(np.count_nonzero(handshakes))
    if not len(entries):
        return Connections(entries, syn_recv, frozenset())
    at = places[_INFO][whole]
    length = int(dump.lengths(at).min())
    _add_info(entries, dump.gather(at + ATTRIBUTE, _INFO_FIELDS, length), heads)
    entries["congestion_control"] = dump.text(places[_CONG][whole], ENTRY["congestion_control"].itemsize)
    return Connections(entries, syn_recv, lacking_by(length))


def listeners(messages: Messages, time_ns: int) -> Records:
    """The listening sockets among these messages, as entries."""
    dump = Dump(messages.raw, _LONGEST_BYTES)
    starts = np.array(messages.starts, np.intp)
    heads = dump.gather(starts + HEADER.size, _MESSAGE)
    entries = _identified(heads, time_ns)
    entries["queue"], entries["queue_limit"] = heads["rqueue"], heads["wqueue"]
    at = dump.attributes(starts, _MESSAGE.itemsize, _SKMEMINFO)[_SKMEMINFO]
    has_it = (at > 0) & (dump.lengths(at) >= _SK_MEMINFO.itemsize)
    entries["drops"] = np.where(has_it, dump.gather(at + ATTRIBUTE, _SK_MEMINFO)["drops"], 0)
    return entries


def lacking_by(length: int) -> frozenset[str]:
    """The fields of a row that a tcp_info of this length in bytes lacks."""
    fields: Mapping[str, Any] = _INFO_FIELDS.fields or {}
    return frozenset(
        _IN_ROW.get(name, name)
        for name, of in _COPIED.items()
        if fields[of][1] + fields[of][0].itemsize > length
    )


def _identified(heads: NDArray[np.void], time_ns: int) -> Records:
    """Entries with the fields that are in the message itself, not in its attributes."""
    entries = np.zeros(len(heads), ENTRY)
    is_v4 = heads["family"] == socket.AF_INET
    for name, of in (("laddr", "src"), ("raddr", "dst")):
        address = heads[of].copy()
        address[is_v4, 12:] = address[is_v4, :4]
        address[is_v4, :10], address[is_v4, 10:12] = 0, 0xFF
        entries[name] = address.view("V16")[:, 0]
        if name == "raddr":
            is_v4 = is_v4 | (address[:, :10] == 0).all(axis=1) & (address[:, 10:12] == 0xFF).all(axis=1)
    cookie = heads["cookie"].astype(np.uint64)
    entries["sock"] = cookie[:, 1] << np.uint64(32) | cookie[:, 0]
    entries["kind"], entries["time_ns"] = Kind.ENTRY, time_ns
    entries["family"] = np.where(is_v4, 4, 6)
    for name, of in (("lport", "sport"), ("rport", "dport"), ("ifindex", "interface")):
        entries[name] = heads[of]
    # A socket that is connected again, to another address or from another port, keeps its cookie.
    entries["id"] = mixed_ids(entries[name] for name in _IDENTITY)
    for name in ("state", "uid", "inode"):
        entries[name] = heads[name]
    entries["direction"] = np.where(heads["state"] == SYN_SENT, Direction.OUT, Direction.UNKNOWN)
    # A socket without an inode waits to be accepted, or its process has closed it.
    left = np.where(among(heads["state"], _CLOSED_BY_US), Hold.DEAD, 0)
    entries["hold"] = np.where(heads["inode"] != 0, Hold.SOCKET | Hold.FILE | Hold.UNSEEN, left)
    return entries


def _add_info(entries: Records, info: NDArray[np.void], heads: NDArray[np.void]) -> None:
    for name, of in _COPIED.items():
        entries[name] = info[of]
    unacked, sacked, lost, retrans = (info[of] for of in ("unacked", "sacked", "lost", "retrans"))
    entries["in_flight"] = unacked - sacked - lost + retrans
    entries["recv_q_bytes"] = heads["rqueue"]
    # The kernel reads the two one after the other, so the unsent bytes may be more.
    entries["unacked_bytes"] = heads["wqueue"] - np.minimum(heads["wqueue"], info["notsent_bytes"])
    opening = among(info["state"], (SYN_SENT, SYN_RECV))
    for name in ("last_sent_ms", "last_received_ms"):
        entries[name][opening] = UNKNOWN_U32
    entries["sampled_us"] = _sampled_us(entries)


def _sampled_us(entries: Records) -> NDArray[np.uint64]:
    """When the latest RTT sample was taken, as far as is known; 0: none since the handshake.

    It came with the latest ACK, but if nothing is in flight, at most one RTT after the latest data was sent.
    """
    now_us = entries["time_ns"].astype(np.int64) // 1000
    acked_us = now_us - 1000 * entries["last_ack_ms"].astype(np.int64)
    answered_us = now_us - 1000 * entries["last_sent_ms"].astype(np.int64) + entries["srtt_us"]
    sampled_us = np.where(entries["in_flight"] > 0, acked_us, np.minimum(acked_us, answered_us))
    none = (entries["bytes_acked"] <= SYN_BYTES) | (entries["srtt_us"] == 0) | (sampled_us < 0)
    return np.where(none, 0, sampled_us).astype(np.uint64)
