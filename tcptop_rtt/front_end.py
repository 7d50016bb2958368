"""A feed on the screen, or as text: what either takes, and that a signal ends it in order."""

from __future__ import annotations

import argparse
import importlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

from tcptop_rtt.signals import on_stop

if TYPE_CHECKING:
    from tcptop_rtt.feeds.base import Feed
    from tcptop_rtt.model.reach import Rights
    from tcptop_rtt.outputs.recordings import Recordings
    from tcptop_rtt.program_app import ProgramApp
    from tcptop_rtt.view.filter import Filter

_LEAVE_S = 10
"""How long the dashboard may take to leave once a signal asks it to."""


def load(screen: bool) -> None:
    """Import what is needed; in these imports a signal would come out as an error."""
    importlib.import_module("tcptop_rtt.app" if screen else "tcptop_rtt.outputs.text")


def show(
    feed: Feed,
    options: argparse.Namespace,
    chosen: Filter,
    screen: bool,
    note: Callable[[], str] = str,
    recordings: Recordings | None = None,
    lines: Iterator[bytes] | None = None,
    held: Callable[[], Rights] = tuple,
) -> int:
    """Show a feed until it ends, or a signal asks to leave; return the exit code.

    :param chosen: which connections are asked for
    :param note: what there is to say of what is shown
    :param recordings: None: nothing of it can be recorded
    :param lines: text that is to be written as it is instead
    :param held: says whose rights there are, and which
    """
    if screen:
        return _run_screen(feed, options, chosen, note, recordings, held)
    from tcptop_rtt.outputs.text import run_text

    return run_text(feed, options, chosen, note, recordings, lines)


def _run_screen(
    feed: Feed,
    options: argparse.Namespace,
    chosen: Filter,
    note: Callable[[], str],
    recordings: Recordings | None,
    held: Callable[[], Rights],
) -> int:
    from tcptop_rtt.app import TcptopApp
    from tcptop_rtt.feeds.names import Resolver
    from tcptop_rtt.view.glyphs import of_locale

    # What is played has intervals of its own, and may be of another network.
    refresh_s, resolver = (0.0, None) if feed.player else (options.interval, Resolver())
    named, preferences, glyphs = options.names, options.preferences, of_locale()
    run_app(TcptopApp(feed, chosen, refresh_s, glyphs, note, resolver, named, preferences, recordings, held))
    return 0


def run_app(app: ProgramApp) -> None:
    """Run it until it ends, or a signal asks it to leave; raise its problem."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        signal.alarm(_LEAVE_S)
        app.leave()

    on_stop(leave)
    app.run()
    if app.problem is not None:
        raise app.problem
