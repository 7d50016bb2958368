"""At the highest load that this machine makes: what rows add up to is what the kernel has counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import numpy as np

from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.rows import Rows
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.limits import Limits
from tcptop_rtt.sources.loader.request import Request
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tests.live.link import ADDRESSES, Link
from tests.live.told import told

LOAD_S = 3.0
PAIRS = 40
FIRST_PORT, STREAMS = 8090, 4
COUNTED = ("bytes_acked", "bytes_received", "retrans")

_COUNTERS = """
import fcntl, json, socket, sys, time
def is_idle(end):
    # Neither unread nor unacknowledged: SIOCINQ, SIOCOUTQ.
    waiting = (fcntl.ioctl(end, number, bytes(4)) for number in (0x541B, 0x5411))
    return not any(int.from_bytes(each, sys.byteorder) for each in waiting)
def counted(end):
    info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    def number(at, size):
        return int.from_bytes(info[at : at + size], sys.byteorder)
    # struct tcp_info of include/uapi/linux/tcp.h
    return number(120, 8), number(128, 8), number(100, 4)
def tell(ends):
    told = [(end.getsockname()[1], end.getpeername()[1], *counted(end)) for end in ends]
    print(json.dumps(told), flush=True)
    sys.stdin.read()
"""
"""What the kernel has counted of sockets at rest, as the processes that hold them can ask."""

_BLAST = (
    _COUNTERS
    + """
from tests.ports import serve
seconds, pairs = float(sys.argv[1]), int(sys.argv[2])
listener = serve()
ends = []
for _ in range(pairs):
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    ends += [client, server]
for end in ends:
    end.setblocking(False)
block, end_s = bytes(1 << 16), time.monotonic() + seconds
while True:
    for end in ends:
        try:
            if time.monotonic() < end_s:
                end.send(block)
        except BlockingIOError:
            pass
        try:
            while end.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
    if time.monotonic() > end_s and all(map(is_idle, ends)):
        break
tell(ends)
"""
)

_SEND = (
    _COUNTERS
    + """
seconds, ports = float(sys.argv[1]), range(int(sys.argv[2]), int(sys.argv[3]))
ends = [socket.create_connection((sys.argv[4], port)) for port in ports]
for end in ends:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)  # which is soon sent again
end_s = time.monotonic() + seconds
while time.monotonic() < end_s:
    for end in ends:
        end.sendall(bytes(10_000))
while not all(map(is_idle, ends)):
    time.sleep(0.05)
tell(ends)
"""
)

_TAKE = """
import socket, sys, threading
def take(listener):
    connection, _ = listener.accept()
    while connection.recv(1 << 20):
        pass
for port in range(int(sys.argv[1]), int(sys.argv[2])):
    listener = socket.create_server((sys.argv[3], port))
    threading.Thread(target=take, args=(listener,)).start()
print("ready", flush=True)
"""

_CHURN = """
import socket, sys, time
from tests.live.pairs import send_and_close
from tests.ports import serve
listener = serve()
print(listener.getsockname()[1], flush=True)
sys.stdin.readline()
size, end_s = 0, time.monotonic() + float(sys.argv[1])
while time.monotonic() < end_s:
    size = size % 5000 + 1
    source = f"127.77.{size // 250}.{size % 250 + 1}"  # which says how much it sends
    send_and_close(listener, source, size)
