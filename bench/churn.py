"""2,000 connections a second, each opened and closed at once: none is missed, and memory stays flat.

They are the only ones of a network namespace, so that the kernel's own counters are theirs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

from bench.results import Result
from bench.traffic import cpu_s, resident_mib

PER_S, SECONDS = 2000, 60.0

# It tells its namespace, and at the end how many connections were opened and accepted there.
_CHURN = """
import os, socket, struct, sys, time
per_s, seconds = int(sys.argv[1]), float(sys.argv[2])
print(os.stat("/proc/self/ns/net").st_ino, flush=True)
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
reset = struct.pack("ii", 1, 0)  # no TIME_WAIT: there are not ports enough for a minute of it
start, opened = time.monotonic(), 0
while (elapsed := time.monotonic() - start) < seconds:
    while opened < elapsed * per_s:
        with socket.create_connection(listener.getsockname()) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            listener.accept()[0].close()
        opened += 1
    time.sleep(0.005)
names, values = (line.split() for line in open("/proc/net/snmp") if line.startswith("Tcp:"))
print(values[names.index("ActiveOpens")], values[names.index("PassiveOpens")], flush=True)
"""
_IN_NAMESPACE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


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
    churn = [*_IN_NAMESPACE, sys.executable, "-c", _CHURN, str(PER_S), str(SECONDS)]
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
        with subprocess.Popen(churn, stdout=subprocess.PIPE, text=True) as traffic:
            assert traffic.stdout
            netns = int(traffic.stdout.readline())
            time.sleep(SECONDS / 3)
            early_mib = _least_mib(process.pid, SECONDS / 3)
            late_mib = _least_mib(process.pid, SECONDS / 3)
            opened, accepted = map(int, traffic.stdout.readline().split())
        share = 100 * cpu_s(process.pid) / SECONDS
        time.sleep(2)
        process.terminate()
        counter.join()
    missed = {"clients": opened - closed[netns, "out"], "servers": accepted - closed[netns, "in"]}
    return [
        Result("connections per second", opened / SECONDS, at_least=0.95 * PER_S),
        *(
            Result(
                f"{side} missed", abs(number), at_most=0, detail=f"of {opened:,}, by the kernel's counters"
            )
            for side, number in missed.items()
        ),
        Result("records lost", end["lost"], at_most=0),
        Result(
            "memory in the last third / in the second",
            late_mib / early_mib,
            at_most=1.05,
            detail=f"the least each: {late_mib:.0f} MiB, {early_mib:.0f} MiB",
        ),
        Result("processor time", share, "% of a core"),
    ]
