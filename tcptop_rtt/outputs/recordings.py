"""What of a feed is recorded, beside whatever else shows its snapshots.

What writes a file is imported once there is one to write.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tcptop_rtt import environment
from tcptop_rtt.feeds.base import Feed
from tcptop_rtt.model.errors import TcptopError
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
    """What of a feed is recorded, one file at a time.

    The thread that makes the snapshots calls ``show``; any other may call the rest.

    :param owner: whose the files will be; None: of whoever runs the program
    :param home: where files without a name go, if not here
    :param limit_bytes: no file becomes larger; None: as large as it will
    """

    def __init__(
        self, feed: Feed, chosen: Filter, owner: Owner | None, home: str, limit_bytes: int | None = None
    ) -> None:
        self._feed = feed
        # Two that ask for one process get one answer, though it may have ended in between.
        self.cgroup = lru_cache(maxsize=4096)(feed.cgroup)
        """The control group of a process, as recordings have it."""
        self._filter = chosen
        self._owner = owner
        self._home = home
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._keeping: Keeping | None = None
        self._file: RecordingWriter | None = None
        self._recording: Recording | None = None
        self._dropped_records = 0
        self._finder: MomentFinder | None = None  # where nobody else looks for moments

    @classmethod
    def wanted(cls, options: argparse.Namespace, feed: Feed, chosen: Filter) -> Recordings:
        """What options ask for.

        :raises TcptopError: a file cannot be made
        """
        uid = options.invoker.uid
        owner = environment.owner_of_files(uid)
        home = environment.home_of(uid)
        recordings = cls(feed, chosen, Owner(*owner) if owner else None, home, options.record_limit)
        if options.record is not None:
            recordings.open(options.record)
        if options.keep is not None:
            recordings.keep(environment.state_directory(), options.keep)
        return recordings

    def open(self, path: str | None = None) -> str:
        """Make a file; give its path.

        :param path: None: one with host and time in its name
        :raises TcptopError: it cannot be made
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
            raise TcptopError(f"cannot record into {where}: {error.strerror or error}") from None
        return path

    @property
    def are_wanted(self) -> bool:
        """There is a file."""
        return self._file is not None

    def keep(self, directory: str, keep_ns: int) -> None:
        """Keep what is seen for so long, in recordings that follow each other there.

        :raises TcptopError: it cannot be kept there
        """
        from tcptop_rtt.outputs.keeping import Keeping
        from tcptop_rtt.recording.ring import Ring

        try:
            ring = Ring(directory, keep_ns, self._limit)
        except OSError as error:
            raise TcptopError(f"cannot keep anything in {directory}: {error.strerror or error}") from None
        self._keeping = Keeping(ring, self._filter, self.cgroup)

    @property
    def are_made(self) -> bool:
        """What is seen is recorded, or kept."""
        return self._file is not None or self._keeping is not None

    def start(self, origin: Origin | None = None) -> None:
        """Record into the file from the next snapshot on. The feed is open.

        :param origin: None: what the feed says
        """
        if self._keeping is not None:
            self._keeping.begin(origin or self._feed.origin)
        if self._file is not None:
            from tcptop_rtt.outputs.recording import Recording

            recording = Recording(self._file, self._filter, self.cgroup)
            recording.begin(origin or self._feed.origin)
            self._recording = recording

    def show(self, snapshot: Snapshot, moments: tuple[Moment, ...] | None = None) -> None:
        """Record a snapshot, if anything is recorded.

        :param moments: all that have been found so far; None: nobody has looked for them
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
        """Find the moments, once for all that is written."""
        if self._finder is None:
            from tcptop_rtt.past.moments import MomentFinder

            self._finder = MomentFinder()
        return self._finder.look(snapshot)

    def stop(self) -> str:
        """End the file; say so with its path, or why it has ended before. Empty: there is none."""
        path, failure = self.finish()
        return failure or (f"recorded: {path}" if path else "")

    def finish(self) -> tuple[str, str]:
        """End the file; its path, and why not all is in it. Empty: there is none; all is well."""
        with self._lock:
            recording, file = self._recording, self._file
            self._recording = self._file = None
            if recording is not None:
                recording.end(self._dropped_records)
            elif file is not None:
                file.abandon()
        return file.path if file is not None else "", self._lost(file, recording)

    def close(self) -> None:
        """End all that is written."""
        self.stop()
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.end(self._dropped_records)

    @property
    def status(self) -> str:
        """The file and its size, or why nothing is recorded any more; empty: nothing is, or has been."""
        recording, file, problem = self._recording, self._file, self.problem
        if problem or recording is None or file is None:
            return problem
        return f"{Path(file.path).name} {fmt.size(file.size)}"

    @property
    def problem(self) -> str:
        """Why something is not recorded or kept; empty: all is well."""
        return (self._keeping.problem if self._keeping is not None else "") or self.failure

    @property
    def failure(self) -> str:
        """Why the file grows no more; empty: all is well."""
        return self._lost(self._file, self._recording)

    @staticmethod
    def _lost(file: RecordingWriter | None, recording: Recording | None) -> str:
        if file is None or recording is None or not recording.failure:
            return ""
        return f"cannot record into {file.path}: {recording.failure}; what is in it stays"


class Complaints:
    """Says what cannot be recorded, once for as long as that is so. What else is done goes on.

    :param say: takes one line
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = ""

    def take(self, problem: str) -> None:
        """Say it, if it is news.

        :param problem: empty: all is well
        """
        if problem and problem != self._said:
            self._say(problem)
        self._said = problem


class AlsoRecorded:
    """An output whose snapshots are recorded, too.

    :param say: takes one line of what cannot be recorded
    """

    def __init__(self, output: Output, recordings: Recordings, say: Callable[[str], None]) -> None:
        self._output = output
        self._recordings = recordings
        self._complaints = Complaints(say)
        self.is_whole = True
        """Whether all is in the file, once it has ended."""

    def begin(self, origin: Origin) -> None:
        """In both."""
        self._output.begin(origin)
        self._recordings.start(origin)

    def show(self, snapshot: Snapshot) -> None:
        """In both."""
        self._recordings.show(snapshot)
        self._output.show(snapshot)
        self._complaints.take(self._recordings.problem)

    def end(self, dropped_records: int) -> None:
        """In both."""
        self._output.end(dropped_records)
        _, failure = self._recordings.finish()
        self.is_whole = not failure
        self._complaints.take(failure)
