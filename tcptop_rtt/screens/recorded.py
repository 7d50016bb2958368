"""A live screen whose snapshots can be recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.reactive import var

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens.live import LiveScreen

if TYPE_CHECKING:
    from tcptop_rtt.outputs.recordings import Recordings

RECORD_KEY = Binding(
    "R",
    "record",
    "Record",
    tooltip="Record everything into a new file, or end the recording; --replay shows it again",
    id="record",
)


class RecordedScreen(LiveScreen):
    """A screen that starts and ends recordings."""

    recordings: Recordings | None = None
    """Starts and ends recordings; None: nothing can be recorded."""
    recording: var[str] = var("", init=False)
    """The file and its size, or why the recording has stopped; empty: nothing is recorded."""

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        if self.recordings is not None:
            self.recording = self.recordings.status

    def action_record(self) -> None:
        if self.recordings is None:
            return
        if self.recordings.are_wanted:
            self.tell(self.recordings.stop())
        else:
            try:
                path = self.recordings.open()
                self.recordings.start()
            except TcptopError as problem:
                self.tell(str(problem))
                return
            self.tell(f"recording into {path}")
        self.recording = self.recordings.status
