"""Which numbers of a row are known, and how old its RTT is.

All front ends, sorting, filters and verdicts take these rules from here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import INFINITE_SSTHRESH, ROW, UNKNOWN_U32, Get

FRESH_MS = 10_000
"""An RTT without a sample in this time is old: it is shown with its age."""

FILLED_FACTOR = 10
"""With small segments, a receiver's estimate that is larger than srtt by this factor is no RTT."""

SYN_BYTES = 1
"""The SYN counts as so many bytes in ``bytes_acked``."""

_NAMES = ROW.names or ()
SCANNED = frozenset(
    {
        "delivery_rate_bps",
        "pacing_rate_bps",
        "congestion_control",
        *_NAMES[_NAMES.index("scanned") + 1 :],
    }
)
"""The fields that only a scan reads. Before the first scan of a row they are 0, which means unknown."""

_NOTHING = {
    **dict.fromkeys(
        ("srtt_us", "last_rtt_us", "min_rtt_us", "rcv_rtt_us", "connect_us", "peak_rtt_us", "first_byte_us"),
        (0,),
    ),
    **dict.fromkeys(("mss", "rto_us", "cwnd", "rtt_p50_us", "rtt_p95_us"), (0,)),
    **dict.fromkeys(("pid", "was_pid", "started_ns", "netns", "lport", "rport"), (0,)),
    **dict.fromkeys(("delivery_rate_bps", "pacing_rate_bps", "window_ms"), (0,)),
    **dict.fromkeys(("last_sent_ms", "last_received_ms", "last_ack_ms", "rtt_age_ms"), (UNKNOWN_U32,)),
    "ssthresh": (INFINITE_SSTHRESH,),
}
"""The values of a field that mean unknown."""

_NEEDS = {
    # Before the first sample the kernel keeps a start value of 250 ms.
    "rttvar_us": "srtt_us",
    **dict.fromkeys(("rtt_lo_us", "rtt_hi_us", "rtt_sum_us"), "rtt_samples"),
    **dict.fromkeys(("peak_age_ms", "peak_time_s"), "peak_rtt_us"),
    **dict.fromkeys((name for name in _NAMES if name.endswith("_1m")), "window_ms"),
    "first_byte_us": "open_seen",  # otherwise it counts from the program's start
    # Until data of ours is acknowledged, the only sample is the handshake's.
    "rtt_age_ms": "bytes_acked",
    "answer_sum_us_1m": "answers_1m",
    "reply_sum_us_1m": "replies_1m",
}
"""A field is unknown where the field that it needs is nothing (see :func:`is_nothing`) or unknown."""

_NO_MORE_THAN_NOTHING = {"bytes_acked": SYN_BYTES}
"""The highest value of a needed field that is nothing; of the others it is 0."""


@cache
def _needed(name: str) -> tuple[str, ...]:
    """Return the fields that a field needs, directly or through others."""
    needed = _NEEDS.get(name)
    return (needed, *_needed(needed)) if needed else ()


MAY_SAY_NOTHING = SCANNED | _NOTHING.keys() | _NEEDS.keys()
"""The fields that may be unknown on any kernel."""


def told_by(name: str) -> tuple[str, ...]:
    """Return the other fields on which it depends whether this one is known."""
    return (*(("scanned",) if name in SCANNED else ()), *_needed(name))


def is_nothing(name: str, value: Any) -> Any:
    """Return whether fields that need this field are unknown, by its value or values."""
    return value <= _NO_MORE_THAN_NOTHING.get(name, 0)


def nothing(name: str) -> int:
    """Return the value of a field that means unknown."""
    return _NOTHING.get(name, (0,))[0]


def _lacks(name: str, lacking: frozenset[str]) -> bool:
    """Return whether a field, or one that it needs, is lacking in all rows."""
    return bool(lacking) and (name.removesuffix("_1m") in lacking or not lacking.isdisjoint(_needed(name)))


def is_unknown(get: Get, name: str, lacking: frozenset[str] = frozenset()) -> NDArray[np.bool_]:
    """Return in which rows a field is unknown.

    :param get: gives the values of a field
    :param lacking: fields that this kernel does not have
    """
    values = get(name)
    if _lacks(name, lacking):
        return np.ones(values.shape, bool)
    mask = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if name in SCANNED:
        mask = mask | ~get("scanned")
    for needed in _needed(name):
        mask = mask | is_nothing(needed, get(needed))
    for nothing in _NOTHING.get(name, ()):
        mask = mask | (values == nothing)
    return mask


