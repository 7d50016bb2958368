"""The connections of a busy machine, for hours: a process in a network namespace of its own.

Each line on standard input asks what it has made so far, which it tells as JSON. It ends with its input.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable

SERVERS = [f"127.0.1.{number}" for number in range(1, 21)]
"""Where services are; who calls them comes from anywhere in 127.0.0.0/8, so no address is short of ports."""
_PORT = 5000
_STAYING = 0.25
"""Of the connections so many stay for good, and talk; the others live as chance has it."""
_TALKS_PER_S = 200
_PROCESSES_PER_S = 2
"""Processes that call once, live for a second or two, and end."""
_FAILURES_PER_S = 2
_LISTENERS_PER_S = 1
_LISTENERS = 30
_NO_TIME_WAIT = struct.pack("ii", 1, 0)
_ORDERLY = 10
"""One in so many is closed in order, and leaves its TIME_WAIT."""
_TICK_S = 0.005
_LATE_S = 0.5
"""What should have been made longer ago is not made any more: a machine that was busy is not overrun."""

Pair = tuple[socket.socket, socket.socket]


class Traffic:
    """All that comes and goes.

    :param per_s: so many connections are opened a second, and as many closed
    :param live: so many are open at a time
    """

    def __init__(self, per_s: float, live: int) -> None:
        self._listeners = {server: socket.create_server((server, _PORT), backlog=128) for server in SERVERS}
        self._staying = [self._open() for _ in range(round(_STAYING * live))]
        self._passing = [self._open() for _ in range(live - len(self._staying))]
        self._short_listeners: list[socket.socket] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self.made = {"opened": 0, "processes": 0, "failures": 0, "listeners": 0}
        self._events: tuple[tuple[float, Callable[[], None]], ...] = (
            (per_s, self._replace),
            (_TALKS_PER_S, self._talk),
            (_PROCESSES_PER_S, self._call_once),
            (_FAILURES_PER_S, self._fail),
            (_LISTENERS_PER_S, self._listen),
        )

    def run(self) -> None:
        """Until the input ends."""
        since_s, done = time.monotonic(), [0 for _ in self._events]
        while True:
            if select.select([sys.stdin], [], [], _TICK_S)[0]:
                if not sys.stdin.readline():
                    return
                print(json.dumps(self.made), flush=True)
            passed_s = time.monotonic() - since_s
            for number, (per_s, event) in enumerate(self._events):
                done[number] = max(done[number], int((passed_s - _LATE_S) * per_s))
                while done[number] < passed_s * per_s:
                    event()
                    done[number] += 1
            self._children = [child for child in self._children if child.poll() is None]

    def _open(self) -> Pair:
        server = random.choice(SERVERS)
        caller = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        client = socket.create_connection((server, _PORT), source_address=(caller, 0))
        return client, self._listeners[server].accept()[0]

    def _replace(self) -> None:
        at = random.randrange(len(self._passing))
        _close(self._passing[at], random.randrange(_ORDERLY) > 0)
        pair = self._passing[at] = self._open()
        _exchange(pair)
        self.made["opened"] += 1

    def _talk(self) -> None:
        _exchange(random.choice(self._staying))

    def _call_once(self) -> None:
        """A process with a connection of its own, and a name that no other one has."""
        self.made["processes"] += 1
        command = [sys.executable, "-ISc", _ONCE, f"once-{self.made['processes']}"]
        self._children.append(subprocess.Popen(command))

    def _fail(self) -> None:
        with contextlib.suppress(OSError), socket.socket() as client:
            client.connect((f"127.0.2.{random.randrange(1, 255)}", random.randrange(6000, 7000)))
        self.made["failures"] += 1

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            self._short_listeners.append(socket.create_server(("127.0.3.1", random.randrange(7000, 60000))))
        while len(self._short_listeners) > _LISTENERS:
            self._short_listeners.pop(0).close()
        self.made["listeners"] += 1


def _exchange(pair: Pair) -> None:
    client, server = pair
    client.sendall(b"question")
    server.recv(16)
    server.sendall(b"the answer")
    client.recv(16)


def _close(pair: Pair, at_once: bool) -> None:
    client, server = pair
    if at_once:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_TIME_WAIT)
    client.close()
    server.close()


# It accepts its own call, so that no end is left to others.
_ONCE = """
import ctypes, random, socket, sys, time
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
with socket.create_server(("127.0.4.1", 0)) as listener:
    with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
        client.sendall(b"question")
        server.recv(16)
        time.sleep(random.uniform(1, 2))
"""


def main() -> None:
    """``python -m bench.soak_traffic PER_S LIVE``."""
    per_s, live = float(sys.argv[1]), int(sys.argv[2])
    most = 2 * live + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    traffic = Traffic(per_s, live)
    print(os.stat("/proc/self/ns/net").st_ino, flush=True)
    traffic.run()


if __name__ == "__main__":
    main()
