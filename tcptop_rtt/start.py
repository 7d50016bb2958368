"""From the options to a running front end: which feed is made, and which rights are given up."""

from __future__ import annotations

import argparse
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tcptop_rtt import environment, front_end, standard_streams
from tcptop_rtt.model.errors import TcptopError, UsageError
from tcptop_rtt.needs import needs_of, needs_of_fleet, needs_of_replay
from tcptop_rtt.outputs.writer import keep_from_waiting
from tcptop_rtt.privileges.held import Held
from tcptop_rtt.privileges.main_process import give_up, has_rights
from tcptop_rtt.reach.brokered import Brokered
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.signals import deferred_signals
from tcptop_rtt.sources.opening import Opener, source_opener

if TYPE_CHECKING:
    from tcptop_rtt.feeds.base import Feed
    from tcptop_rtt.feeds.budget import Budget
    from tcptop_rtt.model.reach import Rights
    from tcptop_rtt.outputs.exporter import Exporter
    from tcptop_rtt.outputs.recordings import Recordings
    from tcptop_rtt.privileges.main_process import Needs
    from tcptop_rtt.sources.base import Source
    from tcptop_rtt.view.filter import Filter


def run(
    options: argparse.Namespace,
    opener: Callable[[argparse.Namespace], Opener] | None = None,
    budget: Budget | None = None,
) -> int:
    """Run what the options ask for; return the exit code.

    :param opener: makes the way to a source; None: the options choose the source
    :param budget: the limit of the program's own cost; None: the option ``--budget``, or the default
    """
    if sys.stdout is None:
        raise TcptopError("standard output is closed")
    text = options.json or options.count is not None or options.once or options.fail_if or options.command
    if options.replay == "-" and not text:
        options.replay = standard_streams.kept_from_keys(options.replay)
    screen = not text and not _exports(options) and standard_streams.are_on_terminal()
    if screen and options.preferences.keys:
        from tcptop_rtt.app import TcptopApp
        from tcptop_rtt.screens.keymap import keymap

        try:
            keymap(options.preferences.keys, TcptopApp)  # wrong keys are reported before anything begins
        except UsageError as error:
            raise UsageError(f"{options.preferences.path}: {error}") from None
    if options.compare is not None:
        return _compare(options, screen)
    with ExitStack() as cleanup:
        if options.fleet is not None:
            return _fleet(options, screen)
        if options.replay is not None or options.at is not None:
            return _replay(options, screen, cleanup)
        if options.hosts:
            return _remote(options, screen, cleanup)
        return _live(options, screen, cleanup, opener, budget)


# The feeds. Only the last one needs root and reads this machine's sockets.


def _compare(options: argparse.Namespace, screen: bool) -> int:
    """Show the differences between two recorded times."""
    from tcptop_rtt import compare
    from tcptop_rtt.recording.opened import open_file, open_kept

    opened = [open_file(path) for path in options.compare] or [open_kept(environment.state_directory())]
    _without_rights(needs_of_replay(options), screen)
    with deferred_signals():
        compare.load(screen)
    return compare.run(opened, options, _chosen(options), screen)


def _fleet(options: argparse.Namespace, screen: bool) -> int:
    """Show the metrics of many hosts that a Prometheus server has."""
    held = _without_rights(needs_of_fleet(options), screen)
    with deferred_signals(), _no_collections():
        from tcptop_rtt.feeds.fleet.feed import FleetFeed
        from tcptop_rtt.model.question import Question

        front_end.load(screen)
        question = Question(options.fleet_by, range_s=options.fleet_range)
        feed = FleetFeed(options.fleet, question, options.interval, screen)
    feed.open()
    return front_end.show(feed, options, _chosen(options), screen, held=held)


def _replay(options: argparse.Namespace, screen: bool, cleanup: ExitStack) -> int:
    """Show a recording."""
    from tcptop_rtt.recording.opened import open_file, open_kept

    opened = open_kept(environment.state_directory()) if options.replay is None else open_file(options.replay)
    held = _without_rights(needs_of_replay(options), screen)
    with deferred_signals(), _no_collections():
        from tcptop_rtt.feeds.replay.opening import replay_feed
        from tcptop_rtt.view.filter import Filter

        front_end.load(screen)
        feed = replay_feed(opened, options.at, screen)
        cleanup.callback(feed.close)
    feed.open()
    chosen = _chosen(options)
    a_part = options.once or options.fail_if or options.count is not None or options.at is not None
    lines = feed.lines() if options.json and chosen == Filter() and not a_part else None
    return front_end.show(feed, options, chosen, screen, lines=lines, held=held)


def _remote(options: argparse.Namespace, screen: bool, cleanup: ExitStack) -> int:
    """Show the connections of other hosts, over ssh."""
    with deferred_signals(), _no_collections():
        from tcptop_rtt.feeds.remote.feed import RemoteFeed
        from tcptop_rtt.outputs.progress import Progress

        front_end.load(screen)
        feed = RemoteFeed(
            options.hosts, options.ssh, options.remote_command, options.interval, options.environment
        )
    cleanup.callback(feed.close)
    progress = Progress(sys.stderr if screen else None)
    progress.say(f"waiting for {', '.join(options.hosts)}")
    try:
        feed.open()
    finally:
        progress.say("")
    recordings = _recordings(options, feed, cleanup)
    return front_end.show(feed, options, _chosen(options), screen, feed.note, recordings)


