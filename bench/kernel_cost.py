"""What the program costs the traffic it watches.

Speed: loopback ping-pong with the program on and off, in turn; the ratio of the medians.
Time: nanoseconds per segment of our program against those of an empty one on the same hook, both
attached at once and accounted by the kernel (bpf_stats). Part of both is the accounting itself.
"""

from __future__ import annotations

import os
import statistics
import time

from bcc import BPF

from bench.results import Result
from bench.traffic import PingPong, bpf_stats, programs_of, tcptop

SECONDS = 2.0
ROUNDS = 11

_EMPTY = "int empty(void *ctx) { return 0; }"


def speed_ratio(traffic: PingPong, connections: int) -> Result:
    """Round trips per second with the program on, as a part of those with it off before and after."""
    ratios, on = [], []
    off = [traffic.rate(connections, SECONDS)]
    for _ in range(ROUNDS):
        with tcptop():
            on.append(traffic.rate(connections, SECONDS))
        off.append(traffic.rate(connections, SECONDS))
        ratios.append(on[-1] / statistics.mean(off[-2:]))
    return Result(
        f"ping-pong on {connections:,} connections, program on / off",
        statistics.median(ratios),
        at_least=0.97,
        detail=f"median of {' '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}; off "
        f"{statistics.median(off):,.0f} round trips/s",
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