def is_whole(get: Get) -> NDArray[np.bool_]:
    """Return which rows have had a whole record. Until then the counters of an older connection are 0."""
    found: NDArray[np.bool_] = get("state") != 0
    return found


def value(row: np.void, name: str, lacking: frozenset[str] = frozenset()) -> int | None:
    """Return a number of one row; None if unknown.

    :param lacking: fields of the row that this kernel does not have
    """
    # These are the rules of is_unknown(), as numpy is slow with single values.
    if _lacks(name, lacking) or (name in SCANNED and not row["scanned"]):
        return None
    if any(is_nothing(needed, row[needed]) for needed in _needed(name)):
        return None
    number = int(row[name])
    return None if number in _NOTHING.get(name, ()) else number


def unknown_fields(row: np.void, lacking: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the fields of a row that are unknown, so that no verdict may rest on them."""
    return lacking if row["scanned"] else lacking | SCANNED


class RttBasis(IntEnum):
    """What an RTT is measured by."""

    NONE = 0
    FRESH = 1  # our data, acknowledged within FRESH_MS
    OLD = 2  # our data, acknowledged before that
    HANDSHAKE = 3  # the handshake alone: no data of ours was ever acknowledged
    RECEIVER = 4  # the kernel's estimate from received data, as no data of ours is acknowledged


class Rtt(NamedTuple):
    """The RTT of a row. ``age_ms`` is the age of its latest sample; None: it is fresh."""

    basis: RttBasis
    us: int
    age_ms: int | None = None
    older: bool = False  # the sample is older than age_ms


def never_sampled(get: Callable[[str], Any]) -> Any:
    """Return which rows have only the handshake's RTT: no ACK of our data has brought a sample."""
    return is_unknown(get, "rtt_age_ms")


def _is_trickle(get: Get) -> NDArray[np.bool_]:
    """Return in which rows the receiver's estimate is no RTT, as the peer sends only a little now and then.

    ``tcp_rcv_rtt_measure()`` times how long the peer takes to fill a window. A busy sender fills one per RTT
    with full segments; one that sends a little takes a thousand times as long.
    """
    small = 2 * get("bytes_received").astype(np.float64) < get("data_segs_in") * get("mss").astype(np.float64)
    srtt = get("srtt_us").astype(np.int64)
    found: NDArray[np.bool_] = small & (srtt > 0) & (get("rcv_rtt_us") > FILLED_FACTOR * srtt)
    return found


def rtts(get: Get) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the basis of each row's RTT, as in :class:`RttBasis`, and the RTTs in microseconds.

    :param get: gives the values of a field
    """
    srtt, received, age = get("srtt_us"), get("rcv_rtt_us"), get("rtt_age_ms")
    handshake, old = never_sampled(get), age > FRESH_MS
    # An answer brings data and an ACK at about the same time; then srtt is as new as the estimate.
    later = old & (get("last_received_ms") < np.maximum(age, FRESH_MS) - FRESH_MS)
    estimated = (received > 0) & (handshake | later)
    if np.any(estimated):
        estimated = estimated & ~_is_trickle(get)
    basis = np.where(handshake, RttBasis.HANDSHAKE, np.where(old, RttBasis.OLD, RttBasis.FRESH))
    basis = np.where(estimated, RttBasis.RECEIVER, np.where(srtt > 0, basis, RttBasis.NONE))
    return basis, np.where(estimated, received, srtt)


def rtt(row: np.void) -> Rtt:
    """Return the RTT of one row."""
    basis, us = rtts(row.__getitem__)
    return _with_age(row, RttBasis(int(basis)), int(us))


def rtt_of_each(rows: NDArray[np.void]) -> list[Rtt]:
    """Return the RTTs of several rows, which takes hardly longer than for one."""
    bases, us = (column.tolist() for column in rtts(rows.__getitem__))
    return [_with_age(row, RttBasis(basis), one) for row, basis, one in zip(rows, bases, us, strict=True)]


def _with_age(row: np.void, basis: RttBasis, us: int) -> Rtt:
    if basis in (RttBasis.NONE, RttBasis.FRESH):
        return Rtt(basis, us)
    if basis == RttBasis.RECEIVER:
        last_ms = value(row, "last_received_ms")
        return Rtt(basis, us, last_ms if last_ms is not None and last_ms > FRESH_MS else None)
    age_ms = value(row, "rtt_age_ms")
    if age_ms is not None:
        return Rtt(basis, us, age_ms)
    return Rtt(basis, us, int(row["age_ns"]) // 1_000_000, older=not row["open_seen"])
