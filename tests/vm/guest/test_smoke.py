"""Both hooks, side by side on one lossy connection: what everything else builds upon."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from tests.live.conftest import Recording
from tests.live.pairs import connected, port_of, round_trip
from tests.live.program import Line
from tests.vm.guest.ss import ss

HOOKS = ("fentry", "tcp_probe")
CATCH_UP_S = 300.0
"""A pass over all sockets is followed by a pause of fifty times as long, a minute where it took a second."""
ENOUGH_S = 60.0


@contextmanager
def _lossy_loopback() -> Iterator[None]:
    device = ["dev", "lo", "root"]
    subprocess.run(
        ["tc", "qdisc", "add", *device, "netem", "delay", "10ms", "3ms", "loss", "10%"], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "delete", *device], check=True)


def _last(recording: Recording, port: int) -> Line:
    ends = (line for line in reversed(recording.lines) if {"lport", "rport"} <= line.keys())
    return next((line for line in ends if line["lport"] == port), {})


def test_the_processor_computes_as_it_should() -> None:
    # An emulated one may not: of several sizes and types numpy then sorts some wrong.
    random = np.random.default_rng(1)
    for dtype in ("u4", "i4", "u8", "i8", "f4", "f8"):
        for length in (16, 40, 100, 128, 300, 1000):
            values = random.integers(0, 1 << 31, length).astype(dtype)
            assert values[np.argsort(values)].tolist() == sorted(values.tolist()), (dtype, length)


def test_both_hooks_tell_the_process_and_what_ss_prints(record: Callable[..., Recording]) -> None:
    recordings = {hook: record("--source", hook, "--interval", "0.5") for hook in HOOKS}
    with connected() as pair, _lossy_loopback():
        ports = [port_of(end) for end in pair]
        deadline = time.monotonic() + ENOUGH_S
        while not all(ss(f"sport = :{port}")["retrans"] for port in ports):
            assert time.monotonic() < deadline
            for _ in range(20):
                round_trip(pair)

        def expected() -> dict[int, Line]:
            return {port: {"pid": os.getpid(), **ss(f"sport = :{port}")} for port in ports}

        def told(hook: str) -> dict[int, Line]:
            lines = {port: _last(recordings[hook], port) for port in ports}
            return {port: {of: line.get(of) for of in truth[port]} for port, line in lines.items()}

        # The last ACK may be lost too, and sent again seconds later.
        truth = expected()
        deadline = time.monotonic() + CATCH_UP_S
        while any(told(hook) != truth for hook in HOOKS) and time.monotonic() < deadline:
            time.sleep(0.5)
            truth = expected()
        assert {hook: told(hook) for hook in HOOKS} == dict.fromkeys(HOOKS, truth)
        assert all(values["srtt_us"] > 0 for values in truth.values())
    for hook, recording in recordings.items():
        lines = recording.stop()
        header = lines[0]
        assert (header["hook"], header["kernel"]) == (hook, os.uname().release)
        for port in ports:
            assert sum(line.get("rtt_samples", 0) for line in lines if line.get("lport") == port) > 0
