"""The kernel side as a source of records: drains the ring buffer, runs the scans."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from tcptop_rtt.sources.record import CONTROL, ENTRY, RECORD, Batch, Records
from tcptop_rtt.sources.ringbuf import RingBuffer

if TYPE_CHECKING:
    from tcptop_rtt.sources.program import Program


class Probe:
    """Every TCP socket of the machine, as the kernel knows it.

    :param program: attached; closed together with this
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self.hook = program.hook
        self.hook_note = program.hook_note
        self._ring = RingBuffer(program.ring_fd, program.ring_bytes, RECORD)
        self._control = np.zeros(1, CONTROL)
        self._next_interval()

    def read(self) -> Batch:
        """Begin a new interval, and take what the one before has left in the ring buffer."""
        self._next_interval()
        return Batch(self._ring.read(), self._program.lost())

    def scan(self) -> Records:
        """One pass over every open TCP socket: of dtype ``ENTRY``, one per descriptor, shape (N,)."""
        fd = self._program.open_scan()
        chunks = []
        try:
            while True:
                try:
                    chunk = os.read(fd, 1 << 20)
                except BlockingIOError:
                    continue  # bpf_seq_read() pauses after a million files without a socket
                if not chunk:
                    break
                chunks.append(chunk)
        finally:
            os.close(fd)
        return np.frombuffer(b"".join(chunks), ENTRY)

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
        self._program.write_control(self._control.tobytes())

    def _next_interval(self) -> None:
        self._control["interval"] += 1
        self._program.write_control(self._control.tobytes())

    def close(self) -> None:
        """Detach everything."""
        self._ring.close()
        self._program.close()
