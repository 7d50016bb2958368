"""Without BPF: 10,000 sockets asked for once a second, beside `ss -tinp`, which tells the same of them."""

from __future__ import annotations

import collections
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from bench.results import Result
from bench.traffic import cpu_s, dashboard

PAIRS, ROUNDS = 5_000, 7
SETTLE_S, WATCH_S = 10.0, 30.0

# A process that holds connections, and lets a tenth of them talk every second.
_HOLD = """
import random, resource, socket, sys, time
pairs = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (2 * pairs + 100, 2 * pairs + 100))
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
both = []
for _ in range(pairs):
    client = socket.create_connection(listener.getsockname())
    both.append((client, listener.accept()[0]))
print("ready", flush=True)
while True:
    for client, server in random.sample(both, pairs // 10):
        client.sendall(b"x")
        server.recv(1)
    time.sleep(1)
"""


@contextmanager
def _held() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(PAIRS)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def _cpu_ms(action: Callable[[], object]) -> float:
    """Of this thread, and of the children that it has waited for."""

    def spent_s() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.thread_time() + children.ru_utime + children.ru_stime

    start_s = spent_s()
    action()
    return 1e3 * (spent_s() - start_s)


def _ss() -> None:
    subprocess.run(["ss", "-tinp"], stdout=subprocess.DEVNULL, check=True)


def _share(*options: str) -> float:
    """Of one processor, that the whole program takes once it has settled."""
    with dashboard("--source", "sock_diag", *options) as pid:
        time.sleep(SETTLE_S)
        before_s, start = cpu_s(pid), time.monotonic()
        time.sleep(WATCH_S)
        return 100 * (cpu_s(pid) - before_s) / (time.monotonic() - start)


def measure() -> list[Result]:
    """Medians of scans and of ss in turn, then the dashboard."""
    from tcptop_rtt.sources.sock_diag import SockDiag

    with _held():
        with closing(SockDiag()) as source:
            found = sum(map(len, source.scan()))
            ours_ms, theirs_ms = [], []
            for _ in range(ROUNDS):
                ours_ms.append(_cpu_ms(lambda: collections.deque(source.scan(), 0)))
                theirs_ms.append(_cpu_ms(_ss))
        share = _share()
    ours, theirs = statistics.median(ours_ms), statistics.median(theirs_ms)
    return [
        Result("entries found", found, at_least=2 * PAIRS),
        Result("a scan, processor time", ours, "ms"),
        Result("ss -tinp, processor time", theirs, "ms"),
        Result("ss -tinp / a scan", theirs / ours, at_least=3),
        Result("the dashboard, one refresh a second", share, "% of a core", at_most=10),
    ]
