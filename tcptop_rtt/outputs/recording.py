"""Writes the stream into a recording."""

from __future__ import annotations

from collections.abc import Callable

from tcptop_rtt.model.snapshot import Origin, ProcessKey, Snapshot
from tcptop_rtt.outputs.stream import StreamLines
from tcptop_rtt.past.moment_lines import line_of
from tcptop_rtt.past.moments import Moment
from tcptop_rtt.recording.writer import RecordingWriter
from tcptop_rtt.view.filter import Filter


class Recording:
    """Writes snapshots into a file. After a failure, what is in the file stays.

    :param file: new
    :param cgroup: returns the cgroup path of a process, or None
    """

    def __init__(
        self, file: RecordingWriter, chosen: Filter, cgroup: Callable[[ProcessKey], str | None]
    ) -> None:
        self._file = file
        self._stream = StreamLines(chosen, cgroup)
        self._first: list[bytes] = []
        self._clock_ns: int | None = None  # of the latest snapshot; moments up to then are written
        self.failure = ""
        """Why nothing is written any more; empty if all is well."""

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return self._file.size

    def begin(self, origin: Origin) -> None:
        """Make the header, which is written with the first snapshot."""
        self._first = self._stream.begin(origin)

    def show(self, snapshot: Snapshot, moments: tuple[Moment, ...]) -> tuple[Moment, ...]:
        """Write the changes since the previous snapshot, and the new moments.

        :param moments: all moments so far
        :return: the moments since the previous snapshot
        """
        if self.failure:
            return ()
        lines, self._first = [*self._first, *self._stream.of(snapshot)], []
        last_ns = snapshot.clock_ns - 1 if self._clock_ns is None else self._clock_ns
        fresh = tuple(moment for moment in moments[-64:] if moment.clock_ns > last_ns)
        self._clock_ns = snapshot.clock_ns
        try:
            self._file.add(
                lines, snapshot.time_ns, snapshot.clock_ns, self._stream.state, tuple(map(line_of, fresh))
            )
        except OSError as error:
            self.failure = error.strerror or str(error)
            self._file.abandon()
        return fresh

    def complete_frame(self) -> None:
        """Complete the current frame, so that all that was written can be read.

        :raises OSError: the frame cannot be written
        """
        if not self.failure:
            self._file.complete_frame()

    def end(self, dropped_records: int) -> None:
        """Write the last line and the index."""
        if self.failure:
            return
        try:
            self._file.close(self._stream.end(dropped_records))
        except OSError as error:
            self.failure = error.strerror or str(error)
