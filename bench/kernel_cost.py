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

from bench.tools import PingPong, bpf_stats, programs_of, tcptop

CONNECTIONS = 8
SECONDS = 2.0
ROUNDS = 11

_EMPTY = "int empty(void *ctx) { return 0; }"


def speed_ratio(traffic: PingPong) -> float:
    """Round trips per second with the program on, as a part of those with it off before and after."""
    ratios, on = [], []
    off = [traffic.rate(CONNECTIONS, SECONDS)]
    for _ in range(ROUNDS):
        with tcptop():
            on.append(traffic.rate(CONNECTIONS, SECONDS))
        off.append(traffic.rate(CONNECTIONS, SECONDS))
        ratios.append(on[-1] / statistics.mean(off[-2:]))
    print(f"round trips/s, medians: on {statistics.median(on):,.0f}, off {statistics.median(off):,.0f}")
    print(f"all ratios: {' '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}")
    return statistics.median(ratios)


def time_ratio(traffic: PingPong) -> float:
    """Time per segment of all programs that run for each segment, as a multiple of an empty program's."""
    from tcptop_rtt.sources.btf import kernel_source

    with kernel_source():
        module = BPF(text=_EMPTY)
    module.attach_raw_tracepoint(b"tcp_probe", b"empty")
    with (
        tcptop("--source", "tcp_probe") as process,
        bpf_stats(),
        traffic.running(CONNECTIONS, 3 * SECONDS),
    ):
        before = {**programs_of(process.pid), **programs_of(os.getpid())}
        time.sleep(3 * SECONDS)
        after = {**programs_of(process.pid), **programs_of(os.getpid())}
    module.cleanup()
    total = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
    segments = total["on_segment"][1]
    for name, (nanoseconds, runs) in sorted(total.items()):
        if runs:
            print(f"{name:24} {nanoseconds / runs:8.1f} ns/run {runs / segments:8.3f} runs/segment")
    empty_ns, _ = total.pop("empty")
    return sum(nanoseconds for nanoseconds, _ in total.values()) / empty_ns


def main() -> None:
    """Print both ratios."""
    traffic = PingPong()
    print(f"kernel time per segment against an empty program: {time_ratio(traffic):.2f} (limit 2.5)")
    print(f"ping-pong speed on/off: {speed_ratio(traffic):.3f} (limit 0.97)")


if __name__ == "__main__":
    main()
