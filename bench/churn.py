"""2,000 connections a second, each opened and closed at once: none is missed, and memory stays flat.

They are the only ones of a network namespace, so that the kernel's own counters are theirs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

from bench.results import Result, flat_memory
from bench.traffic import churning, cpu_s, resident_mib

PER_S, SECONDS = 2000, 60


def _least_mib(pid: int, seconds: float) -> float:
    """What it never goes below in that time; above, memory goes up and down with what refreshes need."""
    end, least = time.monotonic() + seconds, resident_mib(pid)
    while time.monotonic() < end:
        time.sleep(0.5)
        least = min(least, resident_mib(pid))
    return least


def measure() -> list[Result]:
    """Connections reported, of those that the kernel counted; memory after and before."""
    command = [sys.executable, "-m", "tcptop_rtt", "--json", "--interval", "1"]
    closed: dict[tuple[int, str], int] = {}
    end: dict[str, int] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()

        def count() -> None:
            assert process.stdout
            for text in process.stdout:
                line = json.loads(text)
                if line["event"] == "close":
                    side = line["netns"], line["direction"]
                    closed[side] = closed.get(side, 0) + 1
                end.update(line if line["event"] == "end" else {})

        counter = threading.Thread(target=count)
        counter.start()
        with churning(PER_S, SECONDS) as traffic:
            time.sleep(SECONDS / 3)
            early_mib = _least_mib(process.pid, SECONDS / 3)
            late_mib = _least_mib(process.pid, SECONDS / 3)
            opened, accepted = traffic.opened_and_accepted()
        share = 100 * cpu_s(process.pid) / SECONDS
        time.sleep(2)
        process.terminate()
        counter.join()
    missed = {
        "clients": opened - closed[traffic.netns, "out"],
        "servers": accepted - closed[traffic.netns, "in"],
    }
    return [
        Result("connections per second", opened / SECONDS, at_least=0.95 * PER_S),
        *(
            Result(
                f"{side} missed", abs(number), at_most=0, detail=f"of {opened:,}, by the kernel's counters"
            )
            for side, number in missed.items()
        ),
        Result("records lost", end["lost"], at_most=0),
        flat_memory(early_mib, late_mib),
        Result("processor time", share, "% of a core"),
    ]
