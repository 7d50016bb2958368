"""A collector that can be talked to while its BPF program is still being compiled."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from tcptop_rtt.feeds.live import Collector
from tcptop_rtt.model.snapshot import Health, Snapshot
from tcptop_rtt.sources.probe import Probe

if TYPE_CHECKING:
    from tcptop_rtt.sources.program import Program


class Opening:
    """Hands everything on to the collector once there is one.

    :param program: may still be opening; is closed together with this
    """

    def __init__(self, program: Future[Program], interval_s: float) -> None:
        self._program = program
        self._interval_s = interval_s
        self._probe: Probe | None = None
        self._collector: Collector | None = None
        self._stopped: Future[None] = Future()
        self._lock = threading.Lock()
        """The setters and :meth:`open` are called from different threads."""

    @property
    def collector(self) -> Collector:
        """There once :meth:`open` has returned, unless it was stopped."""
        if self._collector is None:
            raise RuntimeError("it is not open")
        return self._collector

    @property
    def health(self) -> Health:
        """Nothing is known before the first snapshot."""
        return Health("", "", 0.0, 0, 0.0)

    def open(self) -> None:
        """Wait for the program, or until stopped.

        :raises TcptopError: it cannot run here, and why
        """
        either: list[Future[Any]] = [self._program, self._stopped]
        concurrent.futures.wait(either, return_when=concurrent.futures.FIRST_COMPLETED)
        if self._collector is None and not self._stopped.done():
            probe = Probe(self._program.result())
            with self._lock:
                self._probe = probe
                self._collector = Collector(probe, self._interval_s)

    def run(self, publish: Callable[[Snapshot], None]) -> None:
        """Publish a snapshot per interval until stopped."""
        if self._collector is not None and not self._stopped.done():
            self._collector.run(publish)

    def stop(self) -> None:
        """Make ``open`` and ``run`` return soon."""
        with self._lock:
            if not self._stopped.done():
                self._stopped.set_result(None)
            if self._collector is not None:
                self._collector.stop()

    def set_interval(self, seconds: float) -> None:
        """Time between snapshots."""
        with self._lock:
            self._interval_s = seconds
            if self._collector is not None:
                self._collector.set_interval(seconds)

    def set_focus(self, connection: int | None) -> None:
        """Report every ACK of one connection; there is none to choose before the first snapshot."""
        if self._collector is not None:
            self._collector.set_focus(connection)

    def close(self) -> None:
        """Detach everything; waits for a program that is still being opened."""
        if self._probe is not None:
            self._probe.close()
        elif self._program.exception() is None:
            self._program.result().close()
