"""A program that runs, and the rows that its stream tells of."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.rows import Rows
from tcptop_rtt.model.snapshot import Snapshot
from tests.live.program import PROGRAM, START_S
from tests.waiting import becomes


class Told:
    """A running ``tcptop-rtt --json``, whose stream is made into snapshots again while it is read.

    :param environment: of it, besides what the tests have themselves
    :param before: the command that starts it
    """

    def __init__(
        self, *options: str, before: tuple[str, ...] = (), environment: dict[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [*before, PROGRAM, "--json", "--interval", "0.2", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | (environment or {}),
        )
        self.snapshots: list[Snapshot] = []
        """All so far."""
        self.complaints: list[str] = []
        """What of the stream could not be read."""
        self.scans = 0
        """How many have been told of."""
        self.decoder = StreamDecoder(self.complaints.append)
        self._scan_s = 0.0
        self._reads = threading.Event()
        self._reads.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._reads.wait()
            snapshot = self.decoder.take(line)
            if snapshot is not None:
                # Each scan takes some nanoseconds more or less of a processor than the one before.
                self.scans += snapshot.health.scan_s != self._scan_s
                self._scan_s = snapshot.health.scan_s
                self.snapshots.append(snapshot)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Nobody reads its pipe meanwhile."""
        self._reads.clear()
        try:
            yield
        finally:
            self._reads.set()

    def expect(self, condition: bool, what: str) -> None:
        """Fails with the program's own words."""
        if not condition:
            if self.process.poll() is not None and self.process.stderr:
                what += f"; it has ended: {self.process.stderr.read().decode()}"
            pytest.fail(what)

    @property
    def latest(self) -> Snapshot:
        """The newest snapshot, once there is one."""
        self.expect(becomes(lambda: bool(self.snapshots) or self._is_over(), START_S), "no snapshot")
        self.expect(bool(self.snapshots), "no snapshot")
        return self.snapshots[-1]

    def after(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        """The newest snapshot once the condition holds for it."""
        self.expect(
            becomes(lambda: condition(self.latest) or self._is_over(), START_S),
            f"it has never come to that; the latest is of {self.latest.health}",
        )
        return self.latest

    def after_now(self) -> Snapshot:
        """The newest snapshot, made later than this call."""
        now_ns = time.monotonic_ns()
        return self.after(lambda latest: latest.clock_ns > now_ns)

    def after_two_scans(self) -> Snapshot:
        """That of the second scan which begins after this call, at the latest."""
        self.after_now()
        seen = self.scans
        return self.after(lambda _: self.scans >= seen + 2)

    def rows_after_two_scans(self) -> Rows:
        """Its rows."""
        return self.after_two_scans().rows

    def _is_over(self) -> bool:
        return self.process.poll() is not None

    def stop(self) -> Snapshot:
        """End it as it is meant to end; the last snapshot."""
        self.process.terminate()
        assert self.process.wait(START_S) == 0, self.process.stderr and self.process.stderr.read()
        self._reader.join(START_S)
        assert self.complaints == []
        return self.latest

    def close(self) -> None:
        """Not to outlive the test."""
        self._reads.set()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(START_S)


@contextmanager
def told(
    *options: str, before: tuple[str, ...] = (), environment: dict[str, str] | None = None
) -> Iterator[Told]:
    """One that has begun, and ends with the test."""
    it = Told(*options, before=before, environment=environment)
    try:
        assert it.latest
        yield it
    finally:
        it.close()
