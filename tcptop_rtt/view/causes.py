"""The causes that hold connections up: each is a rule over columns, and is described in words for one row.

The rules read the counters of the last minute: a fault of an hour ago does not hold a connection up now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import Get, Mask
from tcptop_rtt.model.waited import WAITED
from tcptop_rtt.view import cause_rules as rules
from tcptop_rtt.view import cause_words as words
from tcptop_rtt.view import checks
from tcptop_rtt.view.cause_columns import Columns
from tcptop_rtt.view.cause_words import Words

Who = Literal["network", "peer", "us"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that can be wrong.

    :param name: its name in filters and in the stream
    :param holds: returns which rows it is true of; unknown values count as 0
    :param reads: the fields it needs that a kernel may lack or only a scan reads: without them nothing is
        concluded
    :param words: describes it for a row that it is true of
    :param stops: the connection makes no progress as long as it lasts
    :param explains: it only explains a high RTT of a healthy connection, and only the details show it
    :param check: returns a command that shows it, for a row and the program's own network namespace
    :param also: its other names in filters, where the column has other words
    """

    name: str
    who: Who
    holds: Callable[[Columns], Mask]
    words: Callable[[Connection], Words]
    reads: frozenset[str] = frozenset()
    stops: bool = False
    explains: bool = False
    check: Callable[[Connection, int], str] = checks.by_ss
    also: tuple[str, ...] = ()


_RTT = frozenset({"min_rtt_us", "segs_in", "data_segs_in", "data_segs_out"})
_ANSWERS = _RTT | WAITED

_WHO_REFUSES: dict[str, Who] = {
    "refused": "peer",
    "timed-out": "peer",
    "unreachable": "network",
    "given-up": "us",
    "no-port": "us",
    "other": "us",
}
"""Who is at fault, by the connect error."""

CAUSES = (
    *(
        Cause(kind, who, rules.not_connected(kind), words.not_connected, stops=True, check=checks.by_tcpdump)
        for kind, who in _WHO_REFUSES.items()
    ),
    Cause("no-answer", "peer", rules.no_syn_answer, words.no_answer, stops=True, check=checks.by_tcpdump),
    Cause("window-closed", "peer", rules.window_closed, words.window_closed, stops=True),
    Cause("silent", "peer", rules.silent, words.silent, stops=True, check=checks.by_tcpdump),
    Cause(
        "peer-not-reading",
        "peer",
        rules.peer_not_reading,
        words.peer_not_reading,
        frozenset({"snd_wnd_bytes", "notsent_bytes", "rwnd_limited_us"}),
        stops=True,
    ),
    Cause(
        "peer-slow",
        "peer",
        lambda c: rules.limited(c, "rwnd_limited_us_1m"),
        words.peer_slow,
        frozenset({"snd_wnd_bytes", "notsent_bytes", "rwnd_limited_us"}),
    ),
    Cause(
        "backlog",
        "us",
        rules.not_accepted,
        words.backlog,
        stops=True,
        check=checks.of_listener,
        also=("queue-full",),
    ),
    Cause(
        "not-reading",
        "us",
        rules.not_read,
        words.not_reading,
        frozenset({"recv_q_bytes", "last_received_ms"}),
        stops=True,
    ),
    Cause(
        "send-buffer",
        "us",
        lambda c: rules.limited(c, "sndbuf_limited_us_1m"),
        words.send_buffer,
        frozenset({"sndbuf_limited_us"}),
    ),
    Cause("loss", "network", rules.loses, words.losing, frozenset({"data_segs_out"})),
    Cause(
        "answers",
        "peer",
        rules.peer_is_late,
        words.answers,
        _ANSWERS,
        check=checks.by_tcpdump,
        also=("slow-answers",),
    ),
    Cause(
        "we-answer",
        "us",
        rules.we_are_late,
        words.we_answer,
        _ANSWERS,
        check=checks.of_process,
        also=("slow-replies", "we-take"),
    ),
    Cause(
        "late-acks",
        "peer",
        lambda c: c.delays_acks,
        words.late_acks,
        _RTT | {"last_rtt_us"},
        explains=True,
        check=checks.by_tcpdump,
    ),
    Cause(
        "acks-wait",
        "peer",
        lambda c: c.answers_late & ~rules.peer_is_late(c),
        words.acks_wait,
        _RTT,
        explains=True,
        check=checks.by_tcpdump,
    ),
    Cause("lag", "us", lambda c: c.risen & ~c.answers_late & c.local, words.lag, _RTT),
    Cause(
        "queue",
        "network",
        lambda c: c.risen & ~c.answers_late & ~c.local,
        words.queue,
        _RTT,
        check=checks.by_tcpdump,
    ),
    Cause(
        "long-path",
        "network",
        rules.is_far,
        words.long_path,
        frozenset({"min_rtt_us"}),
        check=checks.by_tcpdump,
    ),
)
"""The causes, the most severe first: the first that holds is the verdict."""

READ = frozenset[str]().union(*(cause.reads for cause in CAUSES))
"""All fields without which some cause cannot be found."""

NAMES = (None, *(cause.name for cause in CAUSES))
"""The names of the causes by the number of the verdict; 0 is no verdict."""

_GROUPS = (("no-answer", "window-closed", "silent"), ("peer-not-reading", "peer-slow"))
"""Of the causes in a group, only the first that holds is reported."""


def holding(get: Get, lacking: frozenset[str] = frozenset()) -> list[Mask]:
    """Returns for each cause, in the order of CAUSES, which rows it is true of.

    :param get: gives the values of a field
    :param lacking: the fields that this kernel does not have
    """
    columns, found = Columns(get, lacking), dict[str, Mask]()
    scanned = columns["scanned"]
    for cause in CAUSES:
        if cause.reads & lacking:
            found[cause.name] = np.zeros(len(scanned), bool)
            continue
        holds = cause.holds(columns)
        found[cause.name] = holds & scanned if cause.reads & known.SCANNED else holds
    for first, *others in _GROUPS:
        shown = found[first]
        for other in others:
            found[other], shown = found[other] & ~shown, found[other] | shown
    return list(found.values())


def numbered(number: int) -> Cause | None:
    """The cause that a verdict's number stands for."""
    return CAUSES[number - 1] if number else None


def verdicts(get: Get, lacking: frozenset[str] = frozenset()) -> NDArray[np.uint8]:
    """Returns the number of each row's verdict, as in :data:`NAMES`: 0 is none, else a lower number is worse.

    Causes that only explain a high RTT are left out: a peer that has nothing to send after an answer normally
    acknowledges it late, or with its next request.
    """
    numbers = np.zeros(len(get("id")), np.uint8)
    for number, holds in reversed(list(enumerate(holding(get, lacking), 1))):
        if not CAUSES[number - 1].explains:
            numbers[holds] = number
    # Nothing holds up a closed connection any more; a failed connect keeps its verdict.
    numbers[get("closed") & (get("connect_error") == 0)] = 0
    of_both = get("both_why")
    joined = of_both > 0
    numbers[joined] = of_both[joined] - np.uint8(1)
    return numbers


def worse(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the more severe of two verdicts, row by row."""
    # Minus 1, no verdict (0) wraps around to 255, the least severe number.
    found: NDArray[np.uint8] = np.minimum(one - np.uint8(1), other - np.uint8(1)) + np.uint8(1)
    return found


def one(row: Connection) -> list[Cause]:
    """The causes that are true of one row, the most severe first."""
    get = np.array([row.row]).__getitem__
    return [cause for cause, holds in zip(CAUSES, holding(get, row.lacking), strict=True) if holds[0]]
