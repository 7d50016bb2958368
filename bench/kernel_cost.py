"""What the program costs the traffic it watches.

Speed: one run of loopback ping-pong while the dashboard is off and on, in turn, for 0.4 s each; each time it
is on against the times before and after; of these ratios the median. Off, its process is paused and its hook
detached; for many connections an empty program takes its place, so that only what is beyond one counts.
Time: nanoseconds per segment of our program against those of an empty one on the same hook, both
attached at once and accounted by the kernel (bpf_stats). Part of both is the accounting itself.
"""

from __future__ import annotations

import itertools
import math
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import lru_cache

from bench.bpf import Account, attached_again, bpf_stats, programs
from bench.results import Result
from bench.switched import GAP_S, switched
from bench.traffic import ACCEPTS_PER_S, PingPong, accepting, dashboard

WINDOW_S, WINDOWS = 1.5, 9
TURNS, PHASE_S = 180, 0.4

_EMPTY = b"int empty(void *ctx) { return 0; }"


def _rate(steps: list[tuple[float, int]], begin: float, end: float) -> float:
    """Round trips per second in this time."""
    inside = [step for step in steps if begin <= step[0] <= end]
    (then, trips_then), (when, trips) = inside[0], inside[-1]
    return (trips - trips_then) / (when - then)


@contextmanager
def _empty_attached() -> Iterator[None]:
    """Meanwhile an empty program is at the hook."""
    link = attached_again(_empty_program(), b"tcp_probe")
    try:
        time.sleep(GAP_S)
        yield
    finally:
        os.close(link)
    time.sleep(GAP_S)


@lru_cache(maxsize=1)
def _empty_program() -> int:
    from bcc import BPF

    from tcptop_rtt.sources.loader.compiler import compile_program

    return int(compile_program(_EMPTY).load_func(b"empty", BPF.RAW_TRACEPOINT).fd)


def speed_ratio(traffic: PingPong, connections: int, beyond_empty: bool) -> Result:
    """Round trips per second with the dashboard at work, as a part of those without it before and after."""
    phases: list[tuple[float, float]] = []  # off, on, off, and so on

    def phase(meanwhile: AbstractContextManager[None]) -> None:
        with meanwhile:
            begin = time.monotonic()
            time.sleep(PHASE_S)
            phases.append((begin, time.monotonic()))

    def rest() -> None:
        phase(_empty_attached() if beyond_empty else nullcontext())

    with traffic.running(connections, TURNS * 4 * (PHASE_S + GAP_S)) as steps, switched(PHASE_S) as program:
        rest()
        for _ in range(TURNS):
            phase(program.working())
            rest()
        time.sleep(GAP_S)
        rates = [_rate(steps, *one) for one in phases]
    off, on = rates[::2], rates[1::2]
    beside = [(before + after) / 2 for before, after in itertools.pairwise(off)]
    ratios = [rate / other for rate, other in zip(on, beside, strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4)
    # Of the median of so many, if they were spread as by chance.
    error = 1.2533 * (high - low) / 1.349 / math.sqrt(TURNS)
    return Result(
        f"ping-pong on {connections:,} connections, program on / {'an empty one' if beyond_empty else 'off'}",
        median,
        at_least=0.985 if beyond_empty else 0.98,
        detail=f"{TURNS} turns, quartiles {low:.2f} {median:.3f} {high:.2f}, standard error {error:.3f}; "
        f"off {statistics.median(off):,.0f} trips/s",
    )


def time_ratio(traffic: PingPong, accepts_per_s: int = 0) -> Result:
    """Time of all programs per segment, as a multiple of an empty program's."""
    from tcptop_rtt.sources.loader.compiler import compile_program

    others = programs().keys()
    module = compile_program(_EMPTY)
    module.attach_raw_tracepoint(b"tcp_probe", b"empty")
    looks: list[dict[int, Account]] = []
    with ExitStack() as opened:
        opened.enter_context(dashboard("--source", "tcp_probe"))
        opened.enter_context(bpf_stats())
        opened.enter_context(traffic.running(8, WINDOWS * WINDOW_S))
        if accepts_per_s:
            opened.enter_context(accepting(accepts_per_s))
        for _ in range(WINDOWS + 1):
            looks.append({number: account for number, account in programs().items() if number not in others})
            time.sleep(WINDOW_S)
    module.cleanup()
    ratios, details = zip(*(_beyond_empty(*pair) for pair in itertools.pairwise(looks)), strict=True)
    return Result(
        "kernel time per segment / an empty program's"
        + (f", while {accepts_per_s} connections a second are accepted" if accepts_per_s else ""),
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
    times = [time_ratio(traffic, accepts_per_s) for accepts_per_s in (0, ACCEPTS_PER_S)]
    return [
        *times,
        speed_ratio(traffic, 8, beyond_empty=False),
        speed_ratio(traffic, 1000, beyond_empty=True),
    ]
