"""The contract between a source, which gets records from the kernel, and the feed that reads the source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from tcptop_rtt.model.records import ENTRY, Records
from tcptop_rtt.model.snapshot import Waiting

NO_ENTRIES: Records = np.zeros(0, ENTRY)
"""An empty array of entries."""


class Batch(NamedTuple):
    """What one read of a source returns."""

    records: Records
    """Of dtype :data:`~tcptop_rtt.model.records.RECORD`, in the order in which they happened."""
    dropped_records: int
    """Number of records that found no room in the buffer, since the start."""
    untracked: int = 0
    """Number of connections that the kernel side had no memory for, since the start."""
    last: Records = NO_ENTRIES
    """Of dtype :data:`~tcptop_rtt.model.records.ENTRY`: the final entries of followed connections. The
    CLOSE record of each is among ``records``, or has come before."""


class ProgramRuns(NamedTuple):
    """How often a program in the kernel has run, and for how long in all."""

    name: str
    runs: int
    time_ns: int
    ours: bool
    """Whether it runs in this process, whose processor time includes it; else it runs with the traffic."""


class Source(Protocol):
    """Where records come from.

    One thread makes all calls except ``close``, because a scan may take that thread into other network
    namespaces, and bring it back. No call waits for an event.

    ``time_ns`` of a record or entry is CLOCK_MONOTONIC. The names of other fields end in their units, except
    the rates of an entry, which are bytes per second. A field that a record does not have is 0, except that
    ``min_rtt_us`` without any sample, and ``last_*_ms`` of what has never happened, are UNKNOWN_U32.

    ``id`` and ``sock`` identify a connection: the id is unique in one run, and a socket has one connection at
    a time. A connection ends with a record of kind CLOSE, or with :meth:`ended`. An entry is of kind ENTRY.
    If it has no ``tgid``, its ``hold`` says who may have the socket: with SOCKET and FILE an earlier holder
    stays, with UNSEEN besides it becomes unknown. An entry in state LISTEN is of a listener, which ``sock``
    alone identifies, and has ``queue`` to ``drops``.
    Samples come combined, those of one ``window_start`` in one record, or singly in ``single_rtt_us``.
    No record has the fields in :attr:`lacking`. A source that sees no samples has ``rtt_samples`` among
    these; its entries have each new smoothed RTT as a single sample.

    The opener of a source closes it once, after the last call of that thread.
    """

    @property
    def hook(self) -> str:
        """Where the source sees segments: the name that is shown, and written into the stream's header."""
        ...

    @property
    def hook_note(self) -> str:
        """Why the hook is not the first choice; empty if it is."""
        ...

    @property
    def lacking(self) -> frozenset[str]:
        """The fields of a row that the source does not know of any connection."""
        ...

    @property
    def polls(self) -> bool:
        """Whether only scans bring data, so that they have to be as frequent as their cost allows."""
        return False

    @property
    def missed(self) -> str:
        """What the source misses compared with BPF, in a few words; empty if nothing."""
        return ""

    @property
    def problem(self) -> str:
        """What the source cannot do any more, and the remedy; empty if nothing has failed."""
        return ""

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """The sockets without rows that the latest scan of each network namespace has counted."""
        ...

    def set_report_interval(self, seconds: float) -> None:
        """Set the least time between two records of a socket; samples in between are reported together."""
        ...

    def read(self) -> Batch:
        """Take the records that have come since the previous read."""
        ...

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        """List every open socket, in parts of dtype ENTRY: one entry per descriptor of a socket, then one for
        each socket without a descriptor. Records of events before a part was made may still wait: call
        :meth:`read` before using the part.

        :param unheld: called once all descriptors have been listed; returns the network namespaces of the
            known connections without a descriptor
        :raises OSError: the scan cannot be done now; the parts before are void, and the next call begins anew
        """
        ...

    def interface_names(self, namespaces: Collection[int]) -> Mapping[tuple[int, int], bytes]:
        """The names of interfaces, by network namespace and index; unknown names are missing."""
        ...

    def trace(self, sock: int) -> None:
        """Report every ACK of this socket from now on, and of no other; 0 for none."""
        ...

    def ended(self, connections: Mapping[int, int]) -> list[int]:
        """The ids of those of these connections (socket to id) that are known to have ended, perhaps with a
        record that found no room.
        """
        ...

    def begin_counting(self) -> None:
        """Have the kernel count what our programs cost, which costs something by itself.

        :raises OSError: the kernel refuses, and nothing is counted
        """
        return

    def end_counting(self) -> tuple[ProgramRuns, ...]:
        """Stop counting, and return what each of our programs in the kernel has cost; empty if there is none.

        :raises OSError: the cost cannot be read; counting has stopped all the same
        """
        return ()

    def close(self) -> None:
        """Detach everything from the kernel."""
        ...
