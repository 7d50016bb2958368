"""The terminal dashboard: one worker thread hands over snapshots, the active screen paints them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from tcptop_rtt.feeds.base import Capability, Feed
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.names import Names
from tcptop_rtt.model.reach import Rights
from tcptop_rtt.model.snapshot import Health, OwnCost, Snapshot
from tcptop_rtt.past.frames import Past
from tcptop_rtt.past.recorder import Recorder
from tcptop_rtt.program_app import ProgramApp
from tcptop_rtt.screens.beside import TableAndDetails
from tcptop_rtt.screens.first import first_screen
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.view.ends import joined
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.preferences import NO_PREFERENCES, Preferences
from tcptop_rtt.widgets.connection_table import ConnectionTable

if TYPE_CHECKING:
    from tcptop_rtt.outputs.recordings import Recordings
    from tcptop_rtt.screens.details import DetailsScreen
    from tcptop_rtt.screens.fleet import FleetScreen

STAGE_S = 0.1
"""Between two updates of the line that says what the start waits for."""

JOIN_S = 5.0
"""How long leaving waits for the worker: longer than any read of a source takes."""


class Opened(Message):
    """The feed is open."""


@dataclass(eq=False)  # arrays do not compare
class SnapshotReady(Message):
    """There is a newer snapshot."""

    snapshot: Snapshot
    past: Past

    def can_replace(self, message: Message) -> bool:
        """Replace an older snapshot that has not been painted yet."""
        return isinstance(message, SnapshotReady)


@dataclass
class FeedEnded(Message):
    """The worker has ended by itself, so the screen shows the last snapshot."""

    problem: str


class TcptopApp(ProgramApp):
    """All connections, and the details of one of them.

    :param note: returns a line of text for an empty table
    :param resolver: looks up names of hosts and services; None: there are no names
    :param named: whether names are shown from the start
    :param preferences: without a theme in them the app chooses one that fits the terminal
    :param recordings: None: this feed cannot be recorded
    :param held: returns which rights the processes hold
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", tooltip="Keys and columns explained", id="help"),
        Binding(
            "q", "go_out", "Quit", tooltip="End the program; from anywhere else back to the table", id="quit"
        ),
        Binding(
            "ctrl+p",
            "command_palette",
            "More",
            priority=True,
            tooltip="All commands, found by a part of their name",
            id="commands",
        ),
    ]

    def __init__(
        self,
        feed: Feed,
        filter: Filter,  # noqa: A002
        refresh_s: float,
        glyphs: Glyphs,
        note: Callable[[], str] = str,
        resolver: Names | None = None,
        named: bool = False,
        preferences: Preferences = NO_PREFERENCES,
        recordings: Recordings | None = None,
        held: Callable[[], Rights] = tuple,
    ) -> None:
        super().__init__(glyphs, preferences)
        self._feed = feed
        self._held = held
        self._latest: Snapshot | None = None
        self._recorder = Recorder()  # the worker's
        self._recordings = recordings
        self._worker = threading.Thread(target=self._run_feed, name="feed", daemon=True)
        self.main = first_screen(
            feed, filter, refresh_s, self._glyphs, note, resolver, named, preferences.columns
        )
        self.main.recordings = recordings

    def get_default_screen(self) -> Screen[None]:
        return self.main

    def on_mount(self) -> None:
        self._worker.start()
        self._opening = self.set_interval(STAGE_S, self._show_stage)
        self._show_stage()

    def _show_stage(self) -> None:
        """Show what the start waits for."""
        self.main.waiting_for = self._feed.stage

    def end_work(self) -> None:
        self._feed.stop()
        self.join_worker()

    def join_worker(self) -> None:
        """Wait for the worker, which has been stopped or has failed."""
        if self._worker.is_alive():
            self._worker.join(JOIN_S)

    def _run_feed(self) -> None:
        try:
            self._feed.open()
        except (TcptopError, OSError) as problem:
            self.problem = problem
            self.leave()
            return
        if self._recordings is not None:
            self._recordings.start()
        self.post_message(Opened())
        try:
            self._feed.run(self._publish)
        except Exception as problem:  # the last snapshot stays up, with the error above it
            self.post_message(FeedEnded(f"{type(problem).__name__}: {problem}"))
        else:
            if not self._leaving:
                self.post_message(FeedEnded("no more data: the source has ended"))

    def _publish(self, snapshot: Snapshot) -> None:
        if self._feed.player is not None or self._feed.question is not None:  # they have their own past
            self.post_message(SnapshotReady(joined(snapshot), Past()))
            return
        past = self._recorder.add(snapshot)
        if self._recordings is not None:
            self._recordings.show(snapshot, past.moments)
        self.post_message(SnapshotReady(joined(snapshot), past))

    def on_opened(self) -> None:
        self._opening.stop()
        self.main.host = self._feed.origin.host
        self.main.waiting_for = "waiting for the first scan of the sockets"

    def on_feed_ended(self, message: FeedEnded) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen):
                screen.problem = message.problem

    def on_connection_table_details_wanted(self, message: ConnectionTable.DetailsWanted) -> None:
        if self.screen is not self.main or self._latest is None:
            return  # a second Enter was in the queue
        if self.main.travelling:
            self.main.tell("details are of now: Esc goes back to it")
            return
        self._open_details(message.id, self._latest)

    def _open_details(self, connection: int, latest: Snapshot, shows_all: bool = False) -> None:
        from tcptop_rtt.screens.details import DetailsScreen

        self._feed.set_trace(connection)
        is_gone = not (latest.rows["id"] == connection).any()
        first = self.main.table.snapshot if is_gone else latest  # a frozen table still has it
        screen = DetailsScreen(connection, first, self._glyphs, self.main.problem, shows_all, self.main.names)
        self.push_screen(screen, self._on_details_left)

    async def on_details_screen_neighbour_wanted(self, message: DetailsScreen.NeighbourWanted) -> None:
        if self.screen is self.main or self._latest is None:
            return  # the details have been left meanwhile
        connection = self.main.neighbour(message.step, self._latest)
        if connection is not None:
            await self.pop_screen()
            self._open_details(connection, self._latest, message.shows_all)
        else:
            self.tell(f"this is the {'first' if message.step < 0 else 'last'} line of the table")

    def _on_details_left(self, _: None) -> None:
        self._feed.set_trace(self.main.beside.traced)

    def on_table_and_details_trace_wanted(self, message: TableAndDetails.TraceWanted) -> None:
        if self.screen is self.main:
            self._feed.set_trace(message.id)

    def action_go_out(self) -> None:
        """Leaves the past or the group that is shown, or else ends the program."""
        if not (isinstance(self.screen, MainScreen) and self.screen.go_out()):
            self.exit()

    def action_help(self) -> None:
        from tcptop_rtt.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self._glyphs))

    def action_command_palette(self) -> None:
        """Open the command palette over the table or the details."""
        from tcptop_rtt.screens.palette import Palette

        if isinstance(self.screen, LiveScreen):
            self.main.end_typing()
            self.push_screen(Palette(self._glyphs))

    def get_system_commands(self, screen: Screen[None]) -> Iterable[SystemCommand]:
        """List the commands of the palette, without Textual's own ones, of which one writes a file."""
        from tcptop_rtt.screens.palette import commands

        yield from commands(self, screen)

    @property
    def health(self) -> Health:
        return self._latest.health if self._latest is not None else self._feed.health

    @property
    def cost(self) -> OwnCost | None:
        return self._latest.cost if self._latest is not None else None

    @property
    def rights(self) -> Rights:
        return self._held()

    @property
    def measure_cost(self) -> Callable[[], None] | None:
        return self._feed.measure_cost if Capability.MEASURE in self._feed.capabilities else None

    def action_own_health(self) -> None:
        if self._feed.question is None:
            super().action_own_health()
        else:
            self.tell("nothing is measured here; the first line says how long the server takes")

    def on_fleet_screen_asked(self, message: FleetScreen.Asked) -> None:
        self._feed.ask(message.question)

    def on_snapshot_ready(self, message: SnapshotReady) -> None:
        self._latest = message.snapshot
        self.main.take_past(message.past)
        self.paint()

    def paint(self) -> None:
        """Show the newest snapshot on the active screen. Covered screens are painted when they come back."""
        screen = self.screen
        if isinstance(screen, LiveScreen) and self._latest is not None:
            screen.show(self._latest)
        self.show_health()

    def on_live_screen_resumed(self) -> None:
        self.paint()
