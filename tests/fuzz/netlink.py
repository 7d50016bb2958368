"""What the kernel answers over netlink: a datagram to entries."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from tcptop_rtt.model.records import ENTRY
from tcptop_rtt.sources.diag_messages import connections, listeners
from tcptop_rtt.sources.netlink import HEADER, SOCK_DIAG_BY_FAMILY, Messages, parse_datagram

WORDS: tuple[str, ...] = ()
_SEQUENCE = 1
_MESSAGE_BYTES, _TCP_INFO_BYTES, _SKMEMINFO_BYTES = 72, 248, 36
_INFO, _CONG, _SKMEMINFO = 2, 4, 7


def _attribute(number: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), number) + data + bytes(-len(data) % 4)


def _message(*attributes: bytes, kind: int = SOCK_DIAG_BY_FAMILY) -> bytes:
    body = bytes([2, 1]) + bytes(range(_MESSAGE_BYTES - 2)) + b"".join(attributes)
    return HEADER.pack(HEADER.size + len(body), kind, 2, _SEQUENCE, 0) + body


def seeds() -> Iterable[bytes]:
    """Connections with and without their ends, a listener, and what ends a dump."""
    whole = _message(_attribute(_INFO, bytes(_TCP_INFO_BYTES)), _attribute(_CONG, b"cubic\0"))
    done = HEADER.pack(HEADER.size + 4, 3, 2, _SEQUENCE, 0) + bytes(4)
    yield whole + _message() + done
    yield _message(_attribute(_SKMEMINFO, bytes(_SKMEMINFO_BYTES))) + done
    yield _message(_attribute(_INFO, bytes(100)), _attribute(_CONG, b"x" * 40)) + whole[:-7]
    yield HEADER.pack(HEADER.size + 4, 2, 0, _SEQUENCE, 0) + struct.pack("=i", -1)


def check(data: bytes) -> None:
    """Nothing but OSError comes out, and there is an entry for each message with what it takes."""
    try:
        starts, _, _ = parse_datagram(data, _SEQUENCE)
    except OSError:
        return
    if not starts:
        return
    messages = Messages(data, starts)
    found = connections(messages, 10**15)
    assert found.entries.dtype == ENTRY
    assert len(found.entries) + found.syn_recv <= len(starts)
    assert len(listeners(messages, 10**15)) == len(starts)
