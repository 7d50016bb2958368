"""--pid: what is said where there is no such process, and when it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.program import PROGRAM, complaint, run
from tests.live.terminal import Terminals, talker

_FORMATS: tuple[list[str], ...] = ([], ["--json"], ["--count", "1"])


def _unused_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        pass
    assert not Path(f"/proc/{process.pid}").exists()
    return process.pid


@pytest.mark.parametrize("options", _FORMATS, ids=" ".join)
def test_a_pid_that_no_process_has_is_told_in_one_line(options: list[str]) -> None:
    pid = _unused_pid()
    ended = run("--pid", str(pid), *options)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"tcptop-rtt: no process has PID {pid} here: ps -e lists those that there are\n"


def test_the_number_of_a_thread_is_told_as_such() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    ended = run("--pid", str(thread.native_id), "--count", "1")
    done.set()
    assert complaint(ended).startswith(f"tcptop-rtt: {thread.native_id} is a thread, not a process")


def _tables(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    assert process.stdout
    table: list[str] = []
    for line in process.stdout:
        if line == "\n":
            yield table
            table = []
        else:
            table.append(line.rstrip())


def test_an_empty_table_says_that_the_process_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as wanted:
        assert wanted.stdin
        note = f"process {wanted.pid} has ended"
        command = [PROGRAM, "--pid", str(wanted.pid), "--interval", "0.2"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            tables = _tables(watching)
            assert note not in next(tables)
            wanted.kill()
            wanted.wait()
            assert any(table[2:] == [note] for table in tables)
            watching.terminate()
            watching.communicate()


def test_so_does_the_screen_once_its_connections_are_gone(terminals: Terminals) -> None:
    terminal = terminals()
    with talker(b"wanted") as wanted:
        terminal.start(f"--pid {wanted.pid}")
        terminal.row(wanted.server)
        assert "has ended" not in terminal.text
    terminal.wait_for(f"process {wanted.pid} has ended")
    assert not terminal.line_with(wanted.server)
    terminal.press("q")
    terminal.check_restored()
