"""One other host: a thread that starts ssh, decodes the stream, and reconnects when it has ended."""

from __future__ import annotations

import queue
import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from tcptop_rtt.feeds.remote.ssh import Session, reason
from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.errors import why
from tcptop_rtt.model.outside import NAME_CHARACTERS
from tcptop_rtt.model.snapshot import Origin, ProcessKey, Snapshot
from tcptop_rtt.recording.reader import split
from tcptop_rtt.view import format as fmt

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""The pause before the next try, which doubles each time."""
MOST_NOISE_LINES = 1000
"""A shell's greeting before the stream may have so many lines."""
NO_STREAM = "it does not send a tcptop-rtt stream"
STEADY_S = 30.0
"""After a stream of this length, the pause is the shortest again."""
MOST_AHEAD = 2
"""So many states may wait for being shown; then the host waits, too, as each has samples of its own."""
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a host at a time."""

    snapshot: Snapshot | None = None
    """What it has sent; None without a stream."""
    came_s: float = 0.0
    """When the snapshot came, by this machine's monotonic clock."""
    time_ns: int = 0
    """The same by this machine's wall clock."""
    seed: int = 0
    """A random number for this run of the program there: another run may use the same ids."""
    problem: str = ""
    """Why there is no stream, or what in it cannot be read."""
    tried: bool = False
    """There is or was a stream, or the first try has failed."""


class RemoteHost:
    """Reads until :meth:`stop`.

    :param name: the name by which the user calls the host
    :param arguments: the command that brings the stream
    :param changed: called by the thread when there is another state to :meth:`advance` to
    """

    def __init__(
        self,
        name: str,
        arguments: list[str],
        environment: Mapping[str, str],
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.state = State()
        """The state that is to be shown."""
        self._following: queue.Queue[State] = queue.Queue(MOST_AHEAD)
        self._arguments = arguments
        self._environment = environment
        self._changed = changed
        self._decoder = StreamDecoder(lambda _: None)
        self._decoding = threading.Lock()
        self._session: Session | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"host {name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Make the thread end soon: ssh gets this signal."""
        self._stop.set()
        session = self._session
        if session is not None:
            session.kill(number)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of the thread; return whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def advance(self) -> None:
        """Go to the next state, if there is one."""
        with suppress(queue.Empty):
            self.state = self._following.get_nowait()

    @property
    def is_ahead(self) -> bool:
        """Whether there is a next state."""
        return not self._following.empty()

    @property
    def origin(self) -> Origin | None:
        """Where the snapshots are from; None until a header has come."""
        return self._decoder.origin

    def cgroup(self, process: ProcessKey) -> str | None:
        """The control group of a process on this host."""
        with self._decoding:
            return self._decoder.cgroup(process)

    def _run(self) -> None:
        pause_s = SHORTEST_PAUSE_S
        while not self._stop.is_set():
            begun_s = time.monotonic()
            try:
                problem = self._read()
            except OSError as error:
                problem = f"cannot start {self._arguments[0]}: {why(error)}"
            except Exception as error:  # bad data from one host must not end the program
                problem = f"its stream cannot be read: {type(error).__name__}"
            if time.monotonic() - begun_s >= STEADY_S:
                pause_s = SHORTEST_PAUSE_S
            self._tell(State(problem=problem, tried=True))
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _read(self) -> str:
        """Read one stream to its end; return why it has ended."""
        unreadable = noise = ""
        noisy_lines, has_begun = 0, False

        def complain(problem: str) -> None:
            nonlocal unreadable
            unreadable = unreadable or problem

        decoder, seed = StreamDecoder(complain), secrets.randbits(64)
        with self._decoding:
            self._decoder = decoder
        session = self._session = Session(self._arguments, self._environment)
        if self._stop.is_set():
            session.kill()
        try:
            for line in split(session.chunks(), complain, whole=False):
                if decoder.origin is None and not line.startswith(b"{"):
                    noise = noise or fmt.printable(line[:NAME_CHARACTERS])  # perhaps a shell's greeting
                    noisy_lines += 1
                    if noisy_lines > MOST_NOISE_LINES:
                        return f"{NO_STREAM}: {noise}"
                    continue
                with self._decoding:
                    snapshot = decoder.take(line)
                if snapshot is not None:
                    has_begun = True
                    problem = f"not all of its stream can be read: {unreadable}" if unreadable else ""
                    self._tell(State(snapshot, time.monotonic(), time.time_ns(), seed, problem, tried=True))
        finally:
            status = session.close()
            self._session = None
        if session.complaint or status:
            return reason(self.name, session.complaint, status)
        if has_begun:
            return "its stream has ended"
        said = noise or unreadable
        return f"{NO_STREAM}: {said}" if said else "it sends nothing"

    def _tell(self, state: State) -> None:
        """Hand on a state, as soon as there is room for it."""
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._following.put(state, timeout=_LOOK_S)
                break
        self._changed()
