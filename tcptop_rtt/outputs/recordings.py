"""The recordings that are made of a feed, beside its output.

The modules that write files are imported only when a file is to be written.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tcptop_rtt import environment
from tcptop_rtt.feeds.base import Feed
from tcptop_rtt.model.errors import TcptopError, why
from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.base import Output
from tcptop_rtt.recording.place import Owner, directory_of, new_path
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.filter import Filter

if TYPE_CHECKING:
    from tcptop_rtt.outputs.keeping import Keeping
    from tcptop_rtt.outputs.recording import Recording
    from tcptop_rtt.past.moments import Moment, MomentFinder
    from tcptop_rtt.recording.writer import RecordingWriter


class Recordings:
    """Records a feed into one file at a time, and into the ring of kept recordings.

    The thread that makes the snapshots calls ``show``; any thread may call the rest.

    :param owner: the owner of new files; None for the user of this process
    :param home: the directory for files without a name, if the current one is not suitable
    :param limit_bytes: the limit for a file, and for all kept recordings together; None for no limit
    """

    def __init__(
        self, feed: Feed, chosen: Filter, owner: Owner | None, home: str, limit_bytes: int | None = None
    ) -> None:
        self._feed = feed
        self._filter = chosen
        self._owner = owner
        self._home = home
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._keeping: Keeping | None = None
        self._file: RecordingWriter | None = None
        self._recording: Recording | None = None
        self._dropped_records = 0
        self._finder: MomentFinder | None = None  # only if the callers of show() pass no moments

    @classmethod
    def wanted(cls, options: argparse.Namespace, feed: Feed, chosen: Filter) -> Recordings:
        """Make the recordings that the options ask for.

        :raises TcptopError: a file cannot be made; then none is left behind
        """
        uid = options.invoker.uid
        owner = environment.owner_of_files(uid)
        home = environment.home_of(uid)
        recordings = cls(feed, chosen, Owner(*owner) if owner else None, home, options.record_limit)
        try:
            if options.record is not None:
                recordings.open(options.record)
            if options.keep is not None:
                recordings.keep(environment.state_directory(), options.keep)
        except TcptopError:
            recordings.close()
            raise
        return recordings

    def open(self, path: str | None = None) -> str:
        """Make a file, and return its path.

        :param path: None for a name made of host and time
        :raises TcptopError: the file cannot be made
        """
        from tcptop_rtt.recording.writer import RecordingWriter

        try:
            if path is None:
                path = new_path(directory_of(self._owner, self._home), os.uname().nodename, time.time_ns())
            self._file = RecordingWriter(path, self._owner, self._limit)
        except FileExistsError:
            raise TcptopError(f"{path} is there already: name another file, or remove it first") from None
        except OSError as error:
            where = path or self._home or "a directory that only its owner can write to"
            raise TcptopError(f"cannot record into {where}: {why(error)}") from None
        return path

    @property
    def are_wanted(self) -> bool:
        """Whether a file was opened."""
        return self._file is not None

    def keep(self, directory: str, keep_ns: int) -> None:
        """Keep snapshots for this time, in a ring of recordings in the directory.

        :raises TcptopError: the directory cannot be used
        """
        from tcptop_rtt.outputs.keeping import Keeping
        from tcptop_rtt.recording.ring import Ring

        try:
            ring = Ring(directory, keep_ns, self._limit)
        except OSError as error:
            raise TcptopError(f"cannot keep anything in {directory}: {why(error)}") from None
        self._keeping = Keeping(ring, self._filter, self._feed.cgroup)

    @property
    def are_made(self) -> bool:
        """Whether snapshots are recorded or kept."""
        return self._file is not None or self._keeping is not None

    def start(self, origin: Origin | None = None) -> None:
        """Record from the next snapshot on. The feed is open.

        :param origin: None for that of the feed
        """
        if self._keeping is not None:
            self._keeping.begin(origin or self._feed.origin)
        if self._file is not None:
            from tcptop_rtt.outputs.recording import Recording

            recording = Recording(self._file, self._filter, self._feed.cgroup)
            recording.begin(origin or self._feed.origin)
            self._recording = recording

    def show(self, snapshot: Snapshot, moments: tuple[Moment, ...] | None = None) -> None:
        """Record a snapshot, if anything is recorded.

        :param moments: all moments so far; None: this object finds them
        """
        self._dropped_records = snapshot.health.dropped_records
        if moments is None and self.are_made:
            moments = self._look(snapshot)
        moments = moments or ()
        if self._keeping is not None:
            self._keeping.show(snapshot, moments)
        if self._recording is not None:
            with self._lock:
                if self._recording is not None:
                    self._recording.show(snapshot, moments)

    def _look(self, snapshot: Snapshot) -> tuple[Moment, ...]:
        """Return all moments so far, for the file and the ring."""
        if self._finder is None:
            from tcptop_rtt.past.moments import MomentFinder

            self._finder = MomentFinder()
        return self._finder.look(snapshot)

    def stop(self) -> str:
        """End the file. Return a line with its path, or why it is incomplete; empty if there is no file."""
        path, failure = self.finish()
        return failure or (f"recorded: {path}" if path else "")

    def finish(self) -> tuple[str, str]:
        """End the file. Return its path and why it is incomplete, each empty if there is none."""
        with self._lock:
            recording, file = self._recording, self._file
            self._recording = self._file = None
            if recording is not None:
                recording.end(self._dropped_records)
            elif file is not None:
                file.abandon()
        return file.path if file is not None else "", self._lost(file, recording)

    def close(self) -> None:
        """End the file and the ring."""
        self.stop()
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.end(self._dropped_records)

    @property
    def status(self) -> str:
        """The file's name and size, or the problem; empty if nothing is recorded."""
        recording, file, problem = self._recording, self._file, self.problem
        if problem or recording is None or file is None:
            return problem
        return f"{Path(file.path).name} {fmt.size(file.size)}"

    @property
    def problem(self) -> str:
        """Why something is not recorded or kept; empty if all is well."""
        return (self._keeping.problem if self._keeping is not None else "") or self.failure

    @property
    def failure(self) -> str:
        """Why the file is not written any more; empty if all is well."""
        return self._lost(self._file, self._recording)

    @staticmethod
    def _lost(file: RecordingWriter | None, recording: Recording | None) -> str:
        if file is None or recording is None or not recording.failure:
            return ""
        kept = "; the part already written is kept" if file.size else ""
        return f"cannot record into {file.path}: {recording.failure}{kept}"


class Complaints:
    """Reports problems, each once while it lasts.

    :param say: called with one line
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = ""

    def take(self, problem: str) -> None:
        """Report the problem if it is new.

        :param problem: empty if all is well
        """
        if problem and problem != self._said:
            self._say(problem)
        self._said = problem


class AlsoRecorded:
    """An output whose snapshots are also recorded.

    :param say: called with one line about each problem of the recordings
    """

    def __init__(self, output: Output, recordings: Recordings, say: Callable[[str], None]) -> None:
        self._output = output
        self._recordings = recordings
        self._complaints = Complaints(say)
        self.is_whole = True
        """Whether the recording is complete, once it has ended."""

    def begin(self, origin: Origin) -> None:
        """Begin the output and the recordings."""
        self._output.begin(origin)
        self._recordings.start(origin)

    def show(self, snapshot: Snapshot) -> None:
        """Record the snapshot, and show it."""
        self._recordings.show(snapshot)
        self._output.show(snapshot)
        self._complaints.take(self._recordings.problem)

    def end(self, dropped_records: int) -> None:
        """End the output and the recordings."""
        self._output.end(dropped_records)
        _, failure = self._recordings.finish()
        self.is_whole = not failure
        self._complaints.take(failure)
