"""Finds by which descriptors a process holds a socket, and which of its threads are blocked on it."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tcptop_rtt.model.outside import read_bytes
from tcptop_rtt.model.reach import SocketUse

SOCKETS_BYTES = 4 << 20
"""How much of a list of sockets is read: some 25,000 sockets."""
_LINE_BYTES = 4096
_PATIENCE_S = 0.02
_AGAIN_S = 5.0


class Socket(NamedTuple):
    """A connection, and a process that holds it."""

    pid: int
    laddr: bytes  # 16 bytes, IPv4 addresses v4-mapped
    lport: int
    raddr: bytes
    rport: int


ENDS = Socket._fields[1:]
"""The fields of a row that identify a socket."""


class UseWatch:
    """Looks at one socket at a time, in a thread of its own; callers get the latest result.

    :param look: called with the PID and the socket's inode number
    :param find: returns the inode number of a socket; 0 if not known
    """

    def __init__(
        self,
        look: Callable[[int, int], SocketUse | None],
        find: Callable[[Socket], int] | None = None,
    ) -> None:
        self._look = look
        self._find = find or inode_of
        self._wanted: Socket | None = None
        self._inode = 0
        self._next_find_s = 0.0
        self._found: SocketUse | None = None
        self._thread: threading.Thread | None = None

    def of(self, wanted: Socket) -> SocketUse | None:
        """The latest result for a socket; None if there is none, or none yet."""
        if self._thread is None or not self._thread.is_alive():
            if wanted != self._wanted:
                self._wanted, self._inode, self._found, self._next_find_s = wanted, 0, None, 0.0
            thread = threading.Thread(target=self._run, args=(wanted,), name="socket-use", daemon=True)
            with suppress(RuntimeError):  # no more threads can be started now
                thread.start()
                self._thread = thread
                thread.join(_PATIENCE_S)
        return self._found if wanted == self._wanted else None

    def _run(self, wanted: Socket) -> None:
        try:
            if not self._inode and time.monotonic() >= self._next_find_s:
                self._next_find_s = time.monotonic() + _AGAIN_S
                self._inode = self._find(wanted)
            self._found = self._look(wanted.pid, self._inode) if self._inode else None
        except OSError:
            self._found = None  # the process has ended, or may not be read


def inode_of(wanted: Socket) -> int:
    """The inode number of a socket, from the list of its process's network namespace; 0 if not listed.

    :raises OSError: the list cannot be read
    """
    for name, start in (("tcp", 12), ("tcp6", 0)):
        ends = f" {_end(wanted.laddr[start:], wanted.lport)} {_end(wanted.raddr[start:], wanted.rport)} "
        text = read_bytes(f"/proc/{wanted.pid}/net/{name}", SOCKETS_BYTES)
        at = text.find(ends.encode())
        if at >= 0:
            fields = text[at : at + _LINE_BYTES].partition(b"\n")[0].split()
            return int(fields[8]) if len(fields) > 8 else 0
    return 0


def _end(address: bytes, port: int) -> str:
    """An address and port in the format of proc_net_tcp(5): words in the machine's byte order."""
    words = struct.unpack(f"={len(address) // 4}I", address)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"
