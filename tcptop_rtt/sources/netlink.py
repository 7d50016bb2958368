"""Dumps of the kernel's sockets over netlink: checked datagrams, with the offset of each message.

The structures are ``struct nlmsghdr`` and ``struct nlmsgerr`` in include/uapi/linux/netlink.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Generator, Iterator
from typing import NamedTuple

_NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20  # include/uapi/linux/sock_diag.h
_ERROR, _DONE, _FIRST_OF_PROTOCOL = 2, 3, 0x10
_REQUEST, _DUMP_INTERRUPTED, _DUMP = 0x1, 0x10, 0x300

HEADER = struct.Struct("=IHHII")
_SAME_BYTES = 12
"""The size of a header without its last field, the port: length, kind, flags and sequence number."""
_NUMBER = struct.Struct("=i")
_MOST_ERRNO = 4095  # include/linux/err.h

BUFFER_BYTES = 1 << 16
"""The kernel sends 32 KiB at a time, if the buffer has room for it."""
PART_BYTES = 1 << 22
"""About how much of a dump is yielded at once: numpy has a cost per array."""
TRIES = 4


class Messages(NamedTuple):
    """Some messages of a dump."""

    raw: bytes
    starts: list[int]
    """The offset in ``raw`` of each message's header."""


def connected_socket() -> socket.socket:
    """A socket for sock_diag(7) in the network namespace of this thread.

    :raises OSError: the kernel has no such sockets, or there is no free descriptor
    """
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    try:
        made.bind((0, 0))
        made.connect((0, 0))  # only the kernel may answer
    except BaseException:
        made.close()
        raise
    return made


class Netlink:
    """A netlink socket. It shows the network namespace that it was opened in, wherever the caller is.

    :param connected: a socket of :func:`connected_socket`, which this object then owns; None to open one
    :param buffer_bytes: the initial size of the buffer, which grows for a longer datagram
    :raises OSError: the kernel has no such sockets, or there is no free descriptor
    """

    def __init__(self, connected: socket.socket | None = None, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._buffer = bytearray(buffer_bytes)
        self._sequence = 0
        self._socket = connected or connected_socket()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def dump(self, request: bytes, part_bytes: int = PART_BYTES) -> Iterator[Messages]:
        """Yield all messages that a request selects.

        A message may come twice, because a dump that was interrupted is made once more.

        :raises OSError: the kernel refuses the dump, or interrupts it each time
        """
        for _ in range(TRIES):
            interrupted = yield from self._dump(request, part_bytes)
            if not interrupted:
                return
        raise OSError(errno.EINTR, "the list of sockets changes all the time")

    def _dump(self, request: bytes, part_bytes: int) -> Generator[Messages, None, bool]:
        """Make a dump once, and return whether the kernel has interrupted it."""
        self._sequence += 1
        length = HEADER.size + len(request)
        flags = _REQUEST | _DUMP
        self._socket.send(HEADER.pack(length, SOCK_DIAG_BY_FAMILY, flags, self._sequence, 0) + request)
        datagrams: list[bytes] = []
        starts: list[int] = []
        size, done, interrupted = 0, False, False
        while not done:
            datagram = self._receive()
            found, done, cut = parse_datagram(datagram, self._sequence)
            interrupted |= cut
            starts += [size + start for start in found]
            datagrams.append(datagram)
            size += len(datagram)
            if starts and (done or size >= part_bytes):
                yield Messages(b"".join(datagrams), starts)
                datagrams, starts, size = [], [], 0
        return interrupted

    def _receive(self) -> bytes:
        # The datagram's length is asked for first: what does not fit into the buffer would be lost.
        size = self._socket.recvmsg_into([], 0, socket.MSG_PEEK | socket.MSG_TRUNC)[0]
        if size > len(self._buffer):
            self._buffer = bytearray(size)
        size = self._socket.recv_into(self._buffer)
        return bytes(memoryview(self._buffer)[:size])


def parse_datagram(datagram: bytes, sequence: int) -> tuple[list[int], bool, bool]:
    """The offsets of a dump's messages in a datagram, whether the dump is complete, and whether the kernel
    has interrupted it.

    :param sequence: number of the dump; messages of another dump, which was given up, are ignored
    :raises OSError: the kernel reports an error, or the bytes are no netlink datagram
    """
    starts: list[int] = []
    done = interrupted = False
    at = 0
    while at + HEADER.size <= len(datagram):
        length, kind, flags, own, _ = HEADER.unpack_from(datagram, at)
        if length < HEADER.size or at + length > len(datagram):
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        step = length + 3 & ~3
        if own == sequence:
            interrupted |= bool(flags & _DUMP_INTERRUPTED)
            if kind in (_ERROR, _DONE):
                done = True
                if length >= HEADER.size + _NUMBER.size:
                    _check(_NUMBER.unpack_from(datagram, at + HEADER.size)[0])
            elif kind >= _FIRST_OF_PROTOCOL:
                alike = range(at, at + _alike(datagram, at, step) * step, step)
                starts += alike
                at = alike[-1]
        at += step
    return starts, done, interrupted


def _alike(datagram: bytes, at: int, step: int) -> int:
    """How many messages in a row have the same header. Parsing each by itself would take three times as long.

    :param step: bytes from one message to the next
    """
    count = (len(datagram) - at) // step
    header = datagram[at : at + _SAME_BYTES]
    headers = struct.iter_unpack(f"{_SAME_BYTES}s{step - _SAME_BYTES}x", datagram[at : at + count * step])
    return next((number for number, found in enumerate(headers) if found[0] != header), count) or 1


def _check(result: int) -> None:
    if result < 0:
        number = -result if result >= -_MOST_ERRNO else errno.EBADMSG
        raise OSError(number, os.strerror(number))
