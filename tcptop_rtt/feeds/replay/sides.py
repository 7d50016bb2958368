"""The two sides of a comparison: which times of which recordings they are, and their snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tcptop_rtt.feeds.replay.cursor import Cursor
from tcptop_rtt.feeds.replay.footage import Footage, nothing_of, whole_span
from tcptop_rtt.feeds.replay.problems import Problems
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.recording.reader import Complain
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import times

RANGE_SIGN = ".."
ALONE_NS = 60 * 10**9
"""Of a time that is given alone so much is meant, from then on."""


class Side(NamedTuple):
    """A time of a recording.

    :param name: what it is of, for what is said of it
    """

    name: str
    footage: Footage
    first_ns: int
    last_ns: int

    @property
    def words(self) -> str:
        """Which time it is."""
        return f"{fmt.moment(self.first_ns / 1e9)} to {fmt.clock(self.last_ns / 1e9)}"


def side_of(name: str, footage: Footage, wanted: str | None, problems: Problems) -> Side:
    """The part of a recording that is asked for.

    :param wanted: as a user writes it; None: all of it
    :param problems: what of it cannot be read
    :raises TcptopError: there is nothing of then
    """
    first_ns, last_ns = whole_span(footage)
    if not first_ns:
        raise TcptopError(f"nothing in {name} can be compared{problems.reason}: --record writes what can")
    if wanted is None:
        return Side(name, footage, first_ns, last_ns)
    found = range_ns(wanted, first_ns, last_ns)
    if found is None or found[0] >= last_ns or found[1] <= first_ns:
        raise nothing_of(wanted, name, (first_ns, last_ns))
    if found[0] >= found[1]:
        raise TcptopError(f"{wanted} is empty: it ends before it begins")
    return Side(name, footage, max(found[0], first_ns), min(found[1], last_ns))


def range_ns(text: str, first_ns: int, last_ns: int) -> tuple[int, int] | None:
    """``14:00..14:10``, or a time alone; None: it is none."""
    start, sign, end = text.partition(RANGE_SIGN)
    begins_ns = times.time_ns(start, last_ns, first_ns, last_ns)
    ends_ns = times.time_ns(end, last_ns, first_ns, last_ns) if sign else None
    if begins_ns is None or (sign and ends_ns is None):
        return None
    return begins_ns, begins_ns + ALONE_NS if ends_ns is None else ends_ns


def check_order(a: Side, b: Side) -> None:
    """B comes after A.

    :raises TcptopError: it does not
    """
    if b.last_ns < a.first_ns:
        raise TcptopError(f"B ({b.words}) is older than A ({a.words}): name the older one first")
    if a.footage is b.footage and b.first_ns < a.last_ns:
        raise TcptopError(f"A ({a.words}) and B ({b.words}) overlap: name two times that do not")


class Reading:
    """Reads a side.

    :param complain: told what cannot be read
    """

    def __init__(self, side: Side, complain: Complain) -> None:
        self._side = side
        self._cursor = Cursor(side.footage, complain)

    @property
    def host(self) -> str:
        """Where it was recorded."""
        return self._cursor.origin.host

    def snapshots(self) -> Iterator[Snapshot]:
        """From the latest one before it, which it is held against, to its last."""
        snapshot = self._cursor.seek(self._side.first_ns)
        while snapshot is not None and snapshot.time_ns <= self._side.last_ns:
            yield snapshot
            snapshot = self._cursor.next()