"""

Process = subprocess.Popen[str]


@contextmanager
def _process(code: str, *arguments: object) -> Iterator[Process]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _first_line(process: Process) -> str:
    assert process.stdout
    line = process.stdout.readline()
    assert line, "it has ended"
    return line


def _begin(churner: Process) -> int:
    """Let it go; the port that it listens at."""
    port = int(_first_line(churner))
    assert churner.stdin
    churner.stdin.write("\n")
    churner.stdin.flush()
    return port


def _counted(process: Process) -> dict[tuple[int, int], tuple[int, ...]]:
    """By the ports of each socket of a process, once these are at rest, what the kernel has counted."""
    return {(lport, rport): tuple(numbers) for lport, rport, *numbers in json.loads(_first_line(process))}


def _told(rows: Rows, ports: set[tuple[int, int]], netns: int) -> dict[tuple[int, int], tuple[int, ...]]:
    """What rows say of them."""
    ours = rows[(rows["netns"] == netns) & ~rows["closed"]]
    every = {
        (int(row["lport"]), int(row["rport"])): tuple(int(row[name]) for name in COUNTED) for row in ours
    }
    return {ends: every[ends] for ends in ports}


def test_after_as_much_as_the_machine_can_carry_each_row_has_the_kernels_numbers() -> None:
    """With connections that come and go as fast as they can besides, so that records find no room."""
    with told() as it, ExitStack() as opened:
        _begin(opened.enter_context(_process(_CHURN, LOAD_S)))
        blasting = [opened.enter_context(_process(_BLAST, LOAD_S, PAIRS)) for _ in range(2)]
        for counted in map(_counted, blasting):
            assert len(counted) == 2 * PAIRS
            assert sum(numbers[0] for numbers in counted.values()) > 1 << 27
            rows = it.rows_after_two_scans()
            assert _told(rows, {*counted}, os.stat("/proc/self/ns/net").st_ino) == counted
        it.stop()


def test_what_a_lossy_link_has_made_them_send_again_is_what_the_kernel_has_counted() -> None:
    ports = FIRST_PORT, FIRST_PORT + STREAMS
    with Link(delay_ms=2, lose_each=40) as link, told() as it:
        taker = link.run(link.b, sys.executable, "-c", _TAKE, *map(str, ports), ADDRESSES["b"][0])
        assert _first_line(taker) == "ready\n"
        sender = link.run(
            link.a, sys.executable, "-c", _SEND, str(LOAD_S), *map(str, ports), ADDRESSES["b"][0]
        )
        counted = _counted(sender)
        assert sum(numbers[2] for numbers in counted.values()) > 10
        netns = os.stat(f"/proc/{link.a.pid}/ns/net").st_ino
        assert _told(it.rows_after_two_scans(), {*counted}, netns) == counted
        it.stop()


def test_of_those_that_are_over_each_whose_end_was_seen_has_all_its_bytes_and_others_say_so() -> None:
    """In a ring buffer that has room for very few records."""
    tiny = Limits(ring_bytes=4 * os.sysconf("SC_PAGE_SIZE"))
    seen: dict[int, bool] = {}
    program = Program.loaded(Request(limits=tiny))
    with closing(Probe(program, Direct())) as probe, _process(_CHURN, LOAD_S) as churner:
        snapshots = LiveFeed(ready(probe), 0.5).snapshots()
        next(snapshots)
        port = _begin(churner)
        end_s = time.monotonic() + 3 * LOAD_S
        for snapshot in snapshots:
            seen |= _checked(snapshot.rows, port)
            if time.monotonic() > end_s:
                break
        assert snapshot.health.dropped_records > 0
    assert {*seen.values()} == {False, True}


def _checked(rows: Rows, port: int) -> dict[int, bool]:
    """Whether the end of each was seen; fails where that was, and the bytes are not those that were sent."""
    found: dict[int, bool] = {}
    for mine, where, count in (
        ("rport", "laddr", "bytes_acked"),
        ("lport", "raddr", "bytes_received"),
    ):
        over = rows[(rows[mine] == port) & rows["closed"]]
        address = np.frombuffer(over[where].tobytes(), np.uint8).reshape(-1, 16)  # the last four are IPv4's
        over, address = over[address[:, 13] == 77], address[address[:, 13] == 77].astype(np.int64)
        sent = address[:, 14] * 250 + address[:, 15] - 1
        beyond = over[count].astype(np.int64) - sent
        assert ((beyond >= 0) & (beyond <= 2))[over["end_seen"]].all()  # SYN and FIN count, too
        assert (beyond <= 2).all()
        found |= dict(zip(over["id"].tolist(), over["end_seen"].tolist(), strict=True))
    return found
