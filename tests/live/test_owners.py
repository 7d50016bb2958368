"""Who is said to own a socket, when that is not as plain as one process and one connection."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from tcptop_rtt.model.rows import STATES, Holder
from tcptop_rtt.model.snapshot import Snapshot, Waiting
from tests.live.conftest import HEALTH, Recording, Watch
from tests.live.link import Link
from tests.live.odd_sockets import FILL_AND_LEAVE, LEAVE_NO_WHOLE_SOCKETS, NEVER_ACCEPT, mptcp
from tests.live.pairs import connected, disconnect, port_of, round_trip
from tests.live.ss import ss
from tests.ports import serve
from tests.waiting import becomes

_IO_URING_SETUP, _IO_URING_REGISTER = 425, 427  # include/uapi/asm-generic/unistd.h
_IORING_REGISTER_FILES = 2  # include/uapi/linux/io_uring.h


@contextmanager
def _registered_with_io_uring(opened: socket.socket) -> Iterator[None]:
    """Meanwhile a ring holds the socket, whether it has a descriptor or not."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    ring = call(_IO_URING_SETUP, 4, ctypes.create_string_buffer(120))
    assert ring >= 0, os.strerror(ctypes.get_errno())
    try:
        files = (ctypes.c_int * 1)(opened.fileno())
        assert call(_IO_URING_REGISTER, ring, _IORING_REGISTER_FILES, files, 1) == 0
        yield
    finally:
        os.close(ring)


def _live(snapshot: Snapshot, lport: int, rport: int) -> list[dict[str, object]]:
    rows = snapshot.rows[(snapshot.rows["lport"] == lport) & (snapshot.rows["rport"] == rport)]
    names = (
        "id",
        "pid",
        "comm",
        "state",
        "direction",
        "closed",
        "stalled",
        "open_seen",
        "srtt_us",
        "age_ns",
        "unacked_bytes",
        "notsent_bytes",
        "recv_q_bytes",
        "holder",
        "was_pid",
        "was_comm",
        "scanned",
    )
    return [{name: row[name].item() for name in names} for row in rows if not row["closed"]]


def test_an_idle_connection_older_than_the_program_is_there_with_its_process() -> None:
    with connected(port_chosen=True) as (client, server):
        with closing(Watch()) as watch:
            snapshot = watch.look()
        (row,) = _live(snapshot, port_of(client), port_of(server))
        assert (row["pid"], row["open_seen"], row["direction"]) == (os.getpid(), False, 1)
        (row,) = _live(snapshot, port_of(server), port_of(client))
        assert row["pid"] == os.getpid()
        assert row["direction"] == 2  # its listener is gone, but its other end says so


def test_a_client_that_has_chosen_its_address_and_is_older_than_the_program_is_one() -> None:
    with (
        serve() as listener,
        socket.create_connection(listener.getsockname(), source_address=("127.0.0.2", 0)) as client,
        socket.create_server(("127.0.0.1", port_of(client))),  # another one's, at another address
        closing(Watch()) as watch,
    ):
        snapshot = watch.look()
        (row,) = _live(snapshot, port_of(client), port_of(listener))
        assert (row["open_seen"], row["direction"]) == (False, 1)


def test_a_new_connection_knows_its_direction_and_age(watch: Watch) -> None:
    with connected() as (client, server):
        snapshot = watch.look()
        (row,) = _live(snapshot, port_of(client), port_of(server))
        assert (row["direction"], row["open_seen"]) == (1, True)
        assert 0 < row["age_ns"] < 60e9  # type: ignore[operator]
        (row,) = _live(snapshot, port_of(server), port_of(client))
        assert (row["direction"], row["open_seen"]) == (2, True)


def _accept_and_wait(listener: socket.socket, ready: object) -> None:
    connection, _ = listener.accept()
    connection.recv(1)
    ready.set()  # type: ignore[attr-defined]
    time.sleep(30)


def test_a_pre_forked_servers_connection_belongs_to_the_child_that_accepted_it(watch: Watch) -> None:
    context = multiprocessing.get_context("fork")
    with serve() as listener:
        ready = [context.Event() for _ in range(3)]
        children = [
            context.Process(target=_accept_and_wait, args=(listener, event), daemon=True) for event in ready
        ]
        for child in children:
            child.start()
        clients = [socket.create_connection(listener.getsockname()) for _ in children]
        for client in clients:
            client.sendall(b"x")
        for event in ready:
            assert event.wait(10)
        snapshot = watch.look()
        owners = {_live(snapshot, port_of(listener), port_of(client))[0]["pid"] for client in clients}
        assert owners == {child.pid for child in children}
        for child in children:
            child.kill()
            child.join()
        for client in clients:
            client.close()


