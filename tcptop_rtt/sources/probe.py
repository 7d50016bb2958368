"""The kernel side as a source of records: drains the ring buffer, runs the scans."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.sources.netns import network_namespace_of
from tcptop_rtt.sources.record import CONTROL, ENTRY, INTERVAL_S, RECORD, Batch, Direction, Kind, Records
from tcptop_rtt.sources.ringbuf import RingBuffer

if TYPE_CHECKING:
    from tcptop_rtt.sources.program import Program


READERS_WATCHED_S = 2.0
"""After the latest accept."""


class Probe:
    """Every TCP socket of the machine, as the kernel knows it.

    :param program: attached; closed together with this
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self.hook = program.hook
        self.hook_note = program.hook_note
        self.unknown = program.unknown
        self._ring = RingBuffer(program.ring_fd, program.ring_bytes, RECORD)
        self._control_page = mmap.mmap(program.control_fd, mmap.PAGESIZE)
        self._control: NDArray[np.void] = np.frombuffer(self._control_page, CONTROL, 1)
        self._unheld_found = False
        self._readers_watched = False
        self._readers_watched_until = 0.0
        self._jiffy_s = program.jiffy_s
        self.set_interval(INTERVAL_S)

    def set_interval(self, seconds: float) -> None:
        """Between two records of a socket, at least; the samples meanwhile are told of together."""
        self._control["interval_jiffies"] = math.ceil(seconds / self._jiffy_s)

    def read(self) -> Batch:
        """Take what is in the ring buffer."""
        records = self._ring.read()
        self._watch_readers(records)
        return Batch(records, int(self._control["lost"][0]))

    def _watch_readers(self, records: Records) -> None:
        """While connections are being accepted; what lives long is named by a scan, the rest at its end."""
        now = time.monotonic()
        if ((records["kind"] == Kind.OPEN) & (records["direction"] == Direction.IN)).any():
            self._readers_watched_until = now + READERS_WATCHED_S
        watch = now <= self._readers_watched_until
        if watch != self._readers_watched:
            # It may fail, as without a free descriptor: the next read tries again.
            with contextlib.suppress(OSError):
                self._program.watch_readers(watch)
                self._readers_watched = watch

    def scan(self) -> Records:
        """One pass over every open TCP socket: of dtype ``ENTRY``, one per descriptor, shape (N,)."""
        entries = np.frombuffer(_read_all(self._program.open_files()), ENTRY)
        if not self._unheld_found:
            self._find_unheld(entries)
            self._unheld_found = True
        return entries

    def _find_unheld(self, entries: Records) -> None:
        """Make the sockets that are there without a descriptor known: the next read brings them."""
        self._report_sockets()
        # With more sockets than room, those of a second pass would be met as if for the first time.
        elsewhere = entries[entries["netns"] != os.stat("/proc/self/ns/net").st_ino]
        _, first = np.unique(elsewhere["netns"], return_index=True)
        for pid in elsewhere["tgid"][first].tolist():
            # Without CAP_SYS_ADMIN, or when the process has just gone, that namespace is done without.
            with contextlib.suppress(OSError), network_namespace_of(pid):
                self._report_sockets()

    def _report_sockets(self) -> None:
        fd = self._program.open_sockets()
        if fd is not None:
            _read_all(fd)

    def ended(self, connections: dict[int, int]) -> list[int]:
        """Which of these connections, socket to id, the kernel side knows no longer: their ids."""
        return [
            connection
            for sock, connection in connections.items()
            if self._program.connection_at(sock) != connection
        ]

    def focus(self, sock: int) -> None:
        """Report every ACK of this socket from now on; 0: of none."""
        self._control["focus"] = sock

    def close(self) -> None:
        """Detach everything."""
        self._ring.close()
        del self._control
        self._control_page.close()
        self._program.close()


def _read_all(fd: int) -> bytes:
    """All that an iterator has to say; closes it."""
    chunks: list[bytes] = []
    try:
        while True:
            try:
                chunk = os.read(fd, 1 << 20)
            except BlockingIOError:
                continue  # bpf_seq_read() pauses after a million objects that it had nothing to say of
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
    finally:
        os.close(fd)
