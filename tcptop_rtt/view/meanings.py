"""Which connections count as bad when the user asks what the bad connections have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import Get, Mask
from tcptop_rtt.view import causes, numbers
from tcptop_rtt.view.filter import parse
from tcptop_rtt.view.questions import Answer
from tcptop_rtt.view.thresholds import thresholds


class Judged:
    """Some connections, with the verdict on each and its RTT.

    :param get: gives the values of a field of the connections
    :param lacking: the fields that this kernel does not have
    """

    def __init__(self, get: Get, lacking: frozenset[str]) -> None:
        self.get = get
        self.lacking = lacking

    @cached_property
    def verdicts(self) -> NDArray[np.uint8]:
        """The verdict on each connection, an index into :data:`causes.NAMES`."""
        return causes.verdicts(self.get, self.lacking)

    @cached_property
    def is_open(self) -> Mask:
        """Which connections are open: a closed one counts neither as held up nor as well."""
        found: Mask = ~self.get("closed")
        return found

    @cached_property
    def rtts(self) -> tuple[NDArray[Any], Mask]:
        """The RTTs in microseconds, and which of them are not current."""
        return numbers.rtts(self.get, self.lacking)


@dataclass(frozen=True, slots=True)
class Meaning:
    """One meaning of "bad".

    :param name: one word for it
    :param ones: the words for several bad connections
    :param means: what makes them bad, such as "have an RTT from 150ms on"
    :param ask: which connections are bad, and which are certainly not
    :param among: the words for all connections that are bad or not
    :param widens: they are compared with what the table's filter leaves out, too
    """

    name: str
    ones: str
    means: Callable[[], str]
    ask: Callable[[Judged], Answer]
    among: str = "connections"
    widens: bool = False


def _bad(judged: Judged) -> Answer:
    rtt_us, is_old = judged.rtts
    held_up = judged.verdicts > 0
    bad = judged.is_open & (held_up | ((rtt_us >= thresholds().yellow_us) & ~is_old))
    return Answer(bad, judged.is_open & ~bad)


def _slow(judged: Judged) -> Answer:
    rtt_us, is_old = judged.rtts
    asked = judged.is_open & ~is_old
    return Answer(asked & (rtt_us >= thresholds().red_us), asked & (rtt_us < thresholds().red_us))


def _retransmitting(judged: Judged) -> Answer:
    rates, unknown = numbers.retransmit_rates(judged.get, judged.lacking)
    asked = judged.is_open & ~unknown
    return Answer(asked & (rates > 0), asked & (rates == 0))


# An RTT that has risen above its minimum needs no rule of its own: its WHY is a queue or a lag.
BAD = Meaning(
    "bad", "bad ones", lambda: f"have a WHY, or an RTT from {thresholds().yellow_us / 1000:g}ms on", _bad
)
_MEASURED = (
    Meaning(
        "slow",
        "slow ones",
        lambda: f"have one from {thresholds().red_us / 1000:g}ms on",
        _slow,
        "connections with an RTT of now",
    ),
    Meaning(
        "retransmitting",
        "retransmitting ones",
        lambda: "have sent something again in the last minute",
        _retransmitting,
    ),
)


def _held_up_by(number: int) -> Meaning:
    name = causes.NAMES[number] or ""

    def ask(judged: Judged) -> Answer:
        bad = judged.verdicts == number
        return Answer(bad, judged.is_open & ~bad)

    return Meaning(name, f"with {name}", lambda: f"have the WHY {name}", ask)


_HELD_UP = {number: _held_up_by(number) for number in range(1, len(causes.NAMES))}


def selected_by(text: str, names: Names = NO_NAMES) -> Meaning:
    """The meaning by which exactly the connections that a filter selects are bad.

    :param names: the names of hosts and services that the filter searches, too
    """

    def ask(judged: Judged) -> Answer:
        question = parse(text, names)
        everything = np.ones(len(judged.get("id")), bool)
        selected = question(judged.get, judged.lacking).yes if question else everything
        return Answer(selected, ~selected)

    return Meaning("filter", "that match the filter", lambda: "match the filter", ask, widens=True)


def offered(judged: Judged, chosen: str) -> list[tuple[Meaning, int]]:
    """The meanings that any connection fits now, BAD and the chosen one; the broadest first.

    :param judged: the connections that the table lists
    :return: each with the number of connections that are bad by it
    """
    measured = [(one, int(np.count_nonzero(one.ask(judged).yes))) for one in (BAD, *_MEASURED)]
    held_up = np.bincount(judged.verdicts, minlength=len(causes.NAMES)).tolist()
    counted = [*measured, *((one, held_up[number]) for number, one in _HELD_UP.items())]
    return [(one, count) for one, count in counted if count or one is BAD or one.name == chosen]