def _receive_descriptor(channel: socket.socket, done: object) -> None:
    _, (descriptor, *_), _, _ = socket.recv_fds(channel, 1, 1)
    done.set()  # type: ignore[attr-defined]
    time.sleep(30)
    os.close(descriptor)


def test_a_passed_descriptor_takes_the_connection_to_its_new_process(watch: Watch) -> None:
    context = multiprocessing.get_context("fork")
    here, there = socket.socketpair()
    done = context.Event()
    child = context.Process(target=_receive_descriptor, args=(there, done), daemon=True)
    child.start()  # before the connection exists, so that it inherits nothing
    with serve() as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    rport, lport = port_of(client), port_of(server)
    client.sendall(b"x")
    server.recv(1)
    assert _live(watch.look(), lport, rport)[0]["pid"] == os.getpid()

    socket.send_fds(here, [b"x"], [server.fileno()])
    assert done.wait(10)
    (row,) = _live(watch.look(), lport, rport)
    assert row["pid"] == os.getpid()  # both hold it: the one that used it is shown
    connection = int(row["id"])  # type: ignore[call-overload]
    watch.probe.trace(watch.connections.set_trace(connection))
    trace = watch.look().trace
    assert trace
    assert {holder.pid for holder in trace.holders} == {os.getpid(), child.pid}

    server.close()
    (row,) = _live(watch.look(), lport, rport)
    assert (row["id"], row["pid"]) == (connection, child.pid)
    child.kill()
    child.join()
    client.close()


def _connect_and_send(address: tuple[str, int], channel: socket.socket, may_send: object) -> None:
    with socket.create_connection(address) as client:
        assert may_send.wait(30)  # type: ignore[attr-defined]
        socket.send_fds(channel, [b"x"], [client.fileno()])


def test_a_process_that_ends_while_its_descriptor_is_on_its_way_is_not_shown_as_its_holder(
    watch: Watch,
) -> None:
    context = multiprocessing.get_context("fork")
    may_send = context.Event()
    here, there = socket.socketpair()
    with here, there, serve() as listener:
        child = context.Process(target=_connect_and_send, args=(listener.getsockname(), there, may_send))
        child.start()
        server, peer = listener.accept()
        ends = peer[1], port_of(listener)
        (row,) = _live(watch.look(), *ends)
        assert (row["pid"], row["holder"]) == (child.pid, Holder.PROCESS)
        may_send.set()
        child.join()
        (row,) = _live(watch.look(), *ends)
        assert (row["pid"], row["holder"], row["was_pid"]) == (0, Holder.UNKNOWN, child.pid)
        assert _note(watch, row) == f"was {row['was_comm'].decode()} ({child.pid}), gone"  # type: ignore[attr-defined]
        _, (descriptor, *_), _, _ = socket.recv_fds(here, 1, 1)
        (row,) = _live(watch.look(), *ends)
        assert (row["pid"], row["holder"]) == (os.getpid(), Holder.PROCESS)
        assert _note(watch, row) == ""
        os.close(descriptor)
        server.close()


def _note(watch: Watch, row: dict[str, object]) -> str:
    watch.connections.set_trace(int(row["id"]))  # type: ignore[call-overload]
    trace = watch.look().trace
    assert trace
    return trace.holder_note


def test_a_connection_that_waits_to_be_accepted_has_the_listeners_process_and_says_so(watch: Watch) -> None:
    with serve() as listener:
        client = socket.create_connection(listener.getsockname())
        client.sendall(b"request")
        (row,) = _live(watch.look(), port_of(listener), port_of(client))
        assert (row["pid"], row["holder"], row["direction"]) == (os.getpid(), Holder.LISTENER, 2)
        assert (row["scanned"], row["recv_q_bytes"]) == (True, 7)
        assert "accepted" in _note(watch, row)
        server, _ = listener.accept()
        (row,) = _live(watch.look(), port_of(listener), port_of(client))
        assert (row["pid"], row["holder"]) == (os.getpid(), Holder.PROCESS)
        server.close()
        client.close()


def test_a_connection_nobody_holds_is_there_though_it_is_older_than_the_program() -> None:
    with Link(delay_ms=1) as link:
        holder = link.run(link.b, sys.executable, "-c", NEVER_ACCEPT)
        assert holder.stdout
        rport = int(holder.stdout.readline())
        with (
            serve() as listener,
            socket.create_connection(listener.getsockname()) as client,
        ):
            with closing(Watch()) as watch:
                snapshot = watch.look()
            (row,) = _live(snapshot, port_of(listener), port_of(client))
            assert (row["pid"], row["holder"], row["direction"]) == (os.getpid(), Holder.LISTENER, 2)
        other = snapshot.rows[
            (snapshot.rows["lport"] == rport) & np.isin(snapshot.rows["netns"], [*link.namespaces])
        ]
        assert other["pid"].tolist() == [holder.pid]  # in the namespace of another process too
        holder.kill()
        holder.wait()


