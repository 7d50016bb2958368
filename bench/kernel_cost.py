"""What the program costs the traffic it watches.

Speed: one run of loopback ping-pong while the dashboard is on and off, in turn; the ratio of the medians of
all tenths of a second.
Time: nanoseconds per segment of our program against those of an empty one on the same hook, both
attached at once and accounted by the kernel (bpf_stats). Part of both is the accounting itself.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time

from bcc import BPF

from bench.results import Result
from bench.traffic import PingPong, bpf_stats, dashboard, programs_of, tcptop

SECONDS = 2.0
ROUNDS = 15
PHASE_S, SETTLED_S = 2.5, 2.0
"""How long the program is on or off, and how long it takes to be at rest after its start."""

_EMPTY = "int empty(void *ctx) { return 0; }"


def _rates(steps: list[tuple[float, int]], phases: list[tuple[float, float]]) -> list[float]:
    """Round trips per second, of every step that lies in one of the phases."""
    return [
        (trips - trips_then) / (when - then)
        for (then, trips_then), (when, trips) in itertools.pairwise(steps)
        if any(begin <= then and when <= end for begin, end in phases)
    ]


def speed_ratio(traffic: PingPong, connections: int) -> Result:
    """Round trips per second with the dashboard on, as a part of those with it off, of one long run."""
    on: list[tuple[float, float]] = []
    off: list[tuple[float, float]] = []
    with traffic.told(connections, ROUNDS * 4 * (PHASE_S + SETTLED_S)) as steps:
        for _ in range(ROUNDS):
            begin = time.monotonic()
            time.sleep(PHASE_S)
            off.append((begin, time.monotonic()))
            with dashboard():
                time.sleep(SETTLED_S)
                begin = time.monotonic()
                time.sleep(PHASE_S)
                on.append((begin, time.monotonic()))
            time.sleep(0.5)
    pairs = [
        statistics.median(_rates(steps, [one])) / statistics.median(_rates(steps, [other]))
        for one, other in zip(on, off, strict=True)
    ]
    off_rate = statistics.median(_rates(steps, off))
    return Result(
        f"ping-pong on {connections:,} connections, program on / off",
        statistics.median(_rates(steps, on)) / off_rate,
        at_least=0.97,
        detail=f"turns: {' '.join(f'{ratio:.2f}' for ratio in sorted(pairs))}; off {off_rate:,.0f} trips/s",
    )


def time_ratio(traffic: PingPong) -> Result:
    """Time per segment of all programs that run for each segment, as a multiple of an empty program's."""
    from tcptop_rtt.sources.btf import kernel_source

    with kernel_source():
        module = BPF(text=_EMPTY)
    module.attach_raw_tracepoint(b"tcp_probe", b"empty")
    with (
        tcptop("--source", "tcp_probe") as process,
        bpf_stats(),
        traffic.running(8, 3 * SECONDS),
    ):
        before = {**programs_of(process.pid), **programs_of(os.getpid())}
        time.sleep(3 * SECONDS)
        after = {**programs_of(process.pid), **programs_of(os.getpid())}
    module.cleanup()
    total = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
    segments = total["on_segment"][1]
    parts = []
    for name, (nanoseconds, runs) in sorted(total.items()):
        if runs:
            parts.append(f"{name} {nanoseconds / runs:.0f} ns x {runs / segments:.3f}")
    empty_ns, _ = total.pop("empty")
    return Result(
        "kernel time per segment / an empty program's",
        sum(nanoseconds for nanoseconds, _ in total.values()) / empty_ns,
        at_most=2.0,
        detail=", ".join(parts) + " runs per segment",
    )


def measure() -> list[Result]:
    """Both ratios, the speed also on many connections."""
    traffic = PingPong()
    return [time_ratio(traffic), *(speed_ratio(traffic, connections) for connections in (8, 1000))]
