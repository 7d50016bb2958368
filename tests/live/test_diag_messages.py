"""The kernel's answers, as it gives them in this very run, beside what each socket says of itself."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing

import numpy as np
import pytest

from tcptop_rtt.model.records import Direction, Hold, Kind
from tcptop_rtt.model.rows import UNKNOWN_U32
from tcptop_rtt.sources.diag_messages import (
    CONNECTIONS,
    LACKING,
    LISTENERS,
    Connections,
    connections,
    lacking_by,
    listeners,
)
from tcptop_rtt.sources.netlink import HEADER, Messages, Netlink
from tests.live.pairs import Pair, connected, fill, overflowing, port_of, round_trip
from tests.ports import serve
from tests.waiting import becomes

NOW_NS = 10**15
_INFO, _CONG = 2, 4
_MESSAGE_BYTES = 72


def dumped(request: bytes) -> Messages:
    with closing(Netlink()) as netlink:
        (found,) = list(netlink.dump(request, 1 << 24))
    return found


def one(found: Connections, end: socket.socket) -> np.void:
    entries = found.entries
    here = (entries["lport"] == port_of(end)) & (entries["rport"] == end.getpeername()[1])
    entry: np.void
    (entry,) = entries[here]
    return entry


@pytest.fixture
def pair() -> Iterator[Pair]:
    with connected() as pair:
        for _ in range(20):
            round_trip(pair)
        pair[0].sendall(b"unread")
        # Its clocks go on until then.
        assert becomes(lambda: not any(unacked_segments(end) for end in pair))
        yield pair


def unacked_segments(end: socket.socket) -> int:
    count: int = struct.unpack_from("=I", end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 24)[0]
    return count


def told_by_itself(end: socket.socket) -> dict[str, int]:
    """The same by getsockopt(TCP_INFO), whose layout is the same; in words of 32 bits."""
    raw = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    words = struct.unpack_from(f"={len(raw) // 4}I", raw)
    longs = {"bytes_acked": 120, "bytes_received": 128, "pacing_rate": 104, "busy_us": 168}
    return {
        **{name: struct.unpack_from("=Q", raw, place)[0] for name, place in longs.items()},
        "srtt_us": words[17],
        "rttvar_us": words[18],
        "ssthresh": words[19],
        "cwnd": words[20],
        "rto_us": words[2],
        "mss": words[4],
        "retrans": words[25],
        "segs_in": words[35],
        "notsent_bytes": words[36],
        "min_rtt_us": words[37],
        "data_segs_in": words[38],
        "data_segs_out": words[39],
        "dsack_dups": words[54],
        "snd_wnd_bytes": words[57],
    }


def test_a_connection_is_told_as_the_socket_tells_of_itself(pair: Pair) -> None:
    found = connections(dumped(CONNECTIONS[0]), NOW_NS)
    for end in pair:
        entry, itself = one(found, end), told_by_itself(end)
        assert {name: int(entry[name]) for name in itself} == itself
        assert entry["kind"] == Kind.ENTRY
        assert (entry["family"], entry["state"], entry["time_ns"]) == (4, 1, NOW_NS)
        assert entry["laddr"].tobytes() == entry["raddr"].tobytes() == bytes(10) + b"\xff\xff\x7f\0\0\1"
        assert entry["inode"] == os.fstat(end.fileno()).st_ino
        assert entry["hold"] == Hold.SOCKET | Hold.FILE | Hold.UNSEEN
        assert entry["sock"] == struct.unpack("=Q", end.getsockopt(socket.SOL_SOCKET, 57, 8))[0]
        algorithm = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        assert entry["congestion_control"] == algorithm.rstrip(b"\0")
        assert entry["uid"] == os.getuid()
    client, server = (one(found, end) for end in pair)
    assert (client["recv_q_bytes"], server["recv_q_bytes"]) == (0, len(b"unread"))
    length = len(pair[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1024))
    assert found.lacking == lacking_by(length) <= {"rcv_wnd_bytes"}  # Linux 6.2
    # The latest sample came with the ACK of what was sent last.
    assert 0 < client["sampled_us"] <= NOW_NS // 1000


def test_ipv6_and_ipv4_over_ipv6_are_told_apart() -> None:
    with ExitStack() as opened:
        real = opened.enter_context(connected("::1", socket.AF_INET6))
        listener = opened.enter_context(
            socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        )
        mapped = opened.enter_context(socket.create_connection(("127.0.0.1", port_of(listener))))
        accepted = opened.enter_context(listener.accept()[0])
        found = connections(dumped(CONNECTIONS[1]), NOW_NS)
        for end in real:
            entry = one(found, end)
            assert (entry["family"], ipaddress.ip_address(entry["laddr"].tobytes())) == (
                6,
                ipaddress.ip_address("::1"),
            )
        entry = one(found, accepted)
        assert entry["family"] == 4
        assert entry["raddr"].tobytes() == bytes(10) + b"\xff\xff\x7f\0\0\1"
        assert entry["rport"] == port_of(mapped)


def test_a_socket_that_waits_to_be_accepted_has_no_file_and_one_that_was_left_is_dead() -> None:
    with ExitStack() as opened:
        listener = opened.enter_context(serve())
        client = opened.enter_context(socket.create_connection(listener.getsockname()))
        entries = connections(dumped(CONNECTIONS[0]), NOW_NS).entries
        (waiting,) = entries[(entries["lport"] == port_of(listener)) & (entries["rport"] == port_of(client))]
        assert (waiting["inode"], waiting["hold"]) == (0, 0)
        server = opened.enter_context(listener.accept()[0])
        port = port_of(client)
        fill(server)  # so that it stays
        server.close()
        entries = connections(dumped(CONNECTIONS[0]), NOW_NS).entries
        (left,) = entries[(entries["lport"] == port_of(listener)) & (entries["rport"] == port)]
        assert (left["inode"], left["hold"]) == (0, Hold.DEAD)
        assert left["notsent_bytes"] > 0
        # A window too small for a segment worth sending holds it up, too.
        assert left["unacked_bytes"] > 0 or left["snd_wnd_bytes"] < left["notsent_bytes"]


def test_a_connect_without_an_answer_is_ours_and_has_never_sent_nor_received() -> None:
    with ExitStack() as opened:
        listener = opened.enter_context(serve(backlog=0))
        opened.enter_context(overflowing(listener, 4))
        found = connections(dumped(CONNECTIONS[0]), NOW_NS)
        entries = found.entries
        opening = entries[(entries["rport"] == port_of(listener)) & (entries["state"] == 2)]
        assert len(opening) >= 1
        assert set(opening["direction"].tolist()) == {Direction.OUT}
        assert set(opening["last_sent_ms"].tolist() + opening["last_received_ms"].tolist()) == {UNKNOWN_U32}
        assert set(opening["sampled_us"].tolist()) == {0}


def test_listeners_have_their_queue_its_limit_and_what_they_drop() -> None:
    with ExitStack() as opened:
        listener = opened.enter_context(serve(backlog=3))
        opened.enter_context(overflowing(listener, 8))
        entries = listeners(dumped(LISTENERS[0]), NOW_NS)
        (entry,) = entries[entries["lport"] == port_of(listener)]
        assert (entry["queue"], entry["queue_limit"]) == (4, 3)
        assert entry["drops"] >= 1
        assert entry["inode"] == os.fstat(listener.fileno()).st_ino
        assert set(entries["state"].tolist()) == {10}


def _attributes(message: bytes) -> list[tuple[int, bytes]]:
    found, at = [], HEADER.size + _MESSAGE_BYTES
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        found.append((kind, message[at + 4 : at + length]))
        at += length + 3 & ~3
    return found


def _message(of: bytes, attributes: list[tuple[int, bytes]]) -> bytes:
    body = of[HEADER.size : HEADER.size + _MESSAGE_BYTES]
    for kind, value in attributes:
        body += struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    return HEADER.pack(HEADER.size + len(body), *HEADER.unpack_from(of)[1:]) + body


def _single(found: Messages, port: int) -> bytes:
    for start in found.starts:
        (length,) = struct.unpack_from("=I", found.raw, start)
        if struct.unpack_from(">H", found.raw, start + HEADER.size + 4) == (port,):
            return found.raw[start : start + length]
    raise AssertionError(port)


def _joined(*messages: bytes) -> Messages:
    raw, starts = b"", []
    for message in messages:
        starts.append(len(raw))
        raw += message + bytes(-len(message) % 4)
    return Messages(raw, starts)


def test_messages_of_all_lengths_and_orders_of_attributes_are_told_alike(pair: Pair) -> None:
    message = _single(dumped(CONNECTIONS[0]), port_of(pair[0]))
    attributes = _attributes(message)
    others = [
        _message(message, list(reversed(attributes))),
        _message(message, [(99, b"something new"), *attributes, (98, b"")]),
        _message(
            message,
            [(kind, b"bbr\0garbage") if kind == _CONG else (kind, value) for kind, value in attributes],
        ),
        _message(message, [one for one in attributes if one[0] != _CONG]),
    ]
    entries = connections(_joined(message, *others), NOW_NS).entries
    names = entries["congestion_control"].tolist()
    assert names == [names[0]] * 3 + [b"bbr", b""]
    assert names[0]
    entries["congestion_control"] = b""
    assert {entry.tobytes() for entry in entries} == {entries[0].tobytes()}
    assert entries[0]["srtt_us"] > 0


def test_an_older_kernel_tells_less_and_says_what(pair: Pair) -> None:
    message = _single(dumped(CONNECTIONS[0]), port_of(pair[0]))
    cut = [(kind, value[:192] if kind == _INFO else value) for kind, value in _attributes(message)]
    found = connections(_joined(_message(message, [*cut, (98, b"\xff" * 60)])), NOW_NS)
    (entry,) = found.entries
    assert found.lacking == {"dsack_dups", "snd_wnd_bytes", "rcv_wnd_bytes"}
    assert [int(entry[name]) for name in found.lacking] == [0, 0, 0]
    assert (entry["srtt_us"], entry["busy_us"]) == (
        told_by_itself(pair[0])["srtt_us"],
        told_by_itself(pair[0])["busy_us"],
    )
    assert lacking_by(104) >= {"pacing_rate_bps", "delivery_rate_bps", "bytes_acked", "min_rtt_us"}


def test_an_attribute_with_a_length_that_cannot_be_ends_its_message_alone(pair: Pair) -> None:
    message = _single(dumped(CONNECTIONS[0]), port_of(pair[0]))
    for length in (0, 3, 60_000):
        spoilt = bytearray(message)
        struct.pack_into("=H", spoilt, HEADER.size + _MESSAGE_BYTES, length)
        found = connections(_joined(bytes(spoilt), message), NOW_NS)
        assert len(found.entries) in (1, 2)
        assert found.entries[-1]["srtt_us"] > 0


def test_what_is_no_whole_socket_is_counted_or_left_out(pair: Pair) -> None:
    message = _single(dumped(CONNECTIONS[0]), port_of(pair[0]))
    states = {}
    for state in (3, 5):  # a handshake, and what is left of a connection
        bare = bytearray(_message(message, [one for one in _attributes(message) if one[0] != _INFO]))
        bare[HEADER.size + 1] = state
        states[state] = connections(_joined(bytes(bare)), NOW_NS)
    assert [len(found.entries) for found in states.values()] == [0, 0]
    assert [found.syn_recv for found in states.values()] == [1, 0]


def test_a_sample_is_as_old_as_the_ack_of_the_latest_data(pair: Pair) -> None:
    message = _single(dumped(CONNECTIONS[0]), port_of(pair[0]))

    def sampled_us(**fields: int) -> int:
        places = {"unacked": 24, "last_data_sent": 44, "last_ack_recv": 56, "rtt": 68, "bytes_acked": 120}
        info = bytearray(dict(_attributes(message))[_INFO])
        for name, value in ({"unacked": 0, "rtt": 2000, "bytes_acked": 500} | fields).items():
            struct.pack_into("=Q" if name == "bytes_acked" else "=I", info, places[name], value)
        (entry,) = connections(_joined(_message(message, [(_INFO, bytes(info))])), NOW_NS).entries
        return NOW_NS // 1000 - int(entry["sampled_us"])

    # An answer later than the ACK is no sample; one RTT after the data there was one.
    assert sampled_us(last_data_sent=9000, last_ack_recv=100) == 8_998_000
    assert sampled_us(last_data_sent=9000, last_ack_recv=8999) == 8_999_000
    # With data on its way, the sample came with the latest ACK.
    assert sampled_us(last_data_sent=10, last_ack_recv=700, unacked=3) == 700_000
    # None has ever come.
    assert sampled_us(last_data_sent=9, last_ack_recv=9, bytes_acked=1) == NOW_NS // 1000
    assert sampled_us(last_data_sent=9, last_ack_recv=9, rtt=0) == NOW_NS // 1000


def test_what_is_never_told_are_fields_of_a_row() -> None:
    from tcptop_rtt.model.rows import ROW

    assert set(ROW.names or ()) >= LACKING
    assert lacking_by(0) <= set(ROW.names or ())
