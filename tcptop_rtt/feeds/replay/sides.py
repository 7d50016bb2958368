"""The two sides of a comparison: each is a time range of a recording, with its snapshots."""

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
"""The length of the range if the user gives only one time, which is its start."""


class Side(NamedTuple):
    """A time range of a recording.

    :param name: the name of the recording in messages
    """

    name: str
    footage: Footage
    first_ns: int
    last_ns: int

    @property
    def words(self) -> str:
        """The time range as text."""
        return f"{fmt.moment(self.first_ns / 1e9)} to {fmt.clock(self.last_ns / 1e9)}"


def side_of(name: str, footage: Footage, wanted: str | None, problems: Problems) -> Side:
    """The part of a recording that the user asks for.

    :param wanted: as the user writes it; None: the whole recording
    :param problems: the problems of reading the recording
    :raises TcptopError: nothing was recorded then
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
    """Parse a range such as ``14:00..14:10``, or one time; None if the text is neither."""
    start, sign, end = text.partition(RANGE_SIGN)
    begins_ns = times.time_ns(start, last_ns, first_ns, last_ns)
    ends_ns = times.time_ns(end, last_ns, first_ns, last_ns) if sign else None
    if begins_ns is None or (sign and ends_ns is None):
        return None
    return begins_ns, begins_ns + ALONE_NS if ends_ns is None else ends_ns


def check_order(a: Side, b: Side) -> None:
    """Check that B comes after A.

    :raises TcptopError: B is older, or they overlap
    """
    if b.last_ns < a.first_ns:
        raise TcptopError(f"B ({b.words}) is older than A ({a.words}): name the older one first")
    if a.footage is b.footage and b.first_ns < a.last_ns:
        raise TcptopError(f"A ({a.words}) and B ({b.words}) overlap: name two times that do not")


class Reading:
    """Reads the snapshots of a side.

    :param complain: called with what cannot be read
    """

    def __init__(self, side: Side, complain: Complain) -> None:
        self._side = side
        self._cursor = Cursor(side.footage, complain)

    @property
    def host(self) -> str:
        """The host that was recorded."""
        return self._cursor.origin.host

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the latest snapshot up to the start of the side, as a baseline, and all of the side."""
        snapshot = self._cursor.seek(self._side.first_ns)
        while snapshot is not None and snapshot.time_ns <= self._side.last_ns:
            yield snapshot
            snapshot = self._cursor.next()
