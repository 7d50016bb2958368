"""A scan of 16,000 sockets beside `ss -tinp`, which tells the same of them, in turn."""

from __future__ import annotations

import collections
import resource
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

from bench.results import Result
from bench.traffic import ask_ss

PAIRS, ROUNDS = 8_000, 9


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure() -> list[Result]:
    """Medians of both."""
    from tcptop_rtt.reach.direct import Direct
    from tcptop_rtt.sources.probe import Probe
    from tcptop_rtt.sources.program import Program

    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * PAIRS + 200, 2 * PAIRS + 200))
    with ExitStack() as opened, socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        for _ in range(PAIRS):
            opened.enter_context(socket.create_connection(listener.getsockname()))
            opened.enter_context(listener.accept()[0])
        probe = Probe(Program.loaded(), Direct())
        try:
            found = sum(map(len, probe.scan()))
            scan_s, ss_s = [], []
            for _ in range(ROUNDS):
                scan_s.append(_seconds(lambda: collections.deque(probe.scan(), 0)))
                ss_s.append(_seconds(ask_ss))
        finally:
            probe.close()
    ours_s, theirs_s = statistics.median(scan_s), statistics.median(ss_s)
    return [
        Result("sockets found", found, at_least=2 * PAIRS),
        Result("a scan", 1e3 * ours_s, "ms"),
        Result("ss -tinp", 1e3 * theirs_s, "ms"),
        Result("ss -tinp / a scan", theirs_s / ours_s, at_least=10),
    ]
