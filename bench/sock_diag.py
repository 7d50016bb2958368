"""Without BPF: 10,000 sockets asked for once a second, beside `ss -tinp`, which tells the same of them."""

from __future__ import annotations

import collections
import statistics
import time
from contextlib import closing

from bench.results import Result
from bench.traffic import ask_ss, cpu_ms, cpu_percent, dashboard, talking

PAIRS, ROUNDS = 5_000, 7
SETTLE_S, WATCH_S = 10.0, 30.0


def _share(*options: str) -> float:
    """Of one processor, that the whole program takes once it has settled."""
    with dashboard("--source", "sock_diag", *options) as pid:
        time.sleep(SETTLE_S)
        return cpu_percent(pid, WATCH_S)


def measure() -> list[Result]:
    """Medians of scans and of ss in turn, then the dashboard."""
    from tcptop_rtt.reach.direct import Direct
    from tcptop_rtt.sources.sock_diag import SockDiag

    with talking(PAIRS, 1):
        with closing(SockDiag(Direct())) as source:
            found = sum(map(len, source.scan()))
            ours_ms, theirs_ms = [], []
            for _ in range(ROUNDS):
                ours_ms.append(cpu_ms(lambda: collections.deque(source.scan(), 0)))
                theirs_ms.append(cpu_ms(ask_ss))
        share = _share()
    ours, theirs = statistics.median(ours_ms), statistics.median(theirs_ms)
    return [
        Result("entries found", found, at_least=2 * PAIRS),
        Result("a scan, processor time", ours, "ms"),
        Result("ss -tinp, processor time", theirs, "ms"),
        Result("ss -tinp / a scan", theirs / ours, at_least=3),
        Result("the dashboard, one refresh a second", share, "% of a core", at_most=10),
    ]
