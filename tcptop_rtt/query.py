"""Which connections to show and in which order; pure functions over a snapshot's rows."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt import format as fmt
from tcptop_rtt.snapshot import ROW, UNKNOWN_U32, Rows

Indices = NDArray[np.intp]
Column = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a connection must match to be shown; None and empty match all."""

    text: str = ""  # words that must all occur in process, PID, endpoints or state
    pid: int | None = None
    family: Literal[4, 6] | None = None
    lport: int | None = None
    rport: int | None = None


def select(rows: Rows, filter: Filter) -> Indices:  # noqa: A002 - the word users know it by
    """Indices of the rows that match, ascending."""
    keep: NDArray[np.bool_] | None = None
    for field in ("pid", "family", "lport", "rport"):
        wanted = getattr(filter, field)
        if wanted is not None:
            match = rows[field] == wanted
            keep = match if keep is None else keep & match
    indices = np.arange(len(rows)) if keep is None else np.flatnonzero(keep)
    words = filter.text.lower().split()
    if not words or not len(indices):
        return indices
    texts = _texts(rows, indices)
    states = _state_codes(rows, indices)
    found = np.ones(len(texts), bool)
    for word in words:
        found &= np.array([word in text for text in texts]) | _states_named(word)[states]
    return indices[found]


_SEARCHED = np.dtype(
    [(name, ROW[name]) for name in ("comm", "laddr", "raddr", "pid", "lport", "rport", "family")]
)
_unpack = struct.Struct("=16s16s16sIHHB").unpack

_known: dict[bytes, str] = {}
"""Texts by the fields they are made of: a filter is typed letter by letter, and applied to each picture."""


def _texts(rows: Rows, indices: Indices) -> list[str]:
    """What words are looked for in, in lower case."""
    packed = np.empty(len(indices), _SEARCHED)
    for name in _SEARCHED.names or ():
        packed[name] = rows[name][indices]
    keys = packed.view(f"V{_SEARCHED.itemsize}").tolist()
    if len(_known) > 2 * len(rows) + 1024:
        _known.clear()  # most are of connections long gone
    texts = []
    for key in keys:
        text = _known.get(key)
        if text is None:
            text = _known[key] = _text(*_unpack(key))
        texts.append(text)
    return texts


def _text(comm: bytes, laddr: bytes, raddr: bytes, pid: int, lport: int, rport: int, family: int) -> str:
    # Parts are separated by what no word contains, so that a match never spans two of them.
    parts = (
        fmt.printable(comm.rstrip(b"\0")),
        str(pid) if pid else "",
        fmt.endpoint(family, laddr, lport),
        fmt.endpoint(family, raddr, rport),
    )
    return "\n".join(parts).lower()


def _state_codes(rows: Rows, indices: Indices) -> NDArray[np.uint8]:
    """What the state column says, as a number: the state, and whether it is closed or stalled."""
    codes: NDArray[np.uint8] = (
        rows["state"][indices] | rows["closed"][indices] << 4 | rows["stalled"][indices] << 5
    )
    return codes


@lru_cache(maxsize=64)
def _states_named(word: str) -> NDArray[np.bool_]:
    """Which state codes have this word in their name."""
    names = (fmt.state(code & 15, bool(code & 16), bool(code & 32)) for code in range(64))
    return np.array([word in name.lower() for name in names])


Fields = Callable[[str], Column]
"""Gives a field's values, only of the rows to be sorted: gathering whole rows would cost more."""

Keys = tuple[list[Column], Column]
"""The columns to sort by, most important first, and which rows are unknown."""


def _big_endian_words(column: Column) -> list[Column]:
    # 16 bytes compare like two big-endian numbers, which sort far faster than bytes objects.
    words = np.ascontiguousarray(column).view(">u8").reshape(-1, 2)
    return [words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)]


def _process(get: Fields) -> Keys:
    comm = get("comm")
    raw = np.ascontiguousarray(comm).view(np.uint8).reshape(-1, 16)
    upper = (raw >= ord("A")) & (raw <= ord("Z"))
    return _big_endian_words(np.where(upper, raw | 32, raw)), comm == b""


def _endpoint(side: str) -> Callable[[Fields], Keys]:
    def keys(get: Fields) -> Keys:
        family = get("family")
        return [family, *_big_endian_words(get(side + "addr")), get(side + "port")], family == 0

    return keys


def _state(get: Fields) -> Keys:
    state, closed = get("state"), get("closed")
    rank = np.where(closed, 7, np.where(get("stalled"), 255, state))
    return [rank.astype(np.uint8)], (state == 0) & ~closed


def _rtt(get: Fields) -> Keys:
    # A stalled connection's last RTT says nothing: for the wait of its user it is slower than any number.
    srtt, stalled = get("srtt_us"), get("stalled") & ~get("closed")
    return [np.where(stalled, np.uint32(UNKNOWN_U32), srtt)], (srtt == 0) & ~stalled


def _min_rtt(get: Fields) -> Keys:
    value = get("min_rtt_us")
    return [value], (value == 0) | (value == UNKNOWN_U32)


def _number(name: str, needs: str | None = None) -> Callable[[Fields], Keys]:
    """A plain field; unknown where the field ``needs`` is 0."""

    def keys(get: Fields) -> Keys:
        value = get(name)
        return [value], np.zeros(len(value), bool) if needs is None else get(needs) == 0

    return keys


def _rate(name: str) -> Callable[[Fields], Keys]:
    def keys(get: Fields) -> Keys:
        value = get(name)
        return [np.nan_to_num(value)], np.isnan(value)

    return keys


_KEYS: dict[str, Callable[[Fields], Keys]] = {
    "process": _process,
    "pid": _number("pid", needs="pid"),
    "local": _endpoint("l"),
    "remote": _endpoint("r"),
    "state": _state,
    "rtt": _rtt,
    "jitter": _number("rttvar_us", needs="srtt_us"),
    "min_rtt": _min_rtt,
    "retrans": _number("retrans"),
    "in": _rate("in_bps"),
    "out": _rate("out_bps"),
    "age": _number("age_ns"),
}

SORT_KEYS = tuple(_KEYS)
"""What :func:`order` accepts."""


def order(rows: Rows, indices: Indices, key: str, descending: bool) -> Indices:
    """``indices`` sorted by ``key`` (one of :data:`SORT_KEYS`).

    Ties go by id, ascending; what is unknown comes last in both directions.
    """
    keys, unknown = _KEYS[key](lambda name: rows[name][indices])
    if descending:
        keys = [-column if column.dtype.kind == "f" else ~column for column in keys]
    # lexsort takes the most important key last.
    ranking = np.lexsort((rows["id"][indices], *reversed(keys), unknown))
    return indices[ranking]
