"""Which connections to show; pure functions over a snapshot's rows."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import ROW, Indices, Rows
from tcptop_rtt.view import format as fmt


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
    [
        (name, ROW[name])
        for name in ("comm", "laddr", "raddr", "pid", "ifindex", "interface", "lport", "rport", "family")
    ]
)
_unpack = struct.Struct("=16s16s16sII16sHHB").unpack

_known: dict[bytes, str] = {}
"""Texts by the fields they are made of: a filter is typed letter by letter, and applied to each snapshot."""


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


def _text(
    comm: bytes,
    laddr: bytes,
    raddr: bytes,
    pid: int,
    ifindex: int,
    interface: bytes,
    lport: int,
    rport: int,
    family: int,
) -> str:
    # Parts are separated by what no word contains, so that a match never spans two of them.
    parts = (
        fmt.printable(comm.rstrip(b"\0")),
        str(pid) if pid else "",
        fmt.endpoint(family, laddr, lport, ifindex, interface.rstrip(b"\0")),
        fmt.endpoint(family, raddr, rport, ifindex, interface.rstrip(b"\0")),
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
