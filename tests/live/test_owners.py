"""Who is said to own a socket, when that is not as plain as one process and one connection."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

from tcptop_rtt.snapshot import Snapshot
from tests.live.conftest import Recording, Watch
from tests.live.link import Link
from tests.live.pairs import connected, port_of, round_trip

_NEVER_ACCEPT = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
print(listener.getsockname()[1], flush=True)
time.sleep(30)
"""


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
        "born",
        "srtt_us",
        "age_ns",
        "unacked",
    )
    return [{name: row[name].item() for name in names} for row in rows if not row["closed"]]


def test_an_idle_connection_older_than_the_program_is_there_with_its_process() -> None:
    with connected() as (client, server):
        with closing(Watch()) as watch:
            snapshot = watch.look()
        (row,) = _live(snapshot, port_of(client), port_of(server))
        assert (row["pid"], row["born"], row["direction"]) == (os.getpid(), False, 1)
        (row,) = _live(snapshot, port_of(server), port_of(client))
        assert row["pid"] == os.getpid()
        # Its listener is gone, so nothing tells that it was accepted.
        assert row["direction"] == 0


def test_a_new_connection_knows_its_direction_and_age(watch: Watch) -> None:
    with connected() as (client, server):
        snapshot = watch.look()
        (row,) = _live(snapshot, port_of(client), port_of(server))
        assert (row["direction"], row["born"]) == (1, True)
        assert 0 < row["age_ns"] < 60e9  # type: ignore[operator]
        (row,) = _live(snapshot, port_of(server), port_of(client))
        assert (row["direction"], row["born"]) == (2, True)


def _accept_and_wait(listener: socket.socket, ready: object) -> None:
    connection, _ = listener.accept()
    connection.recv(1)
    ready.set()  # type: ignore[attr-defined]
    time.sleep(30)


def test_a_pre_forked_servers_connection_belongs_to_the_child_that_accepted_it(watch: Watch) -> None:
    context = multiprocessing.get_context("fork")
    with socket.create_server(("127.0.0.1", 0)) as listener:
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
    with socket.create_server(("127.0.0.1", 0)) as listener:
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
    watch.probe.focus(watch.connections.focus(connection))
    focus = watch.look().focus
    assert focus
    assert {owner.pid for owner in focus.owners} == {os.getpid(), child.pid}

    server.close()
    (row,) = _live(watch.look(), lport, rport)
    assert (row["id"], row["pid"]) == (connection, child.pid)
    child.kill()
    child.join()
    client.close()


def test_a_connection_that_waits_to_be_accepted_has_no_process_and_says_why(watch: Watch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        client.sendall(b"x")
        (row,) = _live(watch.look(), port_of(listener), port_of(client))
        assert row["pid"] == 0
        watch.connections.focus(int(row["id"]))  # type: ignore[call-overload]
        focus = watch.look().focus
        assert focus
        assert "accepted" in focus.owner_note
        server, _ = listener.accept()
        (row,) = _live(watch.look(), port_of(listener), port_of(client))
        assert row["pid"] == os.getpid()
        server.close()
        client.close()


def test_a_connection_nobody_holds_is_there_though_it_is_older_than_the_program() -> None:
    with Link(delay_ms=1) as link:
        holder = link.run(link.b, sys.executable, "-c", _NEVER_ACCEPT)
        assert holder.stdout
        rport = int(holder.stdout.readline())
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()) as client,
        ):
            with closing(Watch()) as watch:
                watch.look()
                snapshot = watch.look()
            (row,) = _live(snapshot, port_of(listener), port_of(client))
            assert (row["pid"], row["direction"]) == (0, 2)
        other = snapshot.rows[snapshot.rows["lport"] == rport]
        assert len(other) == 1  # in the namespace of another process too
        holder.kill()
        holder.wait()


def test_a_thread_is_shown_as_its_process(record: Callable[..., Recording]) -> None:
    recording = record("--interval", "0.2")
    code = (
        "import socket, threading, time, ctypes\n"
        "def work():\n"
        "    ctypes.CDLL(None).prctl(15, b'a-thread')\n"
        "    listener = socket.create_server(('127.0.0.1', 0))\n"
        "    client = socket.create_connection(listener.getsockname())\n"
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
    with socket.create_server(("127.0.0.1", 0)) as listener:
        again = socket.socket()
        again.connect(listener.getsockname())
        server, _ = listener.accept()
        for _ in range(20):
            round_trip((again, server))
        watch.look()
        (before,) = _live(watch.look(), port_of(again), port_of(listener))
        # connect() to AF_UNSPEC dissolves the association; the struct sock stays the same.
        _disconnect(again)
        server.close()
        again.connect(listener.getsockname())
        server, _ = listener.accept()
        snapshot = watch.look()
        (after,) = _live(snapshot, port_of(again), port_of(listener))
        assert after["id"] != before["id"]
        assert after["born"]
        index = int((snapshot.rows["id"] == after["id"]).argmax())
        assert (snapshot.rows["rtt_samples"][index]) <= 2  # of its own handshake at most
        old = snapshot.rows[snapshot.rows["id"] == before["id"]]
        assert bool(old["closed"][0])
        again.close()
        server.close()


def _disconnect(one: socket.socket) -> None:
    unspecified = (ctypes.c_char * 16)()  # sa_family AF_UNSPEC is 0
    assert ctypes.CDLL(None).connect(one.fileno(), unspecified, 16) == 0
