"""What is read of real processes."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tcptop_rtt.feeds.processes import Processes, UserNames
from tcptop_rtt.model.outside import CUT, TEXT_BYTES
from tcptop_rtt.model.snapshot import ProcessKey
from tests.live.test_cli import becomes


def _key(pid: int) -> ProcessKey:
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except FileNotFoundError:
        ticks = 0
    return ProcessKey(pid, ticks * 10**9 // os.sysconf("SC_CLK_TCK"))


_WAIT = "import sys; print(flush=True); sys.stdin.read()"


@contextmanager
def _running(command: list[str]) -> Iterator[int]:
    """Its PID, once it runs: in the middle of exec() it has no command line."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        process.communicate()


@pytest.mark.parametrize(
    "argument", ["x" * 100_000, "日" * 40_000, "-Da=b " * 15_000], ids=["letters", "wide", "words"]
)
def test_of_a_long_command_line_the_beginning_is_read(argument: str) -> None:
    command = [sys.executable, "-c", _WAIT, argument]
    with _running(command) as pid:
        told = Processes().describe(_key(pid))
    assert told
    whole = " ".join(command)
    assert told.cmdline.endswith(CUT)
    assert whole.startswith(told.cmdline.removesuffix(CUT))
    assert TEXT_BYTES - 4 < len(told.cmdline.removesuffix(CUT).encode()) <= TEXT_BYTES


def test_a_short_command_line_is_told_as_it_is() -> None:
    command = [sys.executable, "-c", _WAIT, "", "a b"]
    with _running(command) as pid:
        told = Processes().describe(_key(pid))
    assert told
    assert told.cmdline == " ".join(command)
    assert Processes().describe(_key(pid)) is None


def test_an_own_cgroup_is_found() -> None:
    raw = Path("/proc/self/cgroup").read_bytes()
    told = Processes().cgroup(_key(os.getpid()))
    assert told is not None
    assert re.search(rb"(?m)^\d+:[^:]*:" + re.escape(told.encode()) + b"$", raw)
    assert told != "/" or not re.search(rb"(?m)^\d+:[^:]*:/.", raw)


def test_nobody_waits_for_the_name_of_a_user() -> None:
    answer = threading.Event()

    def slow(uid: int) -> str:
        answer.wait()
        return pwd.getpwuid(uid).pw_name

    users = UserNames(slow)
    assert users.get(0) == ""
    answer.set()
    assert becomes(lambda: users.get(0) == "root")


def test_a_user_without_a_name_has_none() -> None:
    users = UserNames()
    assert becomes(lambda: users.get(os.getuid()) == pwd.getpwuid(os.getuid()).pw_name)
    assert users.get(4_000_000_000) == ""
