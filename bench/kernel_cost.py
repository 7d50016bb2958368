"""What the program costs the traffic it watches.

Speed: one run of loopback ping-pong while the dashboard is off and on, in turn; each time it is on against
the times before and after, by the medians of their tenths of a second; of these ratios the median.
Time: nanoseconds per segment of our program against those of an empty one on the same hook, both
attached at once and accounted by the kernel (bpf_stats). Part of both is the accounting itself.
"""

from __future__ import annotations

import itertools
import statistics
import time

from bcc import BPF

from bench.bpf import Account, bpf_stats, programs
from bench.results import Result
from bench.traffic import PingPong, dashboard

WINDOW_S, WINDOWS = 1.5, 9
ROUNDS = 35
PHASE_S, SETTLED_S = 2.5, 2.0
"""How long the program is on or off, and how long it takes to be at rest after its start."""

_EMPTY = "int empty(void *ctx) { return 0; }"


def _rate(steps: list[tuple[float, int]], begin: float, end: float) -> float:
    """Round trips per second: the median of the steps in this time."""
    return statistics.median(
        (trips - trips_then) / (when - then)
        for (then, trips_then), (when, trips) in itertools.pairwise(steps)
        if begin <= then and when <= end
    )


def speed_ratio(traffic: PingPong, connections: int) -> Result:
    """Round trips per second with the dashboard on, as a part of those with it off before and after."""
    phases: list[tuple[float, float]] = []  # off, on, off, and so on

    def phase() -> None:
        begin = time.monotonic()
        time.sleep(PHASE_S)
        phases.append((begin, time.monotonic()))

    with traffic.running(connections, ROUNDS * 4 * (PHASE_S + SETTLED_S)) as steps:
        phase()
        for _ in range(ROUNDS):
            with dashboard():
                time.sleep(SETTLED_S)
                phase()
            time.sleep(0.5)
            phase()
    rates = [_rate(steps, *one) for one in phases]
    off, on = rates[::2], rates[1::2]
    beside = [(before + after) / 2 for before, after in itertools.pairwise(off)]
    ratios = [rate / other for rate, other in zip(on, beside, strict=True)]
    return Result(
        f"ping-pong on {connections:,} connections, program on / off",
        statistics.median(ratios),
        at_least=0.97,
        detail=f"turns: {' '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}; "
        f"off {statistics.median(off):,.0f} trips/s",
    )


def time_ratio(traffic: PingPong) -> Result:
    """Time per segment of all programs that run for each segment, as a multiple of an empty program's."""
    from tcptop_rtt.sources.btf import kernel_source

    others = programs().keys()
    with kernel_source():
        module = BPF(text=_EMPTY)
    module.attach_raw_tracepoint(b"tcp_probe", b"empty")
    looks: list[dict[int, Account]] = []
    with dashboard("--source", "tcp_probe"), bpf_stats(), traffic.running(8, WINDOWS * WINDOW_S):
        for _ in range(WINDOWS + 1):
            looks.append({number: account for number, account in programs().items() if number not in others})
            time.sleep(WINDOW_S)
    module.cleanup()
    ratios, details = zip(*(_beyond_empty(*pair) for pair in itertools.pairwise(looks)), strict=True)
    return Result(
        "kernel time per segment / an empty program's",
        statistics.median(ratios),
        at_most=2.0,
        detail=f"windows: {' '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}; the last: {details[-1]}",
    )


def _beyond_empty(before: dict[int, Account], after: dict[int, Account]) -> tuple[float, str]:
    """The time of all programs between two looks, as a multiple of the empty one's; and its parts."""
    spent = {
        name: (time_ns - before[number].time_ns, runs - before[number].runs)
        for number, (name, time_ns, runs) in after.items()
        if number in before
    }
    segments = spent["on_segment"][1]
    parts = [
        f"{name} {time_ns / runs:.0f} ns x {runs / segments:.3f} runs per segment"
        for name, (time_ns, runs) in sorted(spent.items())
        if runs
    ]
    empty_ns, _ = spent.pop("empty")
    return sum(time_ns for time_ns, _ in spent.values()) / empty_ns, ", ".join(parts)


def measure() -> list[Result]:
    """Both ratios, the speed also on many connections."""
    traffic = PingPong()
    return [time_ratio(traffic), *(speed_ratio(traffic, connections) for connections in (8, 1000))]
