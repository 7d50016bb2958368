"""What a source is: the contract between whatever gets records from the kernel and the feed that reads it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from tcptop_rtt.model.records import ENTRY, Records
from tcptop_rtt.model.snapshot import Waiting

NO_ENTRIES: Records = np.zeros(0, ENTRY)
"""Nothing at all."""


class Batch(NamedTuple):
    """What one read of a source brings."""

    records: Records
    """Of dtype :data:`~tcptop_rtt.model.records.RECORD`, in the order in which they happened."""
    dropped_records: int
    """Records that found no room, since the start."""
    untracked: int = 0
    """Connections that the kernel side had no memory for, since the start."""
    last: Records = NO_ENTRIES
    """Of dtype :data:`~tcptop_rtt.model.records.ENTRY`: what followed connections were like at their end. The
    records of these ends are among ``records``, or have come before."""


class ProgramRuns(NamedTuple):
    """How often a program in the kernel has run, and for how long in all."""

    name: str
    runs: int
    time_ns: int
    ours: bool
    """It runs when this process asks, which its processor time counts as well; else the traffic's time."""


class Source(Protocol):
    """Where records come from.

    One thread makes all calls, but for ``close``: a scan may take that thread into other network namespaces,
    and bring it back. No call waits for something to happen.

    ``time_ns`` of a record or entry is CLOCK_MONOTONIC; the names of other fields end in their units, but for
    the rates of an entry, which are bytes per second. A field that a record does not tell is 0, but a
    ``min_rtt_us`` without any sample, and a ``last_*_ms`` of what has never happened, are UNKNOWN_U32.

    ``id`` and ``sock`` name a connection: the id is unique in one run, and a socket has one connection at a
    time. A connection ends by a record of kind CLOSE, or by :meth:`ended`. An entry of a scan is of kind
    ENTRY; one without ``tgid`` says by ``hold`` who may have the socket: SOCKET and FILE where nothing is
    known, and UNSEEN besides where nothing is known any more. One in state LISTEN is of a listener, which
    ``sock`` alone names, and has ``queue`` to ``drops``.
    Samples come joined, those of one ``window_start`` in one record, or singly in ``single_rtt_us``.
    No record tells the fields in :attr:`unknown`. A source that sees no samples has ``rtt_samples`` among
    these; its entries have a smoothed RTT that is new as a single one.

    Whoever has opened a source closes it, once, after the last call of that thread.
    """

    @property
    def hook(self) -> str:
        """Where it meets segments: the name that is shown, and that the stream's header has."""
        ...

    @property
    def hook_note(self) -> str:
        """Why this is not the first choice; empty if it is."""
        ...

    @property
    def unknown(self) -> frozenset[str]:
        """The fields of a row that it cannot tell, whatever the connection."""
        ...

    @property
    def polls(self) -> bool:
        """Whether nothing but scans tells anything, so that they have to be as frequent as can be paid."""
        return False

    @property
    def missed(self) -> str:
        """What it is blind to, beside what BPF sees, in a few words; empty: nothing."""
        return ""

    @property
    def problem(self) -> str:
        """What it cannot do any more, and what to do about that; empty: it can all that it could."""
        return ""

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """What the latest scan of each network namespace has counted."""
        ...

    def set_report_interval(self, seconds: float) -> None:
        """Set the least time between two records of a socket; samples in between are reported together."""
        ...

    def read(self) -> Batch:
        """Take what has happened since the previous read."""
        ...

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        """List every open socket, in parts of dtype ENTRY: one entry per descriptor of a socket, then one for
        each socket without a descriptor. What happened before a part was made may still wait to be read:
        :meth:`read` before using the part.

        :param unheld: called once all descriptors have been listed: the network namespaces of the connections
            that are known and have none
        :raises OSError: it cannot be done now; the parts before count for nothing, and the next call begins
            anew
        """
        ...

    def interface_names(self, namespaces: Collection[int]) -> Mapping[tuple[int, int], bytes]:
        """The names of interfaces, by network namespace and index; those that it cannot tell are missing."""
        ...

    def trace(self, sock: int) -> None:
        """Report every ACK of this socket from now on, and of no other; 0: of none."""
        ...

    def ended(self, connections: Mapping[int, int]) -> list[int]:
        """Which of these connections, socket to id, it knows to have ended: their ids. They may have ended
        with a record that found no room.
        """
        ...

    def begin_counting(self) -> None:
        """Have the kernel count what our programs cost, which costs something by itself.

        :raises OSError: it does not, and nothing is counted
        """
        return

    def end_counting(self) -> tuple[ProgramRuns, ...]:
        """Count no longer: what each of our programs in the kernel has cost since; empty: there is none.

        :raises OSError: it cannot be told; it is counted no longer, either
        """
        return ()

    def close(self) -> None:
        """Detach everything from the kernel."""
        ...