def test_an_orphan_has_nobody_and_says_who_had_it_and_what_it_still_has_to_send(watch: Watch) -> None:
    with serve() as listener:
        port = port_of(listener)
        command = [sys.executable, "-c", FILL_AND_LEAVE, str(port)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        lport = int(process.stdout.readline())
        server, _ = listener.accept()
        with server:
            (row,) = _live(watch.look(), lport, port)
            assert (row["pid"], row["holder"]) == (process.pid, Holder.PROCESS)
            process.communicate()
            (row,) = _live(watch.look(), lport, port)
            assert (row["pid"], row["comm"], row["holder"]) == (0, b"", Holder.NOBODY)
            assert (row["was_pid"], STATES[row["state"]]) == (process.pid, "FIN-WAIT-1")  # type: ignore[call-overload]
            assert f"({process.pid}), gone" in _note(watch, row)
            # The peer's window may open a little between the two looks.
            assert becomes(lambda: _to_send(watch, lport, port) == _send_q(lport, port))
            assert _send_q(lport, port) > 0
            with closing(Watch()) as later:
                (row,) = _live(later.look(), lport, port)
            assert (row["pid"], row["holder"], row["scanned"]) == (0, Holder.NOBODY, True)


def _to_send(watch: Watch, lport: int, rport: int) -> int:
    (row,) = _live(watch.look(), lport, rport)
    return int(row["notsent_bytes"]) + int(row["unacked_bytes"])  # type: ignore[call-overload,no-any-return]


def _send_q(lport: int, rport: int) -> int:
    (line,) = ss("-tnHO", "sport", f"= :{lport}", "dport", f"= :{rport}")
    return int(line.split()[2])


@pytest.mark.parametrize("when", ["before it", "after it"])
def test_the_sockets_below_an_mptcp_one_belong_to_its_process(when: str) -> None:
    with ExitStack() as opened:
        watch = opened.enter_context(closing(Watch())) if when == "after it" else None
        listener, client, _ = opened.enter_context(mptcp())
        watch = watch or opened.enter_context(closing(Watch()))
        snapshot = watch.look()
        for ends, direction in (
            ((port_of(client), port_of(listener)), 1),
            ((port_of(listener), port_of(client)), 2),
        ):
            (row,) = _live(snapshot, *ends)
            assert (row["pid"], row["holder"]) == (os.getpid(), Holder.PROCESS)
            assert (row["direction"], row["scanned"]) == (direction, True)
            assert _note(watch, row) == ""


def test_a_socket_connected_to_itself_is_one_connection_from_here(watch: Watch) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.connect(one.getsockname())
        one.sendall(b"x")
        one.recv(1)
        rows = watch.look().rows
    ours = rows[(rows["lport"] == rows["rport"]) & (rows["pid"] == os.getpid())]
    assert ours[["direction", "closed"]].tolist() == [(1, False)]


_FAST_OPEN = """
import socket
from pathlib import Path
Path("/proc/sys/net/ipv4/tcp_fastopen").write_text("519")  # without a cookie, at both ends
"""
_ANSWER_AT_ONCE = (
    _FAST_OPEN
    + """
listener = socket.create_server(("10.199.0.2", 8084))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
print("ready", flush=True)
server, _ = listener.accept()
server.recv(100)
server.sendall(b"answer")
print(server.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0], flush=True)
server.recv(100)
"""
)
_ASK_AT_ONCE = (
    _FAST_OPEN
    + """
client = socket.socket()
client.sendto(b"hello", socket.MSG_FASTOPEN, ("10.199.0.2", 8084))
print("ready", flush=True)
client.recv(100)
print("answered", flush=True)
client.recv(100)
"""
)


def test_fast_open_is_one_connection_from_its_first_moment(watch: Watch) -> None:
    with Link(delay_ms=1000) as link:
        server = link.start(link.b, _ANSWER_AT_ONCE)
        client = link.start(link.a, _ASK_AT_ONCE)
        assert server.stdout
        assert client.stdout
        assert int(server.stdout.readline()) == STATES.index("SYN-RECV")
        early = _of(watch, link, 8084)
        assert client.stdout.readline() == "answered\n"
        assert becomes(lambda: STATES[_of(watch, link, 8084)["state"]] == "ESTAB")
        late = _of(watch, link, 8084)
        for row in (early, late):
            assert (row["pid"], row["direction"]) == (server.pid, 2)
        assert early["id"] == late["id"]
        for process in (client, server):
            process.kill()
            process.wait()


def _of(watch: Watch, link: Link, lport: int) -> np.void:
    rows = watch.look().rows
    row: np.void
    (row,) = rows[(rows["lport"] == lport) & np.isin(rows["netns"], [*link.namespaces]) & ~rows["closed"]]
    return row


def test_what_was_ended_by_another_process_is_not_that_ones(watch: Watch) -> None:
    with serve() as listener:
        client = socket.create_connection(listener.getsockname())
        ends = (port_of(listener), port_of(client))
        ss("-K", "-tnHO", "sport", f"= :{ends[0]}", "dport", f"= :{ends[1]}")
        # Nobody had accepted it, and no scan has seen it.
        rows = watch.look().rows
        (row,) = rows[(rows["lport"] == ends[0]) & (rows["rport"] == ends[1])]
        assert (bool(row["closed"]), int(row["pid"])) == (True, 0)
        client.close()


def test_a_connection_that_the_peer_has_reset_is_named_when_its_process_lets_go(watch: Watch) -> None:
    with connected() as (client, server):
        ends = (port_of(server), port_of(client))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        watch.connections.ingest(watch.probe.read().records)
        (row,) = _rows(watch, *ends)
        assert (bool(row["closed"]), int(row["pid"])) == (True, 0)
        server.close()
        watch.connections.ingest(watch.probe.read().records)
        (row,) = _rows(watch, *ends)
        assert (bool(row["closed"]), int(row["pid"])) == (True, os.getpid())


def _rows(watch: Watch, lport: int, rport: int) -> NDArray[np.void]:
    rows = watch.connections.snapshot(HEALTH).rows
    found: NDArray[np.void] = rows[(rows["lport"] == lport) & (rows["rport"] == rport)]
    return found


def test_time_wait_and_syn_recv_are_counted_in_their_namespace(watch: Watch) -> None:
    with Link(delay_ms=1) as link:
        holder = link.start(link.a, LEAVE_NO_WHOLE_SOCKETS)
        netns = os.stat(f"/proc/{holder.pid}/ns/net").st_ino
        watch.look()
        assert Waiting(netns, 3, 2) in watch.probe.waiting
        holder.kill()
        holder.wait()


def test_a_socket_that_only_io_uring_has_is_a_row_without_a_process(watch: Watch) -> None:
    with ExitStack() as opened:
        client, server = opened.enter_context(connected())
        ports = port_of(server), port_of(client)
        client.sendall(b"question")
        opened.enter_context(_registered_with_io_uring(server))
        server.close()
        (row,) = _live(watch.look(), *ports)
        assert (row["state"], row["pid"], row["recv_q_bytes"]) == (STATES.index("ESTAB"), 0, len(b"question"))
        assert row["holder"] == Holder.UNKNOWN


def test_a_thread_is_shown_as_its_process(record: Callable[..., Recording]) -> None:
    recording = record("--interval", "0.2")
    code = (
        "import socket, threading, time, ctypes\n"
        "def work():\n"
        "    ctypes.CDLL(None).prctl(15, b'a-thread')\n"
        "    listener = socket.create_server(('127.0.0.1', 0))\n"
        "    client = socket.create_connection(listener.getsockname(), source_address=('127.0.0.1', 0))\n"
        "    print(client.getsockname()[1], flush=True)\n"
        "    time.sleep(30)\n"
        "threading.Thread(target=work).start()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    port = int(process.stdout.readline())
    line = recording.wait_for(lambda line: line.get("lport") == port)
    process.kill()
    process.wait()
    assert line["pid"] == process.pid
    assert line["comm"].startswith("python")


def test_a_used_again_socket_is_a_new_connection_with_an_empty_history(watch: Watch) -> None:
    with serve() as listener:
        again = socket.socket()
        again.connect(listener.getsockname())
        server, _ = listener.accept()
        for _ in range(20):
            round_trip((again, server))
        watch.look()
        (before,) = _live(watch.look(), port_of(again), port_of(listener))
        disconnect(again)
        server.close()
        again.connect(listener.getsockname())
        server, _ = listener.accept()
        snapshot = watch.look()
        (after,) = _live(snapshot, port_of(again), port_of(listener))
        assert after["id"] != before["id"]
        assert after["open_seen"]
        index = int((snapshot.rows["id"] == after["id"]).argmax())
        assert (snapshot.rows["rtt_samples"][index]) <= 2  # of its own handshake at most
        old = snapshot.rows[snapshot.rows["id"] == before["id"]]
        assert bool(old["closed"][0])
        again.close()
        server.close()
