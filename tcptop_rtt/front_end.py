"""Shows a feed as the dashboard or as text, and ends in order on a signal."""

from __future__ import annotations

import argparse
import importlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

from tcptop_rtt import environment
from tcptop_rtt.signals import on_stop
from tcptop_rtt.standard_streams import complain
from tcptop_rtt.system_call import require_descriptors

if TYPE_CHECKING:
    from tcptop_rtt.feeds.base import Feed
    from tcptop_rtt.model.reach import Rights
    from tcptop_rtt.outputs.recordings import Recordings
    from tcptop_rtt.program_app import ProgramApp
    from tcptop_rtt.view.filter import Filter

_SCREEN_DESCRIPTORS = 8
"""How many descriptors opening the screen takes: for its event loop, its keyboard, modules that it loads."""
_LEAVE_S = 10
"""How long the dashboard may take to leave once a signal asks it to."""


def load(screen: bool) -> None:
    """Import the modules of a front end, while signals are deferred."""
    with environment.reachable_directory():
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

    :param chosen: which connections are shown
    :param note: returns a line of text for an empty table
    :param recordings: None: this feed cannot be recorded
    :param lines: text that is written unchanged in place of snapshots
    :param held: returns which rights the processes hold
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

    # A replay has its own intervals, and its addresses may belong to another network.
    refresh_s, resolver = (0.0, None) if feed.player else (options.interval, Resolver())
    named, preferences, glyphs = options.names, options.preferences, of_locale()
    run_app(TcptopApp(feed, chosen, refresh_s, glyphs, note, resolver, named, preferences, recordings, held))
    _, failure = recordings.finish() if recordings is not None else ("", "")
    if failure:
        complain(failure)
    return int(bool(failure))


def run_app(app: ProgramApp) -> None:
    """Run an app until it ends or a signal asks it to leave; raise its problem."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        signal.alarm(_LEAVE_S)
        app.leave()

    on_stop(leave)
    require_descriptors(_SCREEN_DESCRIPTORS)
    app.run()
    if app.problem is not None:
        raise app.problem
