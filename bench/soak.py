"""The dashboard for an hour: 500 connections opened and closed a second, 2,000 live, every view in turn.

Each minute its rows are compared with ``ss``, and a line tells what it is like.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.results import Result
from bench.soak_tour import TOUR, Dashboard
from bench.soak_traffic import SERVERS
from bench.traffic import IN_NAMESPACE, cpu_s
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import addresses
from tests.live.resolver_world import ResolverWorld
from tests.live.terminal import WIDE, Terminal

SAMPLE_S = 5.0
COMPARE_S = 60.0
_RECORDED_S = 4.0
"""So long before and after ``ss`` is asked."""
WARM_UP = 0.2
"""Of the time, and at most WARM_UP_MINUTES: the past alone fills up for ten."""
WARM_UP_MINUTES = 12.0
FLAT = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """What the program is like at one moment."""

    minutes: float
    resident_mib: float
    anonymous_mib: float
    descriptors: int
    threads: int
    screen_s: float
    """Processor time of the thread that paints, so far."""
    others_s: float
    """Of all others: of the worker, above all."""


def _sample(pid: int, minutes: float) -> Sample:
    at = Path(f"/proc/{pid}")
    kib = {
        name: int(rest.split()[0])
        for line in (at / "smaps_rollup").read_text().splitlines()[1:]
        for name, _, rest in [line.partition(":")]
    }
    descriptors, threads = (len(list((at / part).iterdir())) for part in ("fd", "task"))
    spent_s = int((at / "schedstat").read_text().split()[0]) / 1e9  # of the first thread
    resident_mib, anonymous_mib = kib["Rss"] / 1024, kib["Anonymous"] / 1024
    return Sample(minutes, resident_mib, anonymous_mib, descriptors, threads, spent_s, cpu_s(pid) - spent_s)


class _Samples:
    """Taken in a thread of its own until it is left."""

    def __init__(self, pid: int) -> None:
        self.taken: list[Sample] = []
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._take)

    def __enter__(self) -> _Samples:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _take(self) -> None:
        began_s = time.monotonic()
        while not self._over.wait(SAMPLE_S):
            try:
                self.taken.append(_sample(self._pid, (time.monotonic() - began_s) / 60))
            except (OSError, KeyError):  # it has ended
                return


class _Traffic:
    """The process that makes it, in its namespace."""

    def __init__(self, per_s: float, live: int) -> None:
        self.process = subprocess.Popen(
            [*IN_NAMESPACE, sys.executable, "-m", "bench.soak_traffic", str(per_s), str(live)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.netns = int(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def made(self) -> dict[str, int]:
        """How much so far."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        made: dict[str, int] = json.loads(self._answer())
        return made

    def known_to_ss(self) -> Counter[str]:
        """The connections of its namespace: both ends of each."""
        command = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", "ss", "-Htan"]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        ends = (line.split() for line in lines)
        return Counter(" ".join(end[3:5]) for end in ends if end[0] not in ("LISTEN", "TIME-WAIT"))

    def rows_of(self, snapshot: Snapshot) -> Counter[str]:
        """Those that have rows."""
        rows = snapshot.rows
        ours = (rows["netns"] == self.netns) & ~rows["closed"] & (rows["connect_error"] == 0)
        found = (Connection(rows[int(row)], frozenset()) for row in np.flatnonzero(ours))
        return Counter(f"{addresses.local(one)} {addresses.remote(one)}" for one in found)

    def end(self) -> None:
        self.process.communicate()


@dataclass(slots=True)
class _Compared:
    """The rows beside what ``ss`` knows, where neither has changed within some seconds."""

    times: int = 0
    rows: int = 0
    """At the latest time, the closed ones included."""
    unknown: int = 0
    """Rows of before and after, which it does not know in between."""
    lacking: int = 0
    """What it knows before and after, without a row in between."""

    def look(self, traffic: _Traffic, dashboard: Dashboard) -> None:
        before = traffic.known_to_ss()
        dashboard.begin_recording()
        time.sleep(_RECORDED_S)
        asked_ns = time.time_ns()
        between = traffic.known_to_ss()
        answered_ns = time.time_ns()
        time.sleep(_RECORDED_S)
        recorded = dashboard.end_recording()
        after = traffic.known_to_ss()
        earlier = [snapshot for snapshot in recorded if snapshot.time_ns < asked_ns]
        later = [snapshot for snapshot in recorded if snapshot.time_ns > answered_ns]
        if not earlier or not later:
            return  # the machine was too busy: what began in between would count as unknown
        first, middle, last = (traffic.rows_of(one) for one in (earlier[0], earlier[-1], later[-1]))
        self.times += 1
        self.rows = len(recorded[-1].rows)
        self.unknown += ((first & last) - between).total()
        self.lacking += ((before & after) - middle).total()


