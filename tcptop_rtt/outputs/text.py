"""Writes snapshots to standard output until the end, a signal, or until nobody reads any more."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterator

from tcptop_rtt.feeds.base import Feed
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.exit_status import BY_SIGNAL
from tcptop_rtt.outputs.base import Output, write_all, write_lines
from tcptop_rtt.outputs.recordings import AlsoRecorded, Recordings
from tcptop_rtt.outputs.writer import Writer, hung_up
from tcptop_rtt.signals import on_stop
from tcptop_rtt.standard_streams import complaint, terminal_of_our_own
from tcptop_rtt.view.filter import Filter

_COMPLAINT_S = 0.3
"""How long to wait for standard error to take an error message."""


def run_text(
    feed: Feed,
    options: argparse.Namespace,
    chosen: Filter,
    note: Callable[[], str],
    recordings: Recordings | None,
    lines: Iterator[bytes] | None = None,
) -> int:
    """Write the output that the options ask for, and return the exit code.

    :param feed: open
    :param note: returns a line to write below an empty table
    :param recordings: also recorded; None if nothing can be recorded
    :param lines: written as they are, in place of snapshots
    """
    recorded = recordings if recordings is not None and recordings.are_made else None
    stop = _Stop(feed)
    on_stop(stop)
    writer = Writer(sys.stdout.fileno(), lambda: stop.asked, sys.stdout.encoding)
    if not options.fail_if:  # with it the exit code is needed, even if nobody reads
        threading.Thread(target=stop.without_reader, daemon=True).start()
    code = 0
    try:
        if lines is not None:
            write_lines(lines, writer)
        elif options.fail_if:
            code = _watch(feed, options, chosen, recorded, writer, stop)
        else:
            output = _output(feed, options, chosen, note, writer)
            code = int(not _write(feed, options, output, recorded, writer, stop))
    except TcptopError as error:
        _complain(str(error))
        code = 1
    if feed.problem:
        _complain(f"not all of the recording can be read: {feed.problem}")
    return code


def _watch(
    feed: Feed,
    options: argparse.Namespace,
    chosen: Filter,
    recordings: Recordings | None,
    writer: Writer,
    stop: _Stop,
) -> int:
    """Watch the conditions of ``--fail-if``, and return the exit code."""
    from tcptop_rtt.outputs.gate import Gate

    gate = Gate(writer, options.fail_if, chosen, options.json, options.watched_ns, feed.stop, _complain)
    try:
        failed = not _write(feed, options, gate, recordings, writer, stop)
        if gate.too_short and not stop.asked:
            raise TcptopError(gate.too_short)
    except TcptopError as error:  # that a condition has held counts more than that its line is lost
        _complain(str(error))
        failed = True
    return gate.exit_code or (stop.came and BY_SIGNAL + stop.came) or int(failed)


class _Stop:
    """Stops a feed, as a signal handler or when nobody reads any more."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.asked = False
        self.came = 0
        """The first signal that asked for it; 0 if none."""

    def __call__(self, number: int = 0, _frame: object = None) -> None:
        self.asked, self.came = True, self.came or number
        self._feed.stop()

    def without_reader(self) -> None:
        """Wait until nobody reads any more, and stop then, even if nothing is being written."""
        if hung_up(sys.stdout.fileno(), *terminal_of_our_own(), timeout_ms=None):
            self()


def _write(
    feed: Feed,
    options: argparse.Namespace,
    output: Output,
    recordings: Recordings | None,
    writer: Writer,
    stop: _Stop,
) -> bool:
    """Write the snapshots, and return whether the recording is complete.

    :raises TcptopError: as :func:`write_all`; or there was nothing to write or to judge
    """
    # The first snapshot has no rates, so --once and conditions begin with the second. --at names the first.
    skipped = int(options.at is None and (options.once or bool(options.fail_if)))
    count = 1 if options.once else options.count
    recorded = None if recordings is None else AlsoRecorded(output, recordings, _complain)
    shown = write_all(feed, recorded or output, writer, count, skipped)
    if skipped and not (shown or stop.asked or writer.gone):
        raise TcptopError("there is only one refresh, which has no rates: --at 100% takes it as it is")
    return recorded is None or recorded.is_whole


def _output(
    feed: Feed,
    options: argparse.Namespace,
    chosen: Filter,
    note: Callable[[], str],
    writer: Writer,
) -> Output:
    if feed.question is not None:
        from tcptop_rtt.outputs.fleet import FleetLines, FleetTables

        return FleetLines(writer, chosen.text) if options.json else FleetTables(writer, chosen.text)
    if options.json:
        from tcptop_rtt.outputs.jsonl import JsonLines

        return JsonLines(writer, chosen, feed.cgroup)
    from tcptop_rtt.outputs.plain import PlainTables

    return PlainTables(writer, chosen, note, options.preferences.columns)


def _complain(line: str) -> None:
    """Write to standard error without waiting long, as it may be a terminal that takes nothing."""
    if sys.stderr is not None:
        writer = Writer(sys.stderr.fileno(), lambda: True, sys.stderr.encoding, _COMPLAINT_S)
        writer.write(complaint(line))
        writer.flush()
