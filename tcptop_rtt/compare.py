"""``tcptop-rtt --compare``: two recordings, or two times of one, on the screen or as text."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tcptop_rtt import environment
from tcptop_rtt.feeds.replay.problems import Problems
from tcptop_rtt.front_end import run_app
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.outputs.progress import Progress

if TYPE_CHECKING:
    from tcptop_rtt.comparing.result import Result, SideInfo
    from tcptop_rtt.comparing.tally import Tally
    from tcptop_rtt.feeds.replay.footage import Footage
    from tcptop_rtt.feeds.replay.sides import Side
    from tcptop_rtt.recording.opened import Opened
    from tcptop_rtt.view.filter import Filter
    from tcptop_rtt.view.preferences import Preferences


def load(screen: bool) -> None:
    """Import the modules that a comparison needs, while signals are deferred."""
    last = "compare_app" if screen else "outputs.compared"
    with environment.reachable_directory():
        for name in ("comparing.compared", "comparing.fields", "feeds.replay.sides", last):
            importlib.import_module(f"tcptop_rtt.{name}")


def run(
    opened: list[Opened],
    options: argparse.Namespace,
    chosen: Filter,
    screen: bool,
) -> int:
    """Compare recordings and show the result; return the exit code.

    :param opened: one or two recordings
    :raises TcptopError: there is nothing to compare, or the result cannot be written
    """
    progress = Progress(sys.stderr)
    try:
        result = Comparison(opened, options.at, options.with_, chosen, progress.say).result()
    finally:
        progress.say("")
    if screen:
        return _show(result, options.preferences)
    from tcptop_rtt.outputs.base import complain
    from tcptop_rtt.outputs.compared import write_json, write_plain
    from tcptop_rtt.outputs.writer import Writer

    writer = Writer(sys.stdout.fileno(), lambda: False, sys.stdout.encoding)
    (write_json if options.json else write_plain)(result, writer)
    complain(writer)
    return 0


def _show(result: Result, preferences: Preferences) -> int:
    from tcptop_rtt.compare_app import CompareApp
    from tcptop_rtt.view.glyphs import of_locale

    run_app(CompareApp(result, of_locale(), preferences))
    return 0


class Comparison:
    """Reads both sides of a comparison.

    :param opened: one or two recordings
    :param at: the time of side A, as a user writes it; None: the whole recording
    :param with_: the time of side B, likewise
    :param say: called with the progress as text
    """

    def __init__(
        self,
        opened: list[Opened],
        at: str | None,
        with_: str | None,
        chosen: Filter,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._say = say
        self._both = opened
        self._wanted = at, with_
        self._chosen = chosen
        self._problems = Problems()

    def result(self) -> Result:
        """Compare.

        :raises TcptopError: there is nothing to compare; the message says why
        """
        from tcptop_rtt.comparing.compared import compare
        from tcptop_rtt.comparing.result import Result
        from tcptop_rtt.feeds.replay.sides import check_order, side_of

        with ExitStack() as cleanup:
            named = [(opened.name, self._footage(opened, cleanup)) for opened in self._both]
            a, b = (
                side_of(*named[number % len(named)], wanted, self._problems)
                for number, wanted in enumerate(self._wanted)
            )
            check_order(a, b)
            (tally_a, told_a), (tally_b, told_b) = self._counted("A", a), self._counted("B", b)
        self._say("comparing A and B")
        rows = compare(tally_a, tally_b, same=a.footage is b.footage)
        left_out = max(tally_a.left_out, tally_b.left_out)
        return Result(told_a, told_b, rows, left_out, self._problems.words)

    def _footage(self, opened: Opened, cleanup: ExitStack) -> Footage:
        from tcptop_rtt.feeds.replay.opening import footage_of

        footage = footage_of(opened, lambda: False, self._problems.add)
        cleanup.callback(footage.close)
        return footage

    def _counted(self, letter: str, side: Side) -> tuple[Tally, SideInfo]:
        from tcptop_rtt.comparing.result import SideInfo
        from tcptop_rtt.comparing.tally import Tally
        from tcptop_rtt.feeds.replay.sides import Reading

        tally, reading = Tally(self._chosen), Reading(side, self._problems.add)
        for snapshot in reading.snapshots():
            tally.add(snapshot)
            done = (snapshot.time_ns - side.first_ns) / max(1, side.last_ns - side.first_ns)
            self._say(f"reading {letter}: {max(0.0, done):.0%}")
        if not tally.watched_s:
            raise TcptopError(f"nothing in {side.name} can be compared: it takes two updates at least")
        return tally, SideInfo(side.name, reading.host, tally.first_ns, tally.last_ns, side.words)
