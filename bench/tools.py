"""Processor time beside other tools on the same traffic: ping-pong on 8 connections."""

from __future__ import annotations

import shutil
import sys
import time

from bench.results import Result
from bench.traffic import PingPong, cpu_percent, unseen

SECONDS = 10.0
SETTLE_S = 3.0
OURS = "tcptop-rtt"
TOOLS = {
    OURS: [sys.executable, "-m", "tcptop_rtt"],
    "nethogs -a": ["nethogs", "-a", "-d", "1", "lo"],
    "iftop -t": ["iftop", "-t", "-n", "-i", "lo"],
    "watch -n1 ss -tinp": ["watch", "-n1", "ss", "-tinp"],
}


def _share(traffic: PingPong, command: list[str]) -> float:
    with unseen(*command) as pid, traffic.running(8, SECONDS + SETTLE_S):
        time.sleep(SETTLE_S)
        return cpu_percent(pid, SECONDS)


def measure() -> list[Result]:
    """Each in turn."""
    traffic = PingPong()
    shares = {name: _share(traffic, command) for name, command in TOOLS.items() if shutil.which(command[0])}
    results = [Result(name, share, "% of a core") for name, share in shares.items()]
    results += [
        Result(f"{OURS} / {name}", shares[OURS] / share, at_most=1)
        for name, share in shares.items()
        if name != OURS and share
    ]
    return results
