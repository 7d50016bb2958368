"""The feed of a recording: its clock, host and processes are the recorded ones, and it can be played."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import replace

from tcptop_rtt.feeds.base import Capability, Feed, Player, Playing
from tcptop_rtt.feeds.clock import Clock
from tcptop_rtt.feeds.replay.cursor import NOWHERE, Cursor
from tcptop_rtt.feeds.replay.footage import Footage, nothing_of, whole_span
from tcptop_rtt.feeds.replay.problems import Problems
from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Health, Origin, ProcessKey, Snapshot
from tcptop_rtt.recording.reader import Complain
from tcptop_rtt.view import times

LONGEST_GAP_S = 5.0
"""The longest pause between two snapshots when playing, for gaps such as those between two runs."""
LATE_NS = 60_000_000_000
"""The last snapshot also stands for times up to so long after it."""
MOST_LAG_S = 0.5
"""A snapshot that comes so much later than by the pace delays those after it no further."""

Open = Callable[[Callable[[], bool], Complain], Footage]


class ReplayFeed(Feed, Player):
    """Replays snapshots.

    :param name: the name of the recording in messages
    :param open_footage: called with a function that returns whether to stop, and with a complain function
    :param paced: play at the recorded pace, with a player; else yield snapshots as fast as they are taken
    :param at: the time to begin at, paused, as a user writes it; None: play from the beginning
    """

    def __init__(
        self, name: str, open_footage: Open, paced: bool, at: str | None = None, clock: Clock | None = None
    ) -> None:
        self._name = name
        self._open = open_footage
        self._paced = paced
        self._at = at
        self._clock = clock or Clock()
        self._footage: Footage | None = None
        self._cursor: Cursor | None = None
        self._now: Snapshot | None = None
        self._problems = Problems()
        self._playing = Playing(on=at is None)
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopped = False

    @property
    def capabilities(self) -> frozenset[Capability]:
        """PLAY, if the feed is paced."""
        return frozenset({Capability.PLAY}) if self._paced else frozenset()

    @property
    def health(self) -> Health:
        """The recorded health."""
        return self._now.health if self._now is not None else Health()

    @property
    def origin(self) -> Origin:
        """Where the snapshots were recorded."""
        return self._cursor.origin if self._cursor is not None else NOWHERE

    @property
    def problem(self) -> str:
        """The first problem of reading, and the number of others; empty if everything can be read."""
        return self._problems.words

    def cgroup(self, process: ProcessKey) -> str | None:
        """The recorded control group of a process."""
        return self._cursor.cgroup(process) if self._cursor is not None else None

    def open(self) -> None:
        """Open the recording, and read the first snapshot.

        :raises TcptopError: there is nothing to show; the message says why
        """
        if self._cursor is not None:
            return
        self._footage = self._open(lambda: self._stopped, self._problems.add)
        self._cursor = Cursor(self._footage, self._problems.add)
        wanted_ns = None if self._at is None else self._wanted_ns(self._at, whole_span(self._footage))
        self._now = self._cursor.next() if wanted_ns is None else self._cursor.seek(wanted_ns)
        if self._now is None and not self._stopped:
            why = self._problems.reason
            raise TcptopError(f"nothing in {self._name} can be shown{why}: --record writes what can")

    def _wanted_ns(self, at: str, span_ns: tuple[int, int]) -> int | None:
        """The time that the user asks for; None if the recording is empty.

        :raises TcptopError: nothing was recorded at that time
        """
        first_ns, last_ns = span_ns
        if not last_ns:
            return None
        wanted_ns = times.time_ns(at, last_ns, first_ns, last_ns)
        if wanted_ns is None or not first_ns <= wanted_ns <= last_ns + LATE_NS:
            raise nothing_of(at, self._name, span_ns)
        return wanted_ns

    def stop(self) -> None:
        """Make the iteration end at its next turn."""
        self._stopped = True
        self._wake.put(None)

    def close(self) -> None:
        """Close all files."""
        if self._footage is not None:
            self._footage.close()

    def set_refresh(self, _: float) -> None:
        """Does nothing: the recording has its own times."""

    def set_trace(self, _: int | None) -> None:
        """Does nothing: single ACKs are not recorded."""

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield all snapshots from the first one; with a player, until stopped."""
        self.open()
        if self._now is None or self._cursor is None:
            return
        yield self._now
        if self._paced:
            yield from self._played(self._cursor)
            return
        while not self._stopped:
            snapshot = self._cursor.next()
            if snapshot is not None:
                self._now = snapshot
                yield snapshot
            elif self._has_ended():
                return

    def lines(self) -> Iterator[bytes]:
        """Yield the recorded lines until stopped, and an empty line while none come.

        What is no JSON object is left out, and a problem.
        """
        self.open()
        decoder = StreamDecoder(self._problems.add)
        frame: int | None = 0
        while frame is not None and self._footage is not None:
            for line in self._footage.lines(frame, self._problems.add):
                if self._stopped:
                    return
                if decoder.passes(line):
                    yield line
            following = self._footage.after(frame)
            while following is None and not self._has_ended():
                yield b""
                following = self._footage.after(frame)
            frame = following

    def _has_ended(self) -> bool:
        return self._footage is None or self._footage.has_ended()

    # --- with a player --------------------------------------------------------------------------------

    @property
    def player(self) -> Player | None:
        """The feed itself, if it is paced."""
        return self if self._paced else None

    @property
    def playing(self) -> Playing:
        """The current state of the player."""
        footage, now = self._footage, self._now
        if footage is None or now is None:
            return self._playing
        first_ns, last_ns = footage.span_ns
        return replace(
            self._playing,
            first_ns=min(first_ns or now.time_ns, now.time_ns),
            last_ns=max(last_ns, now.time_ns),
            at_ns=now.time_ns,
            problem=self.problem,
            moments=footage.moments,
        )

    def play(self, on: bool) -> None:
        """Play, or pause."""
        self._ask(lambda: self._play(on))

    def step(self, count: int) -> None:
        """Pause some snapshots later, or earlier if negative."""
        self._ask(lambda: self._step(count))

    def set_speed(self, speed: float) -> None:
        """Change the speed."""
        self._ask(lambda: self._set(speed=speed))

    def seek(self, time_ns: int) -> None:
        """Go to a time."""
        self._ask(lambda: self._go(time_ns))

    def _ask(self, action: Callable[[], None]) -> None:
        self._asked.put(action)
        self._wake.put(None)

    def _set(self, *, on: bool | None = None, speed: float | None = None, at_end: bool | None = None) -> None:
        playing = self._playing
        self._playing = replace(
            playing,
            on=playing.on if on is None else on,
            speed=speed or playing.speed,
            at_end=playing.at_end if at_end is None else at_end,
        )

    def _play(self, on: bool) -> None:
        if on and self._playing.at_end and self._footage is not None:
            self._go(self._footage.span_ns[0])
        self._set(on=on)

    def _go(self, time_ns: int) -> None:
        found = self._cursor.seek(time_ns) if self._cursor is not None else None
        if found is not None:
            self._now = found
            self._set(at_end=False)

    def _step(self, count: int) -> None:
        self._set(on=False)
        for _ in range(count):
            self._forward()
        for _ in range(-count):
            if self._now is not None:
                self._go(self._now.time_ns - 1)

    def _forward(self) -> None:
        """Go to the next snapshot, if there is one."""
        following = self._cursor.next() if self._cursor is not None else None
        if following is not None:
            self._now = following
        elif self._has_ended():
            self._set(at_end=True)

    def _played(self, cursor: Cursor) -> Iterator[Snapshot]:
        shown_s = self._clock.monotonic_s()
        while not self._stopped and self._now is not None:
            if self._take_requests():
                shown_s = self._clock.monotonic_s()
                yield self._now
            if not self._playing.on:
                self._wake.get()
                continue
            following = cursor.peek()
            if following is None:
                if self._has_ended():
                    self._set(on=False, at_end=True)
                    yield self._now
                continue
            gap_s = max(0.0, (following.clock_ns - self._now.clock_ns) / 1e9)
            due_s = shown_s + min(gap_s, LONGEST_GAP_S) / self._playing.speed
            wait_s = due_s - self._clock.monotonic_s()
            if wait_s > 0:
                self._clock.wait(self._wake, wait_s)
                if self._stopped or not self._asked.empty() or self._clock.monotonic_s() < due_s:
                    continue
            self._now = cursor.next()
            shown_s = max(due_s, self._clock.monotonic_s() - MOST_LAG_S)
            if self._now is not None:
                yield self._now

    def _take_requests(self) -> bool:
        asked = False
        while not self._asked.empty():
            self._asked.get()()
            asked = True
        return asked
