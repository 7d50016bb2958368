"""Writes snapshots into the ring on disk, one recording after the other."""

from __future__ import annotations

from collections.abc import Callable

from tcptop_rtt.model.snapshot import Origin, ProcessKey, Snapshot
from tcptop_rtt.outputs.recording import Recording
from tcptop_rtt.past.moments import SEVERE, Moment
from tcptop_rtt.recording.ring import Ring
from tcptop_rtt.recording.writer import RecordingWriter
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.filter import Filter

BEFORE_NS, AFTER_NS = 120_000_000_000, 60_000_000_000
"""How much is saved before and after a moment."""
PAUSE_NS = 600_000_000_000
"""The shortest time between two moments that are saved."""


class Keeping:
    """Keeps the latest snapshots in a ring, and saves the minutes around moments. Only one thread may use it.

    :param ring: owned and closed by this object
    :param cgroup: returns the cgroup path of a process, or None
    """

    def __init__(self, ring: Ring, chosen: Filter, cgroup: Callable[[ProcessKey], str | None]) -> None:
        self._ring = ring
        self._filter = chosen
        self._cgroup = cgroup
        self._origin: Origin | None = None
        self._recording: Recording | None = None
        self._began_ns = 0
        self._dropped_records = 0
        self._moment: Moment | None = None  # the minutes around it are still to be saved
        self._pause_until_ns = 0
        self.failure = ""
        """Why nothing is kept at the moment; empty if all is well."""
        self._unsaved = ""  # why the latest minutes were not saved; empty if they were

    @property
    def problem(self) -> str:
        """What cannot be kept or saved, and why, as a sentence; empty if all is well."""
        return f"cannot keep anything at the moment: {self.failure}" if self.failure else self._unsaved

    def begin(self, origin: Origin) -> None:
        """Take the origin of the snapshots, for the headers."""
        self._origin = origin

    def show(self, snapshot: Snapshot, moments: tuple[Moment, ...]) -> None:
        """Write a snapshot, into a new recording if one is due.

        :param moments: all moments so far
        """
        self._dropped_records = snapshot.health.dropped_records
        recording = self._recording
        if recording is None or recording.failure or self._is_full(recording, snapshot):
            recording = self._next(snapshot)
        if recording is not None:
            fresh = recording.show(snapshot, moments)
            self.failure = recording.failure
            self._save_around(snapshot, fresh)

    def _save_around(self, snapshot: Snapshot, fresh: tuple[Moment, ...]) -> None:
        """Save the minutes around a severe moment, once AFTER_NS has passed since."""
        worst = next((moment for moment in fresh if moment.kind in SEVERE), None)
        if worst is not None and self._moment is None and snapshot.clock_ns >= self._pause_until_ns:
            self._moment, self._pause_until_ns = worst, snapshot.clock_ns + PAUSE_NS
        moment = self._moment
        if moment is not None and snapshot.clock_ns >= moment.clock_ns + AFTER_NS:
            self._moment = None
            self._save(moment)

    def _save(self, moment: Moment) -> None:
        try:
            if self._recording is not None:
                self._recording.complete_frame()
            self._ring.save(moment.time_ns - BEFORE_NS, moment.words, moment.time_ns)
            self._unsaved = ""
        except OSError as error:
            when = fmt.clock(moment.time_ns / 1e9)
            self._unsaved = f"cannot save the minutes around {when}: {error.strerror or error}"

    def end(self, dropped_records: int) -> None:
        """End the recording, and close the ring. A moment is saved with what has come after it so far."""
        if self._moment is not None:
            self._save(self._moment)
        if self._recording is not None:
            self._recording.end(dropped_records)
        self._ring.close()

    def _is_full(self, recording: Recording, snapshot: Snapshot) -> bool:
        most = self._ring.part_bytes
        too_long = snapshot.clock_ns - self._began_ns >= self._ring.part_ns
        return too_long or (most is not None and recording.size >= most)

    def _next(self, snapshot: Snapshot) -> Recording | None:
        if self._recording is not None:
            self._recording.end(self._dropped_records)
            self._recording = None
        try:
            self._ring.drop_old()
            file = RecordingWriter(self._ring.next_path())
        except OSError as error:  # the disk may be full now, and have room later
            self.failure = error.strerror or str(error)
            return None
        recording = Recording(file, self._filter, self._cgroup)
        if self._origin is not None:
            recording.begin(self._origin)
        self._recording, self._began_ns = recording, snapshot.clock_ns
        return recording
