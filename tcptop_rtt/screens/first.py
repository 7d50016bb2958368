"""Chooses the first screen by the feed: of this machine, of a recording, or of many hosts' metrics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tcptop_rtt.feeds.base import Capability, Feed
from tcptop_rtt.model.names import Names
from tcptop_rtt.model.snapshot import empty
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.table import Column

if TYPE_CHECKING:
    from tcptop_rtt.screens.replay import ReplayScreen


def first_screen(
    feed: Feed,
    filter: Filter,  # noqa: A002
    refresh_s: float,
    glyphs: Glyphs,
    note: Callable[[], str],
    resolver: Names | None,
    named: bool,
    columns: tuple[Column, ...] | None,
) -> MainScreen:
    """Return the screen that shows the connections of a feed, without any yet.

    :param note: returns a line of text for an empty table
    :param resolver: looks up names of hosts and services; None: there are no names
    :param named: whether names are shown from the start
    :param columns: from left to right; None: those of the program
    """
    set_refresh = feed.set_refresh if Capability.REFRESH in feed.capabilities else None
    if feed.question is not None:
        from tcptop_rtt.screens.fleet import FleetScreen

        return FleetScreen(feed.question, filter, refresh_s, glyphs, set_refresh)
    first = empty(feed.health)
    screen = _screen_of(feed)
    return screen(first, filter, refresh_s, glyphs, set_refresh, note, resolver, named, columns)


def _screen_of(feed: Feed) -> type[MainScreen] | partial[ReplayScreen]:
    if feed.player is None:
        return MainScreen
    from tcptop_rtt.screens.replay import ReplayScreen

    return partial(ReplayScreen, feed.player)
