"""The program as its users run it: a process of its own, watching real sockets of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tcptop_rtt.feeds.processes import Processes
from tcptop_rtt.model.snapshot import Health, Snapshot
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tcptop_rtt.tracking.connections import Connections
from tests.live.held import Open, Pty
from tests.live.program import NOBODY, PROGRAM, START_S, Line
from tests.live.terminal import Terminals


class Recording:
    """A running ``tcptop-rtt --json``; its lines so far are in ``lines``.

    :param before: the command that starts it
    """

    def __init__(self, *options: str, before: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*before, PROGRAM, "--json", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[Line] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.endswith("\n"):  # otherwise the program was killed while it wrote
                self.lines.append(json.loads(line))

    def wait_for(self, condition: Callable[[Line], bool], timeout_s: float = START_S) -> Line:
        """The first line that matches; fails with the program's own words if none comes."""
        deadline, looked_at = time.monotonic() + timeout_s, 0
        while time.monotonic() < deadline:
            # Each line once: what is read has to be read in time, even on a slow machine.
            for line in self.lines[looked_at:]:
                looked_at += 1
                if condition(line):
                    return line
            if self.process.poll() is not None:
                assert self.process.stderr
                pytest.fail(f"tcptop-rtt ended: {self.process.stderr.read()}")
            time.sleep(0.05)
        pytest.fail(f"no such line in {timeout_s} s; the last of {len(self.lines)}: {self.lines[-3:]}")

    def wait_for_close(self, lport: int, rport: int) -> Line:
        """The end of a connection."""
        return self.wait_for(
            lambda line: line["event"] == "close" and (line["lport"], line["rport"]) == (lport, rport)
        )

    def stop(self) -> list[Line]:
        """End it as Ctrl-C would; all its lines."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0
        self._reader.join(20)
        return self.lines


@pytest.fixture
def record() -> Iterator[Callable[..., Recording]]:
    """Start recordings that end with the test."""
    running: list[Recording] = []

    def start(*options: str, before: tuple[str, ...] = ()) -> Recording:
        recording = Recording(*options, before=before)
        running.append(recording)
        header = recording.wait_for(lambda line: line["event"] == "header")
        assert (header["hook"] == "sock_diag") == ("sock_diag" in options), "BPF cannot be had here"
        return recording

    yield start
    for recording in running:
        if recording.process.poll() is None:
            recording.process.kill()
            recording.process.wait()


@pytest.fixture
def terminal() -> Iterator[Open]:
    opened: list[Pty] = []

    def open_(*command: str, **how: Any) -> Pty:
        opened.append(Pty(*command, **how))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    opener = Terminals(tmp_path)
    yield opener
    opener.close()


HEALTH = Health("test", "", 0.0, 0, 0.0)


class Watch:
    """The probe and the connections, stepped by hand.

    :param program: None: one like that of the command line
    """

    def __init__(self, program: Program | None = None) -> None:
        self.probe = Probe(program or Program.loaded(), Direct())
        self.connections = Connections()
        self._processes = Processes()

    def look(self) -> Snapshot:
        """Scan, read, and take a snapshot, as the worker does."""
        for entries in self.probe.scan(partial(self.connections.unheld_namespaces, time.monotonic_ns())):
            self.connections.ingest(self.probe.read().records)
            self.connections.ingest_scan(entries)
        self.connections.apply_scan(self._processes.is_gone)
        return self.connections.snapshot(HEALTH)

    def close(self) -> None:
        """Detach the probe."""
        self.probe.close()


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A directory of nobody's; those of ``tmp_path`` are for root alone."""
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, NOBODY, NOBODY)
        yield Path(directory)


@pytest.fixture
def watch() -> Iterator[Watch]:
    with closing(Watch()) as watch:
        yield watch
