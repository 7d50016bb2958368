"""From a trouble of a connection to its right word, for each kind of it, as the program starts by default.

A refresh comes each second: a word can be that much older than the line that tells it.
"""

from __future__ import annotations

import time

from bench.results import Result
from tests.live.held_up import WAYS, Held
from tests.live.told import Told, told

PATIENCE_S = 60.0
WANTED_S = 5.0


def _until_said_s(program: Told, held: list[Held]) -> list[float]:
    """Seconds until the right word stands, for each of them."""
    began_s = time.monotonic()
    at_s: dict[int, float] = {}
    while len(at_s) < len(held):
        now_s = time.monotonic() - began_s
        assert now_s < PATIENCE_S, "no right word"
        if program.snapshots:
            latest = program.snapshots[-1]
            for number, one in enumerate(held):
                if number not in at_s and one.said(latest) & one.words:
                    at_s[number] = now_s
        time.sleep(0.02)
    return [at_s[number] for number in range(len(held))]


def measure() -> list[Result]:
    """One result per kind of trouble: the later of the words, where both ends have one."""
    results = []
    with told("--interval", "1") as program:
        for way in WAYS:
            with way() as held:
                seconds = max(_until_said_s(program, held))
            results.append(Result(way.__name__.replace("_", " "), seconds, "s", at_most=WANTED_S))
    return results
