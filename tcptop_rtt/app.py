"""The terminal dashboard: one worker thread hands over snapshots, the active screen paints them."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from tcptop_rtt.feeds.base import Feed
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Snapshot, empty
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.terminal.driver import TerminalDriver
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.widgets.connection_table import ConnectionTable

JOIN_S = 5.0
"""How long leaving waits for the worker: longer than any read of a source takes."""


class Opened(Message):
    """The collector has begun."""


class SnapshotReady(Message):
    """There is a newer picture."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot

    def can_replace(self, message: Message) -> bool:
        """Of several pictures that wait to be painted only the newest counts."""
        return isinstance(message, SnapshotReady)


class CollectorEnded(Message):
    """The worker has ended by itself; what is on the screen is the last there will be."""

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem


class TcptopApp(App[None]):
    """All connections, or one of them closely.

    :param note: what there is to say of a table without any
    """

    TITLE = "tcptop-rtt"
    CSS_PATH = "styles.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        # Before any widget: Textual's own ones copy, or tell of another key.
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
    ]

    def __init__(
        self,
        collector: Feed,
        filter: Filter,  # noqa: A002
        interval_s: float,
        unicode: bool,
        note: Callable[[], str] = str,
    ) -> None:
        super().__init__(driver_class=TerminalDriver)
        self.problem: TcptopError | None = None
        """Why it has ended, unless somebody wanted it to."""
        self._collector = collector
        self._unicode = unicode
        self._leaving = False
        self._ui_loop: asyncio.AbstractEventLoop | None = None
        self._latest: Snapshot | None = None
        self._worker = threading.Thread(target=self._collect, name="collector", daemon=True)
        first = empty(collector.health)
        self.main = MainScreen(first, filter, interval_s, unicode, collector.set_interval, note)

    def get_default_screen(self) -> Screen[None]:
        return self.main

    def on_mount(self) -> None:
        if not self._unicode:
            from tcptop_rtt.widgets.ascii import use_ascii_scrollbars

            use_ascii_scrollbars()
        self._worker.start()
        self._ui_loop = asyncio.get_running_loop()
        if self._leaving:
            self.exit()

    def leave(self) -> None:
        """As ``q`` does; at any time, and from a signal handler too."""
        self._leaving = True
        if self._ui_loop is not None:
            self._ui_loop.call_soon_threadsafe(self.exit)

    def on_unmount(self) -> None:
        self._ui_loop = None
        self._leaving = True
        self._collector.stop()
        self.join_collector()

    def _handle_exception(self, error: Exception) -> None:
        """End with one line; Textual would print pages, with values of variables."""
        if self._exception is None:
            self._exception = error
            self._exception_event.set()  # Textual's pilot raises it again
            self.problem = TcptopError(_describe(error))
        self._close_messages_no_wait()

    def action_suspend_process(self) -> None:
        if isinstance(self._driver, TerminalDriver):
            self._driver.stop_job()

    def join_collector(self) -> None:
        """Wait for the worker, which has been told to stop or has failed."""
        if self._worker.is_alive():
            self._worker.join(JOIN_S)

    def _collect(self) -> None:
        try:
            self._collector.open()
        except TcptopError as problem:
            self.problem = problem
            self.leave()
            return
        self.post_message(Opened())
        try:
            self._collector.run(self._publish)
        except Exception as problem:  # whatever ends the worker, the last picture stays up and says so
            self.post_message(CollectorEnded(f"{type(problem).__name__}: {problem}"))
        else:
            if not self._leaving:
                self.post_message(CollectorEnded("the source has ended; this is its last picture"))

    def _publish(self, snapshot: Snapshot) -> None:
        self.post_message(SnapshotReady(snapshot))

    def on_opened(self) -> None:
        self.main.show_waiting("waiting for the first look at the sockets")

    def on_collector_ended(self, message: CollectorEnded) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen):
                screen.show_problem(message.problem)

    def on_connection_table_drill_in(self, message: ConnectionTable.DrillIn) -> None:
        from tcptop_rtt.screens.detail import DetailScreen

        if self.screen is not self.main or self._latest is None:
            return  # a second Enter was already on its way
        self._collector.set_focus(message.id)
        self.push_screen(DetailScreen(message.id, self._latest, self._unicode), self._on_detail_left)

    def _on_detail_left(self, _: None) -> None:
        self._collector.set_focus(None)

    def action_help(self) -> None:
        from tcptop_rtt.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self._unicode))

    def on_snapshot_ready(self, message: SnapshotReady) -> None:
        self._latest = message.snapshot
        self.paint()

    def paint(self) -> None:
        """Show the newest picture on the active screen; what it covers is painted when it comes back."""
        screen = self.screen
        if isinstance(screen, LiveScreen) and self._latest is not None:
            screen.show(self._latest)

    def on_live_screen_resumed(self) -> None:
        self.paint()


def _describe(error: Exception) -> str:
    """What has failed and where, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = fmt.printable(" ".join(str(error).split()), unicode=True)
    return f"the dashboard has failed, please report it: {type(error).__name__}: {text}{place}"
