"""A position in a recording: moves from snapshot to snapshot, or to any time."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop_rtt.feeds.replay.footage import Footage
from tcptop_rtt.model.snapshot import Origin, ProcessKey, Snapshot
from tcptop_rtt.recording.reader import Complain

NOWHERE = Origin("", "", "", 0)


class Cursor:
    """Not thread-safe.

    :param complain: called with what cannot be read, and where
    """

    def __init__(self, footage: Footage, complain: Complain) -> None:
        self._footage = footage
        self._complain = complain
        self._ahead: Snapshot | None = None  # the next snapshot, if it has been read already
        self._latest = 0, 0  # the times of the latest snapshot that was read
        self._frame, self._decoder = footage.start_before(0, complain)
        self._lines: Iterator[bytes] = footage.lines(self._frame, complain)

    @property
    def origin(self) -> Origin:
        """Where the latest snapshot is from."""
        return self._decoder.origin or NOWHERE

    @property
    def dropped_records(self) -> int:
        """The number of dropped records, as the end of the stream reports it."""
        return self._decoder.dropped_records

    def cgroup(self, process: ProcessKey) -> str | None:
        """The control group of a process in the latest snapshot."""
        return self._decoder.cgroup(process)

    def peek(self) -> Snapshot | None:
        """The snapshot that :meth:`next` will return; None likewise."""
        self._ahead = self.next()
        return self._ahead

    def next(self) -> Snapshot | None:
        """Go to the next snapshot; None if there is none, or if none has come for a moment."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        while True:
            for line in self._lines:
                snapshot = self._decoder.take(line)
                if snapshot is not None and self._is_another(snapshot):
                    return snapshot
            frame = self._footage.after(self._frame)
            if frame is None:
                return self._decoder.finish() if self._footage.has_ended() else None
            self._frame = frame
            self._lines = self._footage.lines(frame, self._complain)
            self._decoder.drop_states()
            if self._footage.begins_anew(frame):
                self._decoder.reset()

    def _is_another(self, snapshot: Snapshot) -> bool:
        """Whether it is another snapshot than the latest, which a frame with the whole state repeats."""
        latest, self._latest = self._latest, (snapshot.time_ns, snapshot.clock_ns)
        return self._latest != latest

    def seek(self, time_ns: int) -> Snapshot | None:
        """Go to the latest snapshot up to a wall clock time, or else to the first; None if there is none."""
        self._begin(time_ns)
        found = self.next()
        while found is not None:
            after = self.next()
            if after is None or after.time_ns > time_ns:
                self._ahead = after
                break
            found = after
        return found

    def _begin(self, time_ns: int) -> None:
        self._frame, self._decoder = self._footage.start_before(time_ns, self._complain)
        self._lines = self._footage.lines(self._frame, self._complain)
        self._ahead, self._latest = None, (0, 0)
