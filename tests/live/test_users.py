"""The user is the one that the process runs as now, wherever it is told."""

from __future__ import annotations

import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tests.live.conftest import Recording
from tests.live.pairs import port_of
from tests.live.program import NOBODY
from tests.live.terminal import Terminals
from tests.ports import serve

_DROP = f"""
import os, socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), source_address=("127.0.0.1", 0)) as client:
    print(client.getsockname()[1], flush=True)
    sys.stdin.readline()
    os.setresuid(-1, {NOBODY}, -1)
    print(flush=True)
    sys.stdin.readline()
"""


class Dropper:
    """A process that connects as root, and lays it down when told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.port = int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def drop(self) -> None:
        assert self._process.stdin
        print(file=self._process.stdin, flush=True)
        self._answer()


@contextmanager
def _dropper() -> Iterator[Dropper]:
    with serve() as listener:
        command = [sys.executable, "-c", _DROP, str(port_of(listener))]
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
            server, _ = listener.accept()
            with server:
                yield Dropper(process)
                process.kill()


def test_a_process_that_becomes_another_user_is_told_as_that(record: Callable[..., Recording]) -> None:
    with _dropper() as dropper:
        for uid in (0, NOBODY):
            if uid:
                dropper.drop()
            recording = record("--interval", "0.2", "--pid", str(dropper.pid))
            assert recording.wait_for(lambda line: line.get("lport") == dropper.port)["uid"] == uid


def test_name_and_number_of_the_user_are_of_one_moment() -> None:
    with _dropper() as dropper, closing(Probe(Program.loaded(), Direct())) as probe:
        feed = LiveFeed(ready(probe), 0.1)
        for snapshot in feed.snapshots():
            (row,) = snapshot.rows[snapshot.rows["lport"] == dropper.port]
            if snapshot.trace is None:
                feed.set_trace(int(row["id"]))
                continue
            if row["uid"] == 0:
                assert snapshot.trace.user in ("", "root")
                dropper.drop()
            elif snapshot.trace.user:
                assert snapshot.trace.user == pwd.getpwuid(NOBODY).pw_name
                assert row["uid"] == NOBODY
                break
        feed.stop()


@pytest.mark.parametrize("drops", [False, True])
def test_the_drill_down_has_both(drops: bool, terminals: Terminals) -> None:
    uid = NOBODY if drops else 0
    terminal = terminals()
    with _dropper() as dropper:
        if drops:
            dropper.drop()
        terminal.start(f"--pid {dropper.pid}")
        terminal.wait_for(f":{dropper.port} ")
        terminal.press("Enter")
        terminal.wait_for("user", f"{pwd.getpwuid(uid).pw_name} (uid {uid})")
        terminal.press("q", "q")
        terminal.check_restored()
