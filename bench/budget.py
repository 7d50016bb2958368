"""What the dashboard costs under ``--budget 1%``, this process and the kernel together, calm and under churn.

Beside it the same without a budget. Counting in the kernel (bpf_stats) is part of what is counted there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from bench.bpf import bpf_stats, programs
from bench.results import Result
from bench.traffic import churning, cpu_s, dashboard, talking

BUDGET_PERCENT = 1.0
SETTLE_S = 45.0
WINDOW_S = 65.0
"""A scan comes at least once in this time."""
PAIRS, PERIOD_S = 100, 0.2
CHURN_PER_S = 20

_TRAFFIC: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "calm": partial(talking, PAIRS, PERIOD_S),
    "churn": partial(churning, CHURN_PER_S, round(SETTLE_S + WINDOW_S + 30)),
}


def _hooks_s(others: set[int]) -> float:
    """What our programs have cost the traffic: an iterator runs on the processor time of the process."""
    ours = (one for number, one in programs().items() if number not in others)
    return sum(one.time_ns for one in ours if not one.name.startswith("bpf_iter")) / 1e9


def _percent(*options: str) -> tuple[float, float]:
    """Of one processor: the process, and the kernel."""
    others = set(programs())
    with dashboard(*options) as pid:
        time.sleep(SETTLE_S)
        with bpf_stats():
            began_s, process_s, hooks_s = time.monotonic(), cpu_s(pid), _hooks_s(others)
            time.sleep(WINDOW_S)
            passed_s = time.monotonic() - began_s
            return 100 * (cpu_s(pid) - process_s) / passed_s, 100 * (_hooks_s(others) - hooks_s) / passed_s


def measure() -> list[Result]:
    """Each kind of traffic in turn, without a budget and with it."""
    results = []
    for name, traffic in _TRAFFIC.items():
        with traffic():
            process, kernel = _percent()
        results.append(
            Result(
                f"{name}, without a budget",
                process + kernel,
                "% of a core",
                detail=f"the process {process:.2f}, the kernel {kernel:.3f}",
            )
        )
        with traffic():
            process, kernel = _percent("--budget", f"{BUDGET_PERCENT}%")
        results.append(
            Result(
                f"{name}, spent / the budget of {BUDGET_PERCENT:g}%",
                (process + kernel) / BUDGET_PERCENT,
                at_most=1.0,
                detail=f"the process {process:.2f}, the kernel {kernel:.3f}",
            )
        )
    return results
