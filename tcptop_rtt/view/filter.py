"""Selects the connections to show, with pure functions over a snapshot's rows."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import hosts
from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import ROW, Get, Indices, Rows, fields_of, has_any
from tcptop_rtt.view import addresses, naming, query
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.matches import state_codes, state_of
from tcptop_rtt.view.questions import Answer, Ask

_FIELDS = frozenset(ROW.names or ())


@dataclass(frozen=True, slots=True)
class Filter:
    """What a connection must match to be shown; None and an empty text match all."""

    text: str = ""  # in the language of :mod:`tcptop_rtt.view.query`
    pid: int | None = None
    family: Literal[4, 6] | None = None
    lport: int | None = None
    rport: int | None = None


@lru_cache(maxsize=64)
def parse(text: str, names: Names = NO_NAMES) -> Ask | None:
    """Returns the question that a filter's text asks; None if the text is empty.

    :param names: the names of hosts and services to search, too, as far as they are known by then
    :raises QueryError: the text is no filter; says what is wrong, and where
    """
    return query.parse(text, CONNECTIONS.matches, partial(_find, names))


def select(
    rows: Rows,
    filter: Filter,  # noqa: A002 - the word users know it by
    lacking: frozenset[str] = frozenset(),
    names: Names = NO_NAMES,
) -> Indices:
    """Indices of the rows that match, ascending.

    :param filter: must have a text that can be parsed
    :param lacking: the fields that this kernel does not have
    :param names: the names of hosts and services
    """
    keep: NDArray[np.bool_] | None = None
    for field in ("pid", "family", "lport", "rport"):
        wanted = getattr(filter, field)
        if wanted is not None:
            match = rows[field] == wanted
            keep = match if keep is None else keep & match
    indices = np.arange(len(rows)) if keep is None else np.flatnonzero(keep)
    ask = parse(filter.text, names)
    if ask is None or not len(indices):
        return indices
    return indices[ask(fields_of(rows, indices), lacking).yes]


def listed(
    rows: Rows,
    filter: Filter,  # noqa: A002
    lacking: frozenset[str] = frozenset(),
    names: Names = NO_NAMES,
) -> Indices:
    """As :func:`select`, without failed connects, which tables do not list: they are counted by target."""
    indices = select(rows, filter, lacking, names)
    found: Indices = indices[rows["connect_error"][indices] == 0]
    return found


def select_others(
    others: NDArray[np.void],
    state: int,
    filter: Filter,  # noqa: A002
    lacking: frozenset[str] = frozenset(),
    names: Names = NO_NAMES,
) -> Indices:
    """As :func:`select`, from rows of another kind: connections in one state, otherwise unknown."""
    own = frozenset(others.dtype.names or ())
    columns = {name: others[name] if name in own else np.zeros(len(others), ROW[name]) for name in _FIELDS}
    columns["state"][:] = state
    return select(Rows(columns), filter, lacking | (_FIELDS - own - {"state"}), names)


def _find(names: Names, word: str) -> Ask:
    """Searches for a text in host, process, PID, endpoints, names and state, as they are shown."""
    word = word.lower()

    def answer(get: Get, _: frozenset[str]) -> Answer:
        found = np.array([word in text for text in _texts(get)], bool)
        found |= _states_named(word)[state_codes(get)]
        found |= naming.have(word, get, names)
        numbers = get("host")
        if has_any(numbers):
            different, which = np.unique(numbers, return_inverse=True)
            names_there = (fmt.printable(hosts.name_of(one)).lower() for one in different.tolist())
            found |= np.array([word in name for name in names_there])[which]
        return Answer(found, ~found)

    return answer


_SEARCHED = np.dtype(
    [
        (name, ROW[name])
        for name in ("comm", "laddr", "raddr", "pid", "ifindex", "interface", "lport", "rport", "family")
    ]
)
_unpack = struct.Struct("=16s16s16sII16sHHB").unpack

_known: dict[bytes, str] = {}
"""Texts by the fields they are made of. They are kept, as filters run for each key and each snapshot."""


def _texts(get: Get) -> list[str]:
    """Returns for each row the text to search for words, in lower case."""
    packed = np.empty(len(get("id")), _SEARCHED)
    for name in _SEARCHED.names or ():
        packed[name] = get(name)
    keys = packed.view(f"V{_SEARCHED.itemsize}").tolist()
    if len(_known) > 2 * len(keys) + 1024:
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
    # Parts are separated by a character that no word contains, so that a match never spans two parts.
    parts = (
        fmt.printable(comm.rstrip(b"\0")),
        str(pid) if pid else "",
        addresses.endpoint(family, laddr, lport, ifindex, interface.rstrip(b"\0")),
        addresses.endpoint(family, raddr, rport, ifindex, interface.rstrip(b"\0")),
    )
    return "\n".join(parts).lower()


@lru_cache(maxsize=64)
def _states_named(word: str) -> NDArray[np.bool_]:
    """Which state codes have this word in their name."""
    return np.array([word in state_of(code).lower() for code in range(64)])
