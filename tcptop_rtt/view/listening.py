"""Listeners with numbers about the connections at each, and what is wrong with a listener."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.listeners import LISTENER, Endpoints, is_full
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import Get, Holder, Indices, Mask, Rows, fields_of
from tcptop_rtt.view.thresholds import thresholds

LISTENING = np.dtype(
    [
        *LISTENER.descr,
        # Shared by all listeners at one address and port: which of them has a connection is not known.
        ("oldest_ns", "u8"),  # the longest time that a connection has waited; 0: none is known to wait
        ("oldest_is_older", "?"),  # its opening was not seen: it may have waited longer than oldest_ns
        ("live", "u4"),  # connections that were accepted and are open
        ("trouble", "u1"),  # the worst one, an index into TROUBLES
    ]
)
"""The row of a listener in its table."""

WITHIN = ("host", "netns")
"""The fields that an address is unique within: namespaces of different hosts may have the same number."""

TROUBLES = (None, "queue-full", "drops", "backlog")
"""What can be wrong with a listener, the worst first."""


def listening(listeners: NDArray[np.void], rows: Rows, lacking: frozenset[str]) -> NDArray[np.void]:
    """The listeners as rows of LISTENING, with numbers about the connections at each."""
    found = np.zeros(len(listeners), LISTENING)
    for name in LISTENER.names or ():
        found[name] = listeners[name]
    if not len(found):
        return found
    endpoints = Endpoints(found.__getitem__, WITHIN)
    _add_waiting(found, endpoints, rows)
    accepted = _at(endpoints, rows, is_accepted(rows.__getitem__))[1]
    found["live"] = np.bincount(accepted, minlength=len(endpoints))[endpoints.of_listeners]
    found["trouble"] = _troubles(found, lacking)
    return found


def is_waiting(get: Get) -> Mask:
    """Which connections no process has accepted yet."""
    found: Mask = (get("holder") == Holder.LISTENER) & ~get("closed")
    return found


def is_accepted(get: Get) -> Mask:
    """Which open connections a process has accepted."""
    found: Mask = (get("direction") == Direction.IN) & (get("holder") != Holder.LISTENER) & ~get("closed")
    return found


def waits_at(listeners: NDArray[np.void], listener: int, get: Get) -> Mask:
    """Which connections wait at the address and port of the listener with this id."""
    waiting = is_waiting(get)
    (places,) = np.nonzero(listeners["id"] == np.uint64(listener))
    if not len(places):
        return np.zeros(len(waiting), bool)
    endpoints = Endpoints(listeners.__getitem__, WITHIN)
    found: Mask = waiting & (endpoints.find(get) == endpoints.of_listeners[places[0]])
    return found


def _at(endpoints: Endpoints, rows: Rows, mask: Mask) -> tuple[Indices, Indices]:
    """The rows of the mask that are at an endpoint, and the number of each one's endpoint."""
    indices = np.flatnonzero(mask)
    numbers = endpoints.find(fields_of(rows, indices))
    return indices[numbers >= 0], numbers[numbers >= 0]


def _add_waiting(found: NDArray[np.void], endpoints: Endpoints, rows: Rows) -> None:
    indices, numbers = _at(endpoints, rows, is_waiting(rows.__getitem__))
    ages_ns, open_seen = rows["age_ns"][indices], rows["open_seen"][indices]
    oldest_ns, is_older = np.zeros(len(endpoints), np.uint64), np.zeros(len(endpoints), bool)
    np.maximum.at(oldest_ns, numbers, ages_ns)
    is_older[numbers[(ages_ns == oldest_ns[numbers]) & ~open_seen]] = True
    found["oldest_ns"] = oldest_ns[endpoints.of_listeners]
    found["oldest_is_older"] = is_older[endpoints.of_listeners]


def _troubles(found: NDArray[np.void], lacking: frozenset[str]) -> NDArray[np.uint8]:
    holds = {
        "queue-full": is_full(found.__getitem__) & (not lacking & {"queue", "queue_limit"}),
        "drops": found["drops_per_s"] > 0,  # false for nan, which is unknown
        "backlog": found["oldest_ns"] >= thresholds().backlog_ns,
    }
    numbers = np.zeros(len(found), np.uint8)
    for number in reversed(range(1, len(TROUBLES))):
        numbers[holds[str(TROUBLES[number])]] = number
    return numbers
