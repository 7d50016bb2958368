"""Dumps of sockets: what the kernel sends in this very run, whole and spoilt."""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop_rtt.sources.diag_messages import CONNECTIONS, LISTENERS, connections
from tcptop_rtt.sources.netlink import HEADER, TRIES, Netlink, parse_datagram
from tests.live.pairs import Pair, connected, port_of

_ERROR, _DONE = 2, 3
_INTERRUPTED = 0x10


class Substitute:
    """Stands for the kernel's end: answers each request with the datagrams that it is given."""

    def __init__(self, netlink: Netlink, *answers: list[bytes]) -> None:
        self.requests: list[bytes] = []
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        netlink._socket.close()
        netlink._socket = theirs
        self._thread = threading.Thread(target=self._serve, args=(answers,))
        self._thread.start()

    def _serve(self, answers: tuple[list[bytes], ...]) -> None:
        for answer in answers:
            request = self._ours.recv(1000)
            if not request:
                return  # nobody asks any more
            self.requests.append(request)
            (sequence,) = struct.unpack_from("=I", request, 8)
            for datagram in answer:
                self._ours.send(with_sequence(datagram, sequence))

    def close(self) -> None:
        self._ours.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._ours.close()


def messages_of(datagram: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Of each message its place, length, kind and flags."""
    at = 0
    while at < len(datagram):
        length, kind, flags, _, _ = HEADER.unpack_from(datagram, at)
        yield at, length, kind, flags
        at += length + 3 & ~3


def with_sequence(datagram: bytes, sequence: int) -> bytes:
    changed = bytearray(datagram)
    for at, *_ in messages_of(datagram):
        struct.pack_into("=I", changed, at + 8, sequence)
    return bytes(changed)


def with_flags(datagram: bytes, more: int) -> bytes:
    changed = bytearray(datagram)
    for at, _, _, flags in messages_of(datagram):
        struct.pack_into("=H", changed, at + 6, flags | more)
    return bytes(changed)


def captured(request: bytes = CONNECTIONS[0]) -> list[bytes]:
    """The datagrams that the kernel answers now."""
    datagrams: list[bytes] = []
    with closing(Netlink()) as netlink:
        receive = netlink._receive
        netlink._receive = lambda: datagrams.append(receive()) or datagrams[-1]  # type: ignore[method-assign, func-returns-value]
        for _ in netlink.dump(request):
            pass
    return datagrams


@pytest.fixture(scope="module")
def pairs() -> Iterator[list[Pair]]:
    opened = [connected() for _ in range(40)]
    yield [pair.__enter__() for pair in opened]
    for pair in opened:
        pair.__exit__(None, None, None)


def ports(netlink: Netlink, part_bytes: int = 1 << 20) -> list[int]:
    parts = netlink.dump(CONNECTIONS[0], part_bytes)
    return [port for part in parts for port in connections(part, 1).entries["lport"].tolist()]


def test_every_socket_comes_once_in_however_many_parts(pairs: list[Pair]) -> None:
    wanted = sorted(port_of(end) for pair in pairs for end in pair)
    for part_bytes in (1, 1 << 20):
        with closing(Netlink()) as netlink:
            found = ports(netlink, part_bytes)
        assert sorted(port for port in found if port in wanted) == wanted


def test_a_datagram_longer_than_the_buffer_makes_it_grow_and_nothing_is_missing(pairs: list[Pair]) -> None:
    wanted = {port_of(end) for pair in pairs for end in pair}
    with closing(Netlink(buffer_bytes=100)) as netlink:
        assert wanted <= set(ports(netlink))
        assert len(netlink._buffer) > 100


@pytest.mark.usefixtures("pairs")
def test_an_interrupted_dump_is_made_once_more() -> None:
    whole = captured()
    cut = [with_flags(datagram, _INTERRUPTED) for datagram in whole]
    with closing(Netlink()) as netlink, closing(Substitute(netlink, cut, whole)) as kernel:
        found = ports(netlink)
        assert len(kernel.requests) == 2
    with closing(Netlink()) as netlink, closing(Substitute(netlink, whole)):
        once = ports(netlink)
    assert found == once * 2
    assert len(once) >= 80


@pytest.mark.usefixtures("pairs")
def test_a_dump_that_is_interrupted_each_time_is_an_error() -> None:
    cut = [with_flags(datagram, _INTERRUPTED) for datagram in captured()]
    with closing(Netlink()) as netlink, closing(Substitute(netlink, *[cut] * TRIES)) as kernel:
        with pytest.raises(OSError, match="changes all the time"):
            ports(netlink)
        assert len(kernel.requests) == TRIES


def test_what_the_kernel_refuses_is_an_error_with_its_number() -> None:
    no_family = bytes([255]) + LISTENERS[0][1:]
    with closing(Netlink()) as netlink, pytest.raises(OSError, match="Errno") as refused:
        list(netlink.dump(no_family))
    assert refused.value.errno in (errno.ENOENT, errno.EINVAL)


def _message(kind: int, payload: bytes = b"", flags: int = 0, sequence: int = 7) -> bytes:
    return HEADER.pack(HEADER.size + len(payload), kind, flags, sequence, 0) + payload


def _number(value: int) -> bytes:
    return struct.pack("=i", value)


def test_done_ends_a_dump_also_where_it_tells_of_an_error() -> None:
    assert parse_datagram(_message(_DONE, _number(0)), 7) == ([], True, False)
    assert parse_datagram(_message(_DONE), 7) == ([], True, False)
    with pytest.raises(OSError, match="Cannot allocate memory") as failed:
        parse_datagram(_message(_DONE, _number(-errno.ENOMEM)), 7)
    assert failed.value.errno == errno.ENOMEM
    with pytest.raises(PermissionError):
        parse_datagram(_message(_ERROR, _number(-errno.EPERM) + bytes(16)), 7)
    # An acknowledgement.
    assert parse_datagram(_message(_ERROR, _number(0) + bytes(16)), 7) == ([], True, False)


@pytest.mark.parametrize("number", [-4096, -(1 << 31)])
def test_a_number_of_no_error_is_a_bad_message(number: int) -> None:
    with pytest.raises(OSError, match="Bad message"):
        parse_datagram(_message(_ERROR, _number(number)), 7)


def test_messages_of_a_dump_that_was_given_up_count_for_nothing() -> None:
    old, new = _message(20, bytes(72), sequence=6), _message(20, bytes(72))
    done = _message(_DONE, _number(0), sequence=6)
    assert parse_datagram(old + done + new, 7) == ([len(old) + len(done)], False, False)


@given(
    st.lists(st.sampled_from([(20, 72, 7), (20, 73, 7), (20, 72, 6), (21, 72, 7), (1, 72, 7)]), max_size=40)
)
def test_each_message_is_found_whatever_stands_beside_it(of: list[tuple[int, int, int]]) -> None:
    padded = [_message(kind, bytes(size + 3 & ~3), sequence=own) for kind, size, own in of]
    for number, (_, size, _) in enumerate(of):
        padded[number] = struct.pack("=I", HEADER.size + size) + padded[number][4:]
    datagram = b"".join(padded)
    expected = [
        at
        for (at, *_), (kind, _, own) in zip(messages_of(datagram), of, strict=True)
        if (own, kind > 1) == (7, True)
    ]
    assert parse_datagram(datagram, 7) == (expected, False, False)


@pytest.mark.parametrize("length", [0, 15, 1000])
def test_a_length_that_cannot_be_ends_it(length: int) -> None:
    spoilt = bytearray(_message(20, bytes(72)))
    struct.pack_into("=I", spoilt, 0, length)
    with pytest.raises(OSError, match="Bad message"):
        parse_datagram(bytes(spoilt), 7)