def _minute_line(samples: list[Sample], compared: _Compared, made: dict[str, int], per_s: float) -> str:
    last = samples[-1]
    lately = [sample for sample in samples if sample.minutes > last.minutes - 1]
    resident = [sample.resident_mib for sample in lately]
    screen, others = _percent(lately, "screen_s"), _percent(lately, "others_s")
    return (
        f"{last.minutes:5.1f} min  resident {min(resident):.1f} to {max(resident):.1f} MiB"
        f"  anonymous {last.anonymous_mib:.1f}  descriptors {last.descriptors}  threads {last.threads}"
        f"  screen {screen:.1f} %  others {others:.1f} %  rows {compared.rows}"
        f"  unknown {compared.unknown}  lacking {compared.lacking}"
        f"  opened {made['opened']} ({per_s:.0f}/s)"
    )


def _percent(part: list[Sample], name: str) -> float:
    """Of a processor."""
    spent_s = getattr(part[-1], name) - getattr(part[0], name)
    return float(100 * spent_s / max(1e-3, 60 * (part[-1].minutes - part[0].minutes)))


@contextlib.contextmanager
def _terminal(directory: Path) -> Iterator[Terminal]:
    terminal = Terminal(directory, WIDE, {"HOME": str(directory)})
    try:
        yield terminal
    finally:
        terminal.close()


def measure(minutes: float = 60, per_s: float = 500, live: int = 2000) -> list[Result]:
    """Memory, descriptors and processor time after the warm-up, and rows that ``ss`` does not know."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tcptop-rtt-soak-")))
        names: dict[str, dict[str, object]] = {
            server: {"name": f"{number}.soak.example"} for number, server in enumerate(SERVERS)
        }
        world = stack.enter_context(ResolverWorld(directory, names))
        traffic = _Traffic(per_s, live)
        stack.callback(traffic.process.kill)
        dashboard = Dashboard(stack.enter_context(_terminal(directory)), directory, world.inside)
        samples = stack.enter_context(_Samples(dashboard.pid)).taken
        compared, visits, minute = _Compared(), 0, 0
        began_s, before = time.monotonic(), traffic.made()["opened"]
        for view in itertools.cycle(TOUR):
            dashboard.visit(view)
            visits += 1
            passed_s = time.monotonic() - began_s
            if passed_s >= COMPARE_S * (minute + 1):
                minute += 1
                compared.look(traffic, dashboard)
                made = traffic.made()
                opened_per_s = (made["opened"] - before) / (time.monotonic() - began_s)
                print(_minute_line(samples, compared, made, opened_per_s), flush=True)
            if passed_s >= 60 * minutes:
                break
        dashboard.leave()
        traffic.end()
    return [
        Result("connections opened per second", opened_per_s, at_least=0.95 * per_s, detail=str(made)),
        Result("views visited", visits, detail=f"{len(TOUR)} in turn; {dict(dashboard.missed)} not seen"),
        *_memory(samples, minutes),
        *_others(samples, minutes),
        Result("rows that ss does not know", compared.unknown, at_most=0, detail=f"{compared.times} times"),
        Result("connections of ss without a row", compared.lacking, at_most=0),
    ]


def _warm(samples: list[Sample], minutes: float) -> list[Sample]:
    """Those after the warm-up."""
    since = min(WARM_UP_MINUTES, WARM_UP * minutes)
    return [sample for sample in samples if sample.minutes >= since]


def _memory(samples: list[Sample], minutes: float) -> list[Result]:
    warm = _warm(samples, minutes)
    resident = np.array([sample.resident_mib for sample in warm])
    hours = np.array([sample.minutes for sample in warm]) / 60
    low, high = float(resident.min()), float(resident.max())
    anonymous = float(np.median([sample.anonymous_mib for sample in warm]))
    return [
        Result("resident at first", samples[0].resident_mib, "MiB"),
        Result(
            "resident, median after the warm-up",
            float(np.median(resident)),
            "MiB",
            detail=f"anonymous: {anonymous:.0f} MiB",
        ),
        Result(
            "highest / lowest after the warm-up",
            high / low,
            at_most=1 + FLAT,
            detail=f"{low:.1f} to {high:.1f} MiB from minute {warm[0].minutes:.0f}",
        ),
        Result("slope after the warm-up", float(np.polyfit(hours, resident, 1)[0]), "MiB an hour"),
    ]


def _others(samples: list[Sample], minutes: float) -> list[Result]:
    """Halves of what follows the warm-up, beside each other."""
    warm = _warm(samples, minutes)
    halves = warm[: len(warm) // 2 + 1], warm[len(warm) // 2 :]
    found = []
    for what, name in (("the screen", "screen_s"), ("all other threads", "others_s")):
        early, late = (_percent(half, name) for half in halves)
        detail = f"{early:.1f} and {late:.1f} % of a processor"
        what = f"processor time of {what}, second half / first"
        found.append(Result(what, late / early, at_most=1.1, detail=detail))
    for name in ("descriptors", "threads"):
        early, late = (max(getattr(sample, name) for sample in half) for half in halves)
        detail = f"{early} and {late}"
        found.append(Result(f"most {name}, second half - first", late - early, at_most=0, detail=detail))
    return found
