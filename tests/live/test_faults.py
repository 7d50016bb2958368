"""What goes wrong beside the connections: in the program, in their processes, in a second one of it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tcptop_rtt.feeds.processes import Processes
from tcptop_rtt.model.snapshot import ProcessKey
from tests.live.held import Open
from tests.live.kernel_objects import kernel_objects, remaining
from tests.live.pairs import connected, round_trip, rows_of
from tests.live.program import PROGRAM, START_S
from tests.live.told import told
from tests.waiting import becomes

# The worker

_RAISES = """
import os, sys
from tcptop_rtt import cli
from tcptop_rtt.sources.probe import Probe
begins = sys.argv.pop(1)
read = Probe.read
def failing(self):
    if os.path.exists(begins):
        raise IndexError("of our own [/red] making")
    return read(self)
Probe.read = failing
sys.argv[0] = "tcptop-rtt"
sys.exit(cli.main())
"""
"""A program with a fault in what reads its ring buffer, which begins once there is a certain file."""


def test_a_worker_that_raises_leaves_the_screen_up_says_why_and_leaves_nothing_behind(
    terminal: Open, tmp_path: Path
) -> None:
    begins = tmp_path / "begins"
    it = terminal(sys.executable, "-c", _RAISES, str(begins), "--interval", "0.3").started()
    objects = kernel_objects(it.pid)
    assert objects
    begins.touch()
    it.wait_for(b"! IndexError: of our own [/red] making")
    it.check_keys()
    it.type(b"q")
    assert it.ended() == 0
    it.check_restored()
    assert becomes(lambda: not remaining(objects))


@pytest.mark.parametrize("options", [["--json"], ["--count", "999"]], ids=["json", "plain"])
def test_where_text_is_written_it_is_one_line_and_exit_code_1(options: list[str], tmp_path: Path) -> None:
    begins = tmp_path / "begins"
    command = [sys.executable, "-c", _RAISES, str(begins), "--interval", "0.3", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout
        assert program.stdout.readline()
        begins.touch()
        output, errors = program.communicate(timeout=START_S)
    assert program.returncode == 1
    (line,) = errors.splitlines()
    assert line.startswith("tcptop-rtt: unexpected IndexError: of our own")
    assert not output or output.endswith("\n")


# Processes

_CONNECT = """
import ctypes, signal, socket, sys
from tests.ports import bind, serve
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
listener, client = serve(), socket.socket()
bind(client)
client.connect(listener.getsockname())
server, _ = listener.accept()
out = open(sys.argv[2], "w") if sys.argv[2:] else sys.stdout
print(client.getsockname()[1], file=out, flush=True)
signal.pause()
"""


@contextmanager
def _connecting(name: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process of this name with both ends of a connection, and the port of the client's end."""
    with subprocess.Popen(
        [sys.executable, "-c", _CONNECT, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_a_process_that_ends_before_anybody_has_looked_at_it_is_named_all_the_same() -> None:
    with told() as it:
        it.after_now()
        it.process.send_signal(signal.SIGSTOP)
        with _connecting("short-lived") as (process, port):
            process.kill()
            process.wait()
        it.process.send_signal(signal.SIGCONT)
        rows = it.after(lambda latest: port in latest.rows["lport"]).rows
        (row,) = rows[rows["lport"] == port]
        # The kernel side has read both with the record; nothing of it is from /proc.
        assert (row["comm"], row["closed"]) == (b"short-lived", True)
        assert process.pid in (row["pid"], row["was_pid"])
        assert it.decoder.cgroup(ProcessKey(process.pid, int(row["started_ns"]))) is None
        it.stop()


_CLONE_ARGS = struct.Struct("=11Q")
"""struct clone_args of include/uapi/linux/sched.h: exit_signal, and set_tid with its size behind tls."""
_SYS_CLONE3 = 435


def _run_as(pid: int, command: list[str]) -> None:
    """Start a command under this number, which no process has; does not wait for it."""
    wanted = (ctypes.c_int32 * 1)(pid)
    arguments = _CLONE_ARGS.pack(0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    child = libc.syscall(_SYS_CLONE3, arguments, len(arguments))
    if child == 0:
        os.execv(command[0], command)  # noqa: S606
    assert child == pid, os.strerror(ctypes.get_errno())


def test_a_pid_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    with told() as it:
        with _connecting("the-first") as (process, first):
            it.after(lambda latest: first in latest.rows["lport"])
            process.kill()
            process.wait()
        path = tmp_path / "port"
        _run_as(process.pid, [sys.executable, "-c", _CONNECT, "the-second", str(path)])
        try:
            assert becomes(lambda: path.exists() and path.read_text().endswith("\n"), START_S)
            second = int(path.read_text())
            rows = it.after(lambda latest: {first, second} <= {*latest.rows["lport"].tolist()}).rows
            (former,), (latter,) = (rows[rows["lport"] == port] for port in (first, second))
            assert (former["pid"], former["comm"], former["closed"]) == (process.pid, b"the-first", True)
            assert (latter["pid"], latter["comm"], latter["closed"]) == (process.pid, b"the-second", False)
            assert former["started_ns"] < latter["started_ns"]
            processes = Processes()
            gone, there = (ProcessKey(int(row["pid"]), int(row["started_ns"])) for row in (former, latter))
            assert (processes.describe(gone), processes.cgroup(gone), processes.parents(gone)) == (
                None,
                None,
                (),
            )
            described = processes.describe(there)
            assert described
            assert "the-second" in described.cmdline
        finally:
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
        it.stop()


# Two at once


def test_two_at_once_tell_the_same_and_the_end_of_one_is_nothing_to_the_other() -> None:
    with ExitStack() as opened, told() as one:
        pairs = [opened.enter_context(connected()) for _ in range(5)]
        with told() as other:
            for pair in pairs:
                round_trip(pair)
            found = [rows_of(it.rows_after_two_scans(), *pairs) for it in (one, other)]
            for name in ("pid", "comm", "state", "bytes_acked", "bytes_received", "srtt_us", "min_rtt_us"):
                assert found[0][name].tolist() == found[1][name].tolist(), name
            ours, theirs = kernel_objects(one.process.pid), kernel_objects(other.process.pid)
            assert ours
            assert not ours & theirs
            other.process.kill()
            other.process.wait()
        assert becomes(lambda: not remaining(theirs))
        assert remaining(ours) == ours
        before = rows_of(one.latest.rows, *pairs)["bytes_acked"]
        for pair in pairs:
            round_trip(pair)
        after = rows_of(one.rows_after_two_scans(), *pairs)["bytes_acked"]
        assert (after == before + 1).all()
        one.stop()


# No room on the disk


@contextmanager
def _small_disk(path: Path, kibibytes: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "none", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_the_screen_says_that_the_disk_is_full_and_goes_on_and_what_is_recorded_can_be_read(
    terminal: Open, tmp_path: Path
) -> None:
    with _small_disk(tmp_path, 16), ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(connected())
        path = tmp_path / "it"
        own = ("--pid", str(os.getpid()))  # those of others may be too many for this disk
        it = terminal(PROGRAM, "--interval", "0.1", *own, "--record", str(path)).started()
        it.wait_for_shown("No space left on device")
        it.check_keys()
        it.type(b"q")
        assert it.ended() in (0, 1)
        it.check_restored()
        again = subprocess.run([PROGRAM, "--replay", path, "--json"], capture_output=True, check=True)
        events = [json.loads(line)["event"] for line in again.stdout.splitlines()]
        assert events[0] == "header"
        assert events.count("refresh") > 0
        assert path.stat().st_size <= 16 << 10
