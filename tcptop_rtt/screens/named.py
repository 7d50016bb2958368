"""Names of hosts and services instead of numbers, for a screen that lists connections."""

from __future__ import annotations

from textual.binding import Binding
from textual.reactive import var

from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens.live import LiveScreen
from tcptop_rtt.view import naming

NEWS_S = 0.5
"""Seconds between two checks for new names."""

NAMES_KEY = Binding(
    "n",
    "switch_names",
    "Names",
    tooltip="Show the names of peers and services, looked up by this machine, or numbers again",
    id="names",
)


class NamedScreen(LiveScreen):
    """A screen that shows names if the user wants them.

    :param resolver: finds names; None: there are no names
    :param named: whether names are shown from the start
    """

    names: var[Names] = var(NO_NAMES)
    """The names that are shown."""

    def __init__(self, first: Snapshot, resolver: Names | None, named: bool) -> None:
        super().__init__(first)
        self._resolver = resolver
        self._version = 0
        if resolver is not None and named:
            self.set_reactive(NamedScreen.names, resolver)

    def on_mount(self) -> None:
        self._news = self.set_interval(NEWS_S, self._look_for_news, pause=self.names is NO_NAMES)

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        naming.ask_later(self.names, snapshot.rows)

    def action_switch_names(self) -> None:
        if self._resolver is None:
            return
        off = self.names is NO_NAMES
        self.names = self._resolver if off else NO_NAMES
        if off:
            self.tell("names of peers and services, as far as this machine's resolver has some")
            naming.ask_later(self.names, self._latest.rows)
            self._news.resume()
        else:
            self.tell("addresses and port numbers")
            self._news.pause()

    def _look_for_news(self) -> None:
        if self.names.version != self._version:
            self._version = self.names.version
            self.show_new_names()

    def show_new_names(self) -> None:
        """Shows names that were found since the last snapshot."""
        raise NotImplementedError
