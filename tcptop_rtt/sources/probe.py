"""The BPF program as a source: drains the ring buffers, runs the scans."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.reach import Reach
from tcptop_rtt.model.records import CONTROL, ENTRY, INTERVAL_S, RECORD, Records
from tcptop_rtt.model.snapshot import Waiting
from tcptop_rtt.sources.base import NO_ENTRIES, Batch, ProgramRuns, Source
from tcptop_rtt.sources.interfaces import Interfaces
from tcptop_rtt.sources.jiffy import jiffy_s
from tcptop_rtt.sources.netns import Namespaces
from tcptop_rtt.sources.own_cost import RunTimes
from tcptop_rtt.sources.program import Program
from tcptop_rtt.sources.ringbuf import RingBuffer

PART_ENTRIES = 8192
"""About how many entries of a scan are in memory at once."""


class Probe(Source):
    """Every TCP socket of the machine, as the BPF program reports it.

    :param program: is attached; :meth:`close` closes it, too
    :param reach: finds network namespaces, and makes iterators there
    """

    def __init__(self, program: Program, reach: Reach) -> None:
        self._program = program
        self._reach = reach
        self._waiting: dict[int, Waiting] = {}
        self._ring = RingBuffer(program.ring_fd, RECORD)
        self._last = RingBuffer(program.last_fd, ENTRY) if program.last_fd is not None else None
        self._control_page = mmap.mmap(program.control_fd, mmap.PAGESIZE)
        self._control: NDArray[np.void] = np.frombuffer(self._control_page, CONTROL, 1)
        self._namespaces = Namespaces(reach)
        self._interfaces = Interfaces(reach)
        self._run_times = RunTimes(program.programs, reach.count_run_time)
        self._dropped_records = 0
        self._jiffy_s = jiffy_s()
        self.set_report_interval(INTERVAL_S)

    @property
    def hook(self) -> str:
        """Where the program sees segments."""
        return self._program.hook

    @property
    def hook_note(self) -> str:
        """Why the first choice of hook was refused; empty if it was not."""
        return self._program.hook_note

    @property
    def lacking(self) -> frozenset[str]:
        """The fields of a row that this kernel does not have."""
        return self._program.lacking

    @property
    def problem(self) -> str:
        """Why other processes and network namespaces are not seen any more; empty if they are."""
        return self._reach.problem

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """The sockets without rows that the latest scan of each network namespace has counted."""
        return tuple(self._waiting.values())

    def set_report_interval(self, seconds: float) -> None:
        """Set the least time between two records of a socket, in whole jiffies."""
        self._control["report_interval_jiffies"] = math.ceil(seconds / self._jiffy_s)

    def read(self) -> Batch:
        """Take what is in the ring buffers."""
        # Final entries are read first: the CLOSE record of a connection was written before its final entry.
        last = self._last.read() if self._last else NO_ENTRIES
        records = self._ring.read()
        dropped_records, untracked = (
            int(self._control[name][0]) for name in ("dropped_records", "untracked")
        )
        return Batch(records, dropped_records, untracked, last)

    def scan(self, unheld: Callable[[], Collection[int]] = tuple) -> Iterator[Records]:
        """List every descriptor of a socket, then the sockets without a descriptor: of the network namespaces
        that ``unheld`` returns, and at times of all.

        :raises OSError: the scan cannot be done now, as without a free descriptor
        """
        self._control["scan"] += 1
        yield from _parts(self._program.open_files())
        where, link = self._where(unheld()), self._program.sockets_link
        if link is None:
            return
        for netns in where:
            try:
                fd = self._reach.iterator_in(netns, link)
            except OSError:
                # The namespace is gone, or CAP_SYS_ADMIN is missing: the scan leaves it out.
                self._waiting.pop(netns, None)
                if netns == self._namespaces.ours:
                    raise
                continue
            self._control["time_wait"] = self._control["syn_recv"] = 0
            yield from _parts(fd)
            time_wait, syn_recv = (int(self._control[name][0]) for name in ("time_wait", "syn_recv"))
            self._waiting[netns] = Waiting(netns, time_wait, syn_recv)

    def _where(self, unheld: Collection[int]) -> Collection[int]:
        """The network namespaces to list: at times all, else only those in ``unheld``.

        Records report which connections open there, so all are listed again after a record was dropped.
        """
        lost, self._dropped_records = self._dropped_records, int(self._control["dropped_records"][0])
        if not self._namespaces.search(anew=self._dropped_records != lost):
            return unheld
        for gone in self._waiting.keys() - set(self._namespaces.found):
            del self._waiting[gone]
        return self._namespaces.found

    def interface_names(self, namespaces: Collection[int]) -> Mapping[tuple[int, int], bytes]:
        """The names of the interfaces in these network namespaces."""
        return self._interfaces.names(namespaces)

    def ended(self, connections: Mapping[int, int]) -> list[int]:
        """The ids of those of these connections, socket to id, that the kernel side has no longer."""
        return [
            connection
            for sock, connection in connections.items()
            if self._program.connection_at(sock) != connection
        ]

    def trace(self, sock: int) -> None:
        """Report every ACK of this socket from now on; 0 for none."""
        self._control["traced_sock"] = sock

    def begin_counting(self) -> None:
        """Have the kernel count what our programs cost."""
        self._run_times.begin()

    def end_counting(self) -> tuple[ProgramRuns, ...]:
        """Stop counting, and return what each of them has cost."""
        return self._run_times.end()

    def close(self) -> None:
        """Detach everything."""
        self._run_times.close()
        self._ring.close()
        if self._last:
            self._last.close()
        del self._control
        self._control_page.close()
        self._program.close()


def _parts(fd: int) -> Iterator[Records]:
    """Yield all entries that an iterator writes, in parts, and close its descriptor."""
    chunks: list[bytes] = []
    try:
        while True:
            try:
                chunk = os.read(fd, 1 << 20)
            except BlockingIOError:
                continue  # bpf_seq_read() pauses after a million objects without output
            chunks.append(chunk)
            if not chunk or sum(map(len, chunks)) >= PART_ENTRIES * ENTRY.itemsize:
                yield np.frombuffer(b"".join(chunks), ENTRY)
                chunks.clear()
            if not chunk:
                return
    finally:
        os.close(fd)
