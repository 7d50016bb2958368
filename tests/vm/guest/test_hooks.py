"""Which hook is taken, and that it does not matter which."""

from __future__ import annotations

import errno
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.records import INTERVAL_S
from tcptop_rtt.sources.loader.compiler import compile_program
from tcptop_rtt.sources.loader.request import Request
from tcptop_rtt.sources.program import Program
from tests.live.conftest import Recording, Watch
from tests.live.pairs import connected, port_of, round_trip
from tests.live.program import Line

CONNECTIONS = 12

# A security policy as an administrator could have loaded: nobody gets fentry.
_NO_FENTRY = b"""
#define PROG_LOAD 5
#define OFFSET_OF_TYPE 0
#define OFFSET_OF_ATTACH_TYPE 68
#define TRACING 26
#define FENTRY 24
#define EPERM 1
LSM_PROBE(bpf, int command, union bpf_attr *attr, unsigned int size)
{
	u32 type = 0, attach_type = 0;

	bpf_probe_read_kernel(&type, sizeof(type), (void *)attr + OFFSET_OF_TYPE);
	bpf_probe_read_kernel(&attach_type, sizeof(attach_type), (void *)attr + OFFSET_OF_ATTACH_TYPE);
	if (command != PROG_LOAD || type != TRACING || attach_type != FENTRY)
		return 0;
	asm volatile("" ::: "memory"); /* or what the compiler returns is a sum, which no verifier follows */
	return -EPERM;
}
"""


@contextmanager
def _no_fentry() -> Iterator[None]:
    policy = compile_program(_NO_FENTRY)
    try:
        yield
    finally:
        policy.cleanup()


@contextmanager
def _sysctl(name: str, value: str) -> Iterator[None]:
    path = Path("/proc/sys", name)
    before = path.read_text()
    path.write_text(value)
    try:
        yield
    finally:
        path.write_text(before)


def _assert_samples_come(watch: Watch) -> None:
    samples = 0
    with connected() as pair:
        for _ in range(3):
            for _ in range(100):
                round_trip(pair)
            time.sleep(2 * INTERVAL_S)
            records = watch.probe.read().records
            samples += records["rtt_samples"][records["lport"] == port_of(pair[0])].sum()
    assert samples >= 150  # the third hundred is of an interval that no later sample has ended


def test_fentry_is_taken_by_itself_and_no_kernel_headers_are_needed(watch: Watch) -> None:
    assert not Path("/lib/modules", os.uname().release, "build").exists()
    assert not list(Path("/usr/src").glob("linux-headers-*"))
    assert (watch.probe.hook, watch.probe.hook_note) == ("fentry", "")
    _assert_samples_come(watch)


def _per_connection(lines: list[Line], ports: set[int]) -> dict[tuple[int, int], list[Line]]:
    found = defaultdict(list)
    for line in lines:
        if ports & {line.get("lport"), line.get("rport")}:
            found[(line["lport"], line["rport"])].append(line)
    return found


def test_both_hooks_tell_the_same(record: Callable[..., Recording]) -> None:
    recordings = {hook: record("--source", hook, "--interval", "0.5") for hook in ("fentry", "tcp_probe")}
    with ExitStack() as opened:
        pairs = [opened.enter_context(connected()) for _ in range(CONNECTIONS)]
        ports = {port_of(client) for client, _ in pairs}
        for _ in range(10):
            for number, pair in enumerate(pairs):
                for _ in range(5 * (number + 1)):
                    round_trip(pair)
            time.sleep(0.2)
        time.sleep(1)
    time.sleep(1)
    lines = {hook: recording.stop() for hook, recording in recordings.items()}
    assert {hook: stream[0]["hook"] for hook, stream in lines.items()} == {hook: hook for hook in lines}
    assert {stream[-1]["lost"] for stream in lines.values()} == {0}
    fentry, tcp_probe = (_per_connection(lines[hook], ports) for hook in ("fentry", "tcp_probe"))
    assert fentry.keys() == tcp_probe.keys()
    assert len(fentry) == 2 * CONNECTIONS
    for ends, one in fentry.items():
        other = tcp_probe[ends]
        counts = [sum(line["rtt_samples"] for line in history) for history in (one, other)]
        assert counts[0] >= 50
        assert abs(counts[0] - counts[1]) <= 0.01 * counts[0], (ends, counts)
        for of in ("srtt_us", "rttvar_us", "min_rtt_us", "last_rtt_us", "pid", "retrans", "bytes_acked"):
            assert one[-1][of] == other[-1][of], (ends, of)
        for of, extreme in (("rtt_lo_us", min), ("rtt_hi_us", max)):
            values = [
                extreme(line[of] for line in history if line[of] is not None) for history in (one, other)
            ]
            assert values[0] == values[1], (ends, of)


def test_where_a_policy_refuses_fentry_tcp_probe_takes_over_and_says_so() -> None:
    with _no_fentry():
        with closing(Watch()) as watch:
            assert watch.probe.hook == "tcp_probe"
            assert watch.probe.hook_note.startswith("fentry is refused: ")
            assert "EPERM" in watch.probe.hook_note
            _assert_samples_come(watch)
        with pytest.raises(TcptopError, match=r"fentry is refused: .*; use --source tcp_probe"):
            Program.loaded(Request("fentry"))


def test_where_ftrace_is_off_tcp_probe_takes_over() -> None:
    # Such a kernel attaches fentry and never runs it.
    with ExitStack() as stack:
        off = True
        try:
            stack.enter_context(_sysctl("kernel/ftrace_enabled", "0"))
        except OSError as error:
            # The newest kernels refuse to switch it off, so fentry always runs.
            if error.errno != errno.EOPNOTSUPP:
                raise
            off = False
        watch = stack.enter_context(closing(Watch()))
        assert watch.probe.hook == ("tcp_probe" if off else "fentry")
        assert ("ftrace_enabled" in watch.probe.hook_note) == off
        _assert_samples_come(watch)


def test_without_the_bpf_compiler_of_the_kernel_samples_come_too() -> None:
    with _sysctl("net/core/bpf_jit_enable", "0"), closing(Watch()) as watch:
        _assert_samples_come(watch)
