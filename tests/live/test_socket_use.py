"""Which threads of real processes wait for a socket."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tcptop_rtt.feeds.socket_use import Socket, UseWatch, inode_of
from tcptop_rtt.model.reach import BlockedThread, SocketUse
from tcptop_rtt.reach.use import use_of
from tests.ports import serve
from tests.unit.rows import address
from tests.waiting import becomes

_HOLD = """
import json, os, select, socket, sys, threading
host, how = sys.argv[1:]
v6 = ":" in host
family = socket.AF_INET6 if v6 or how == "mapped" else socket.AF_INET
target = "::ffff:127.0.0.1" if how == "mapped" else host
listener = socket.create_server((host, 0))if not v6 else socket.create_server((host, 0), family=family)
client = socket.socket(family)
client.connect((target, listener.getsockname()[1]))
server, _ = listener.accept()
server.send(b"x" * 10)
server.setblocking(False)
while True:
    try:
        if how == "write":
            server.send(b"x" * 100_000)
        else:
            break
    except BlockingIOError:
        break
server.setblocking(True)

def wait():
    if how == "epoll":
        poll = select.epoll()
        poll.register(client.fileno(), select.EPOLLPRI)
        poll.poll()
    elif how == "poll":
        poll = select.poll()
        poll.register(client.fileno(), select.POLLPRI)
        poll.poll()
    elif how == "write":
        server.sendall(b"y" * 1_000_000)
    else:
        client.recv(10)
        client.recv(1)

thread = threading.Thread(target=wait, daemon=True)
thread.start()
held = server if how == "write" else client
again = os.dup(held.fileno())
ends = [held.getsockname()[1], held.getpeername()[1]]
print(json.dumps([os.getpid(), thread.native_id, held.fileno(), again, *ends]), flush=True)
sys.stdin.read()
"""


@contextmanager
def _held(host: str, how: str) -> Iterator[tuple[Socket, int, tuple[int, ...]]]:
    """A connection of a process, the thread of it that waits, and the descriptors."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, host, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        pid, tid, fd, again, lport, rport = json.loads(process.stdout.readline())
        yield Socket(pid, address(host), lport, address(host), rport), tid, (fd, again)
        process.kill()


def _listed(held: Socket) -> int:
    """Its inode number. While many connections end, the kernel's list may lack some that are there."""
    inode = 0

    def is_there() -> bool:
        nonlocal inode
        inode = inode_of(held)
        return inode != 0

    assert becomes(is_there)
    return inode


@pytest.mark.parametrize(
    ("host", "how", "call"),
    [
        ("127.0.0.1", "recv", "recvfrom"),
        ("::1", "recv", "recvfrom"),
        ("127.0.0.1", "mapped", "recvfrom"),
        ("127.0.0.1", "write", "sendto"),
        ("127.0.0.1", "epoll", "epoll_"),
        ("127.0.0.1", "poll", None),
    ],
)
def test_the_thread_that_waits_is_named_with_its_system_call(host: str, how: str, call: str | None) -> None:
    with _held(host, how) as (held, tid, descriptors):
        inode = _listed(held)
        found: list[SocketUse] = []

        def is_seen() -> bool:
            use = use_of(held.pid, inode)
            assert use
            found[:] = [use]
            return bool(use.blocked)

        if call is None:
            time.sleep(0.2)
            assert not is_seen()  # what poll() watches cannot be told
        else:
            assert becomes(is_seen)
            ((seen, comm, name),) = found[0].blocked
            assert (seen, comm.startswith(b"python")) == (tid, True)
            assert name.startswith(call)
        assert found[0].descriptors == descriptors
        other = held._replace(lport=held.lport ^ 1)
        assert inode_of(other) == 0
        assert use_of(held.pid, inode + 10**9) is None


def test_the_watch_tells_what_it_has_found_and_of_another_socket_nothing() -> None:
    watch = UseWatch(use_of)
    with _held("127.0.0.1", "recv") as (held, tid, descriptors):
        assert becomes(lambda: bool((use := watch.of(held)) and use.blocked))
        use = watch.of(held)
        assert use
        assert use.descriptors == descriptors
        assert [thread.tid for thread in use.blocked] == [tid]
        assert becomes(lambda: watch.of(held._replace(pid=2**30)) is None)
        time.sleep(0.1)
        assert watch.of(held._replace(pid=2**30)) is None


def test_who_asks_does_not_wait_for_a_look_that_hangs_nor_gets_what_is_of_another() -> None:
    go_on, looks = threading.Semaphore(0), []
    answer = SocketUse((3,), (BlockedThread(1, b"x", "read"),))

    def look(pid: int, inode: int) -> SocketUse:
        looks.append((pid, inode))
        go_on.acquire(timeout=30)
        return answer

    watch = UseWatch(look, lambda wanted: 70 + wanted.pid)
    held = Socket(5, address("127.0.0.1"), 1, address("127.0.0.1"), 2)
    other = held._replace(pid=6)
    assert watch.of(held) is None
    assert watch.of(other) is None
    go_on.release()
    assert becomes(lambda: watch.of(held) == answer and len(looks) == 2)
    assert watch.of(other) is None  # the second look hangs, too
    go_on.release(1000)
    assert becomes(lambda: watch.of(other) == answer)
    assert looks[-1] == (6, 76)


def test_a_socket_in_another_process_is_not_taken_for_ones_own() -> None:
    with serve() as listener, _held("127.0.0.1", "recv") as (held, _, _):
        assert listener.fileno() >= 0
        with _held("127.0.0.1", "recv") as (other, _, _):
            assert use_of(other.pid, _listed(held)) is None