def _live(
    options: argparse.Namespace,
    screen: bool,
    cleanup: ExitStack,
    opener: Callable[[argparse.Namespace], Opener] | None,
    budget: Budget | None,
) -> int:
    """Show this machine's connections, export its metrics, or run a command and report its connections."""
    if options.command:
        from tcptop_rtt.command.process import hold_signals

        options.held_before = hold_signals()
    exporter = _exporter(options, cleanup)
    note = _watched(options.pid, cleanup)
    with deferred_signals(), _no_collections():
        # The source opens in a thread meanwhile: that takes longest.
        way = opener(options) if opener else _opener(options, screen)
        source = _in_background(way.open)
        cleanup.callback(_close, source, way)
        from tcptop_rtt.outputs.progress import Progress

        progress = Progress(sys.stderr if screen else None)
        progress.say(way.stage())
        from tcptop_rtt.feeds.budget import Budget
        from tcptop_rtt.feeds.clock import Clock
        from tcptop_rtt.feeds.live import LiveFeed
        from tcptop_rtt.feeds.socket_use import UseWatch

        front_end.load(screen)
        if budget is None and options.budget is not None:
            budget = Budget(most_share=options.budget)
        clock = use = None
        if way.reach is not None:
            clock, use = Clock(way.reach.cpu_s), UseWatch(way.reach.use_of)
        feed = LiveFeed(source, options.interval, budget, clock, use=use, stage=way.stage)
        progress.say("")
    if not screen or source.done():
        feed.open()
    chosen = _chosen(options)
    if options.command:
        from tcptop_rtt.command.run import run_command

        return run_command(feed, options, chosen)
    recordings = _recordings(options, feed, cleanup)
    if exporter:
        return exporter.run(feed, chosen, recordings)
    return front_end.show(feed, options, chosen, screen, note, recordings, held=way.held)


def _chosen(options: argparse.Namespace) -> Filter:
    """Return the filter that the options make."""
    from tcptop_rtt.view.filter import Filter

    return Filter(options.filter, options.pid, options.family, options.lport, options.rport)


def _recordings(options: argparse.Namespace, feed: Feed, cleanup: ExitStack) -> Recordings:
    """Return the recordings of a live feed, which ``--record`` and ``--keep`` start."""
    from tcptop_rtt.outputs.recordings import Recordings

    recordings = Recordings.wanted(options, feed, _chosen(options))
    cleanup.callback(recordings.close)
    return recordings


def _watched(pid: int | None, cleanup: ExitStack) -> Callable[[], str]:
    """Return a function that says, for the empty table, if the process of ``--pid`` is gone."""
    if pid is None:
        return str
    from tcptop_rtt.feeds.wanted import WantedProcess

    wanted = WantedProcess(pid)
    cleanup.callback(wanted.close)
    return wanted.note


def _exporter(options: argparse.Namespace, cleanup: ExitStack) -> Exporter | None:
    """Return the exporter of metrics if the options ask for one. It binds its port at once."""
    if not _exports(options):
        return None
    from tcptop_rtt.outputs.exporter import Exporter

    return Exporter(options, cleanup)


def _exports(options: argparse.Namespace) -> bool:
    return options.prometheus is not None or options.otlp is not None


def _opener(options: argparse.Namespace, screen: bool) -> Opener:
    """Return the way to the source. Exporters, gates and ``run`` need all sockets, so they fail without BPF.

    Afterwards this process has given up its rights, unless it runs a command, which needs them.
    """
    relied_on = bool(options.command or options.fail_if or _exports(options))
    if options.command or not has_rights():
        way = source_opener(options.source, Direct(), bool(options.command), relied_on)
        return replace(way, held=Held().rights)
    needs = needs_of(options, screen)
    reach = Brokered(needs.user)
    way = source_opener(options.source, reach, needs_bpf=relied_on)
    return replace(way, held=_without_rights(needs, screen, reach.pid))


def _without_rights(needs: Needs, screen: bool, helper: int | None = None) -> Callable[[], Rights]:
    """Give up all rights but those that are needed.

    :param helper: the PID of the child process that keeps rights
    :return: reads which rights the processes hold
    """
    if not has_rights():
        return Held().rights
    if not screen:
        keep_from_waiting(1, 2)
    return Held(helper, *give_up(needs)).rights


def _in_background(function: Callable[[], Source]) -> Future[Source]:
    """Call a function in a daemon thread, which does not delay the end of the program."""
    future: Future[Source] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, name="opener", daemon=True).start()
    return future


def _close(source: Future[Source], way: Opener) -> None:
    """Close the source, or cancel its opening."""
    way.cancel()
    if source.exception() is None:
        source.result().close()
    if way.reach is not None:
        way.reach.close()


@contextmanager
def _no_collections() -> Iterator[None]:
    """Move imported modules out of the garbage collector: each full collection took 80 ms."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
