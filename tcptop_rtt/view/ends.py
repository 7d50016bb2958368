"""Finds both ends of a connection where both are seen: on one machine, or on two hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import hosts, known
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.ids import among
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.rows import DIRECTIONS, ROW, Get, Indices, Rows, fields_of, has_any
from tcptop_rtt.model.snapshot import Ends, Snapshot
from tcptop_rtt.view import causes
from tcptop_rtt.view.cause_columns import is_local
from tcptop_rtt.view.grouping import peer_serves
from tcptop_rtt.view.shown import Shown, shown
from tcptop_rtt.view.waits import Wait

_NAMES = ROW.names or ()
_OF_RTT = (*_NAMES[_NAMES.index("srtt_us") : _NAMES.index("peak_time_s") + 1], "bytes_acked")
"""The fields made from RTT samples, and the one that says if data brought these: all come from one end."""
_ADDED = ("retrans", "lost", "retrans_1m", "resent_fast", "resent_timeout", "resent_probe")
"""These are added up: each end counts only the segments that it sends."""


def pairs(rows: Rows) -> Indices:
    """Returns for each row the row of its other end, (N,); -1 if that is not seen, or several rows may be it.

    Private addresses are not unique: where two rows share addresses and ports, neither has another end.
    """
    there_are = np.flatnonzero(rows["connect_error"] == 0)
    get = fields_of(rows, there_are)
    local = is_local(get)
    # Each network namespace of each host has a 127.0.0.1.
    place = np.where(local, get("host"), 0), np.where(local, get("netns"), 0)
    here, there = (get("laddr"), get("lport")), (get("raddr"), get("rport"))
    own = mixed([*place, get("family"), *here, *there])
    mirrored = mixed([*place, get("family"), *there, *here])
    order = np.argsort(own)
    in_order = own[order]

    def found(keys: NDArray[np.uint64]) -> tuple[Indices, Indices]:
        first = np.searchsorted(in_order, keys)
        return first, np.searchsorted(in_order, keys, side="right") - first

    first, count = found(mirrored)
    _, alike = found(own)
    is_pair = (count == 1) & (alike == 1) & (own != mirrored)
    others = np.full(len(rows), -1)
    others[there_are[is_pair]] = there_are[order[first[is_pair]]]
    return others


def other_end(rows: Rows, at: int) -> int | None:
    """Returns the row of one row's other end; None if that is not seen, or several rows may be it."""
    ports = {int(rows[name][at]) for name in ("lport", "rport")}
    near = np.flatnonzero(among(rows["lport"], list(ports)) & among(rows["rport"], list(ports)))
    other = pairs(rows.take(near))[np.searchsorted(near, at)]
    return None if other < 0 else int(near[other])


def joined(snapshot: Snapshot) -> Snapshot:
    """Returns the snapshot with one row that shows both ends of each connection between two of its hosts.

    It is the calling end's row, with the names of both hosts, the retransmits of both ends and the worse of
    their verdicts. Its RTT is the other end's where only the other end has a current one.
    """
    rows, lacking = snapshot.rows, snapshot.health.lacking
    host = rows["host"]
    if not has_any(host):
        return snapshot
    other = pairs(rows)
    serves = peer_serves(rows["direction"], rows["lport"], rows["rport"])
    calls = (other >= 0) & serves & ~serves[other]
    calls &= (host != host[other]) & (host > 0) & (host[other] > 0)
    here = np.flatnonzero(calls)
    if not len(here):
        return snapshot
    there = other[here]
    both = np.concatenate([here, there])
    others = np.full(len(rows), -1)
    others[both] = np.concatenate([there, here])
    line = np.arange(len(rows))
    line[there] = here

    (near_basis, _), (far_basis, _) = (known.rtts(_of(rows, at)) for at in (here, there))
    by_far = (near_basis != RttBasis.FRESH) & (far_basis == RttBasis.FRESH)
    source = np.arange(len(rows))
    source[here[by_far]] = there[by_far]
    columns = {name: rows[name] for name in _NAMES}
    columns |= {name: rows[name][source] for name in _OF_RTT}
    for name in ("host", "stalled", "both_why", *_ADDED):
        columns[name] = columns[name].copy()
    for name in _ADDED:
        columns[name][here] += rows[name][there]
    columns["host"][both] = np.tile(hosts.both(host[here], host[there]), 2)
    columns["stalled"][here] |= rows["stalled"][there]
    worse = causes.worse(*(causes.verdicts(_of(rows, at), lacking) for at in (here, there)))
    columns["both_why"][both] = np.tile(worse + np.uint8(1), 2)
    for column in columns.values():
        column.flags.writeable = False
    cells = tuple(cell[source] for cell in snapshot.cells_us)
    return replace(snapshot, rows=Rows(columns), cells_us=cells, ends=Ends(line, others, rows))


def _of(rows: Rows, indices: Indices) -> Get:
    """Returns the fields of some rows, in the order of ``indices``."""
    return lambda name: rows[name][indices]


class Answer(NamedTuple):
    """The parts of an answer's time, measured at both ends: means over the last minute, in microseconds."""

    asks: Connection
    answers: Connection
    total_us: float
    """From the request to the answer, at the end that asks."""
    there_us: float
    """The part of it in the process that answers."""
    lowest_us: float
    """The lowest RTT that either end has seen, of ACKs that were not held back; 0: not known."""

    @property
    def path_us(self) -> float:
        """The rest: the path between the hosts, in both directions, which takes the lowest RTT at least."""
        return max(self.lowest_us, self.total_us - self.there_us)


def answer_of(one: Connection, other: Connection) -> Answer | None:
    """Returns how long the called end takes to answer the calling end; None if unknown."""
    ways = [DIRECTIONS[end.direction] if end.direction < len(DIRECTIONS) else None for end in (one, other)]
    if ways == [None, None]:
        return None
    called = ways[0] == "in" or ways[1] == "out"
    asks, answers = (other, one) if called else (one, other)
    total_us, there_us = asks.answer_us, answers.reply_us
    if total_us is None or there_us is None:
        return None
    lowest_us = float(min(filter(None, (one.min_rtt_us, other.min_rtt_us)), default=0))
    # Both means are over a minute of their own, so the process may seem to take longer than is left for it.
    there_us = min(there_us, max(0.0, total_us - lowest_us))
    return Answer(asks, answers, total_us, there_us, lowest_us)


def parted(wait: Wait, answer: Answer | None) -> Wait:
    """Returns the wait with the answering end's own measurement; the rest of the answer's time is the path.

    :param wait: the wait of the end that asks
    """
    if wait.parts_us is None or answer is None:
        return wait
    path_us, _, _, ours_us, to_send_us = wait.parts_us
    path_us = min(path_us, answer.path_us)
    parts_us = (path_us, answer.path_us - path_us, answer.there_us, ours_us, to_send_us)
    return wait._replace(parts_us=parts_us)


def show_both(views: list[Shown], indices: Indices, ends: Ends, lacking: frozenset[str]) -> None:
    """Adds the views of both ends to the views of those rows that show both ends, and divides their waits.

    :param lacking: the fields that this kernel does not have
    """
    others = ends.other[indices]
    seen = np.flatnonzero(others >= 0)
    each = (shown(ends.rows[at[seen]], lacking) for at in (indices, others))
    for place, here, there in zip(seen.tolist(), *each, strict=True):
        view = views[place]
        view.ends = here, there
        view.wait = parted(view.wait, answer_of(here, there))
