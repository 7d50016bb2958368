"""What bench.peers runs inside the guest: each tool in turn on the same traffic."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.bpf import Account, bpf_stats, programs
from bench.traffic import ACCEPTS_PER_S, PingPong, accepting, resident_mib
from tests.live.pairs import connected, talking

CONNECTIONS = 8
OURS = "tcptop-rtt (fentry)"
_OUR_COMMAND = [sys.executable, "-m", "tcptop_rtt", "--json", "--interval", "1", "--source"]
TOOLS = {
    OURS: [*_OUR_COMMAND, "fentry"],
    "tcptop-rtt (tcp_probe)": [*_OUR_COMMAND, "tcp_probe"],
    "bcc tcptop": ["/usr/sbin/tcptop-bpfcc", "-C", "1"],
    "bcc tcprtt": ["/usr/sbin/tcprtt-bpfcc", "-i", "1"],
    "libbpf-tools tcptop": ["/usr/sbin/tcptop", "-C", "1"],
    "libbpf-tools tcprtt": ["/usr/sbin/tcprtt", "-i", "1"],
}
PER_CONNECTION = ("bcc tcptop", "libbpf-tools tcptop")
"""Those peers that tell connections apart."""

_EMPTY = {
    "empty raw tracepoint": b"int empty(void *ctx) { return 0; }",
    "empty fentry": b"KFUNC_PROBE(tcp_rcv_established) { return 0; }",
    "empty kprobe": b"int empty(void *ctx) { return 0; }",
}
_START_LIMIT_S, _TRIAL_S = 240.0, 0.5
Accounts = dict[int, Account]


def _time_ns(accounts: Accounts, others: Accounts) -> int:
    return sum(account.time_ns for number, account in accounts.items() if number not in others)


def segments() -> int:
    """That the kernel has received so far."""
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if "Tcp:" in line
    )
    return int(values[names.index("InSegs")])


class ToolError(Exception):
    """A tool that does not run here; its last words."""


def _wait_until_running(process: subprocess.Popen[bytes], others: Accounts) -> float:
    """Seconds until a program of the tool's was at work; one that is there for a moment is a trial."""
    began = time.monotonic()
    first_ran: dict[int, tuple[float, int]] = {}
    while process.poll() is None and time.monotonic() < began + _START_LIMIT_S:
        now_s = time.monotonic() - began
        accounts = programs()
        ran = {number: one.runs for number, one in accounts.items() if one.runs and number not in others}
        for number, runs in ran.items():
            since_s, runs_then = first_ran.setdefault(number, (now_s, runs))
            if runs > runs_then and now_s > since_s + _TRIAL_S:
                return min(then_s for other, (then_s, _) in first_ran.items() if other in ran)
        time.sleep(0.02)
    raise ToolError("no program of it ran")


@contextmanager
def _running(command: list[str], others: Accounts) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A tool at work, and the seconds from its exec until it was."""
    with (
        tempfile.TemporaryFile() as says,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=says) as process,
    ):
        try:
            # A few segments all the time, so that what is attached runs.
            with bpf_stats(), connected() as pair, talking(pair, 0.01):
                started = _wait_until_running(process, others)
            yield process, started
        except ToolError as error:
            says.seek(0)
            words = [line for line in says.read().decode().splitlines() if "error" in line]
            raise ToolError(words[0].strip() if words else str(error)) from None
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _cost(traffic: PingPong, others: Accounts, seconds: float) -> float:
    """Nanoseconds of the programs per segment received."""
    with bpf_stats(), traffic.running(CONNECTIONS, seconds):
        before, received = programs(), segments()
        time.sleep(seconds)
        after, received = programs(), segments() - received
    return (_time_ns(after, others) - _time_ns(before, others)) / received


def _costs(traffic: PingPong, others: Accounts, seconds: float) -> dict[str, float]:
    """In a calm, and while another process accepts connections."""
    calm = _cost(traffic, others, seconds)
    with accepting(ACCEPTS_PER_S):
        return {"ns_per_segment": calm, "ns_while_accepting": _cost(traffic, others, seconds)}


def _trip_ns(traffic: PingPong, seconds: float, rounds: int) -> float:
    return 1e9 / statistics.median(traffic.rate(CONNECTIONS, seconds) for _ in range(rounds))


def measure(name: str, traffic: PingPong, seconds: float, rounds: int) -> dict[str, Any]:
    """One tool's row."""
    others = programs()
    without = _trip_ns(traffic, seconds, rounds)
    try:
        starts = []
        if rounds > 1:
            with _running(TOOLS[name], others) as (_, started):
                starts.append(started)  # its files are cached after this
        with _running(TOOLS[name], others) as (process, started):
            starts.append(started)
            time.sleep(2)  # what it does once, at its start, is over
            resident = resident_mib(process.pid)
            costs = _costs(traffic, others, seconds)
            with_it = _trip_ns(traffic, seconds, rounds)
    except ToolError as error:
        return {"failed": str(error)}
    return {
        **costs,
        "ns_per_trip": with_it - without,
        "start_s": min(starts),
        "resident_mib": resident,
        "speed": without / with_it,
    }


def measure_empty(name: str, traffic: PingPong, seconds: float, rounds: int) -> dict[str, Any]:
    """The row of a program that does nothing: what its way of attaching costs by itself."""
    from tcptop_rtt.sources.loader.compiler import compile_program

    others = programs()
    without = _trip_ns(traffic, seconds, rounds)
    module = compile_program(_EMPTY[name])
    if "tracepoint" in name:
        module.attach_raw_tracepoint(b"tcp_probe", b"empty")
    elif "kprobe" in name:
        module.attach_kprobe(event=b"tcp_rcv_established", fn_name=b"empty")
    costs = _costs(traffic, others, seconds)
    with_it = _trip_ns(traffic, seconds, rounds)
    module.cleanup()
    return {**costs, "ns_per_trip": with_it - without}


def main() -> None:
    """Measure all, or those whose names begin so, and leave the rows where the host looks for them."""
    counting = "--counting" in sys.argv
    chosen = tuple(argument for argument in sys.argv[1:] if argument != "--counting") or ("",)
    seconds, rounds = (1.0, 1) if counting else (2.0, 3)
    traffic = PingPong()
    rows: dict[str, Any] = {"kernel": {"release": os.uname().release}}
    for name in filter(lambda name: name.startswith(chosen), TOOLS):
        rows[name] = measure(name, traffic, seconds, rounds)
        print(name, rows[name], flush=True)
    if counting:
        for name in filter(lambda name: name.startswith(chosen), _EMPTY):
            rows[name] = measure_empty(name, traffic, seconds, rounds)
            print(name, rows[name], flush=True)
    Path("/run/lab/results/peers.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
