"""Both ends of a connection, where both are seen: on one machine, or on two hosts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import DIRECTIONS, Rows
from tcptop_rtt.view.cause_columns import is_local

_SAME_PLACE = ("host", "netns")


def other_end(rows: Rows, at: int) -> int | None:
    """The row of the other end; None: it is not seen, or there are several that may be it."""
    mirrored = (rows["lport"] == rows["rport"][at]) & (rows["rport"] == rows["lport"][at])
    found = np.flatnonzero(mirrored)
    here, there = rows[np.array([at])], rows[found]
    fits = (there["laddr"] == here["raddr"]) & (there["raddr"] == here["laddr"])
    fits &= (there["family"] == here["family"]) & (there["id"] != here["id"])
    if is_local(here.__getitem__)[0]:
        for name in _SAME_PLACE:  # each host has a 127.0.0.1
            fits &= there[name] == here[name]
    fits &= there["closed"] == here["closed"]
    return int(found[fits][0]) if np.count_nonzero(fits) == 1 else None


class Answer(NamedTuple):
    """Where the time of an answer goes, as both ends tell it: means of the last minute, microseconds."""

    asks: Connection
    answers: Connection
    total_us: float
    """From the request to the answer, at the end that asks."""
    there_us: float
    """Of it, in the process that answers."""

    @property
    def path_us(self) -> float:
        """All the rest: both ways between the hosts."""
        return max(0.0, self.total_us - self.there_us)


def answer_of(one: Connection, other: Connection) -> Answer | None:
    """How long the end that was called takes to answer the one that has called; None: it is not known."""
    ways = [DIRECTIONS[end.direction] if end.direction < len(DIRECTIONS) else None for end in (one, other)]
    if ways == [None, None]:
        return None
    called = ways[0] == "in" or ways[1] == "out"
    asks, answers = (other, one) if called else (one, other)
    total_us, there_us = asks.answer_us, answers.reply_us
    return None if total_us is None or there_us is None else Answer(asks, answers, total_us, there_us)
