"""From the options to a running front end: checks, signals, which feed meets which front end."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from tcptop_rtt import environment
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.opening import source_opener

if TYPE_CHECKING:
    from tcptop_rtt.feeds.base import Feed
    from tcptop_rtt.feeds.budget import Budget
    from tcptop_rtt.model.snapshot import ProcessKey
    from tcptop_rtt.outputs.base import Output
    from tcptop_rtt.outputs.prometheus.exporter import Exporter
    from tcptop_rtt.outputs.recordings import Recordings
    from tcptop_rtt.outputs.writer import Writer
    from tcptop_rtt.program_app import ProgramApp
    from tcptop_rtt.sources.base import Source
    from tcptop_rtt.view.filter import Filter
    from tcptop_rtt.view.preferences import Preferences

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LEAVE_S = 10
"""How long the dashboard may take to leave once a signal asks it to."""
_COMPLAINT_S = 0.3
"""How long standard error may take to say why standard output takes nothing."""


def run(
    options: argparse.Namespace,
    opener: Callable[[], Callable[[str], Source]] | None = None,
    budget: Budget | None = None,
) -> int:
    """Run what the options ask for; return the exit code.

    :param opener: imports what a source needs, and returns what opens it; None: that of the option
    :param budget: None: as much as is measured to do no harm
    """
    if sys.stdout is None:
        raise TcptopError("standard output is closed")
    preferences: Preferences = options.preferences
    text = options.json or options.count is not None or options.once or options.fail_if or options.command
    if options.replay == "-" and not text:
        options.replay = _kept_from_keys(options.replay)
    screen = not text and not options.prometheus and _is_on_terminal()
    if screen and preferences.keys:
        from tcptop_rtt.app import TcptopApp
        from tcptop_rtt.screens.keymap import keymap

        keymap(preferences.keys, TcptopApp)  # what is wrong with them is told before anything begins
    if options.compare is not None:
        from tcptop_rtt import compare

        with _deferred_signals():
            compare.load()
        return compare.run(options, _chosen(options), screen, _run_app)
    if options.fleet is not None:
        return _fleet(options, screen)
    if options.replay is not None or options.at is not None:
        return _replay(options, screen)
    if options.hosts:
        return _remote(options, screen)
    if options.command:
        from tcptop_rtt.command.process import hold_signals

        options.held_before = hold_signals()
    with ExitStack() as cleanup:
        exporter = _exporter(options, cleanup)
        note = _watched(options.pid, cleanup)
        with _deferred_signals(), _no_collections():
            # The compiler does not hold the interpreter's lock, so the other imports go on beside it.
            open_source = opener() if opener else _opener(options)
            source = _in_background(open_source, options.source)
            cleanup.callback(_close, source)
            from tcptop_rtt.feeds.live import LiveFeed

            _import_front_end(screen)
            feed = LiveFeed(source, options.interval, budget)
            if not screen or source.done():
                feed.open()
        chosen = _chosen(options)
        if options.command:
            from tcptop_rtt.command.run import run_command

            return run_command(feed, options, chosen)
        if exporter:
            return exporter.run(feed, chosen, _stop_signals())
        from tcptop_rtt.outputs.recordings import Recordings

        recordings = Recordings.wanted(options, feed, chosen)
        cleanup.callback(recordings.close)
        if not screen:
            return _run_text(feed, options, chosen, note, recordings if recordings.are_made else None)
        code = _run_screen(feed, chosen, note, options.interval, options.names, preferences, recordings)
        if not source.done():
            # The compiler cannot be stopped, and would be torn apart in an ordinary exit.
            os._exit(code)
        return code


def _fleet(options: argparse.Namespace, screen: bool) -> int:
    """Show what a Prometheus server knows of many hosts; this takes no root, and nothing of this machine."""
    with _deferred_signals(), _no_collections():
        from tcptop_rtt.feeds.fleet.feed import FleetFeed
        from tcptop_rtt.model.question import Question

        _import_front_end(screen)
        question = Question(options.fleet_by, range_s=options.fleet_range)
        feed = FleetFeed(options.fleet, question, options.interval, screen)
    feed.open()
    chosen = _chosen(options)
    if screen:
        return _run_screen(feed, chosen, str, options.interval, False, options.preferences, None)
    return _run_text(feed, options, chosen, str, None)


def _replay(options: argparse.Namespace, screen: bool) -> int:
    """Show what has been recorded; this takes no root, and nothing of this machine."""
    with ExitStack() as cleanup:
        with _deferred_signals(), _no_collections():
            from tcptop_rtt.feeds.replay.opening import replay_feed
            from tcptop_rtt.view.filter import Filter

            _import_front_end(screen)
            feed = replay_feed(options.replay, options.at, environment.state_directory(), screen)
            cleanup.callback(feed.close)
        chosen = _chosen(options)
        feed.open()
        if screen:
            return _run_screen(feed, chosen, str, 0.0, False, options.preferences, None)
        if options.json and chosen == Filter() and options.count is options.at is None:
            return _run_text(feed, options, chosen, str, None, feed.lines())
        return _run_text(feed, options, chosen, str, None)


def _remote(options: argparse.Namespace, screen: bool) -> int:
    """Show other hosts; this takes no root, and nothing of this machine."""
    with ExitStack() as cleanup:
        with _deferred_signals(), _no_collections():
            from tcptop_rtt.feeds.remote.feed import RemoteFeed
            from tcptop_rtt.outputs.progress import Progress
            from tcptop_rtt.outputs.recordings import Recordings

            _import_front_end(screen)
            feed = RemoteFeed(
                options.hosts, options.ssh, options.remote_command, options.interval, options.environment
            )
        cleanup.callback(feed.close)
        chosen = _chosen(options)
        progress = Progress(sys.stderr if screen else None)
        progress.say(f"waiting for {', '.join(options.hosts)}")
        try:
            feed.open()
        finally:
            progress.say("")
        recordings = Recordings.wanted(options, feed, chosen)
        cleanup.callback(recordings.close)
        if screen:
            named, preferences = options.names, options.preferences
            return _run_screen(feed, chosen, feed.note, options.interval, named, preferences, recordings)
        return _run_text(feed, options, chosen, feed.note, recordings if recordings.are_made else None)


def _import_front_end(screen: bool) -> None:
    if screen:
        importlib.import_module("tcptop_rtt.app")


def _chosen(options: argparse.Namespace) -> Filter:
    """Which connections are asked for."""
    from tcptop_rtt.view.filter import Filter

    return Filter(options.filter, options.pid, options.family, options.lport, options.rport)


def _watched(pid: int | None, cleanup: ExitStack) -> Callable[[], str]:
    """What there is to say of the process that is asked for, and that may end."""
    if pid is None:
        return str
    from tcptop_rtt.feeds.wanted import WantedProcess

    wanted = WantedProcess(pid)
    cleanup.callback(wanted.close)
    return wanted.note


def _exporter(options: argparse.Namespace, cleanup: ExitStack) -> Exporter | None:
    """What serves metrics, if that is asked for. It takes its port before anything else begins."""
    if not options.prometheus:
        return None
    from tcptop_rtt.outputs.prometheus.exporter import Exporter

    return Exporter(options, cleanup)


def _in_background(function: Callable[[str], Source], hook: str) -> Future[Source]:
    """Call it in a thread that does not hold up the end of the program."""
    future: Future[Source] = Future()

    def call() -> None:
        try:
            future.set_result(function(hook))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, name="compiler", daemon=True).start()
    return future


def _close(source: Future[Source]) -> None:
    """Close it; waits for one that is still being opened."""
    if source.exception() is None:
        source.result().close()


def _stop_signals() -> list[signal.Signals]:
    """Those that end the program in order; nohup, or a shell's ``&``, has some of them ignored."""
    return [number for number in _STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Obey a signal at the end only: in an import it would come out as an error, and leave files behind."""
    came: list[int] = []
    numbers = _stop_signals()
    for number in numbers:
        signal.signal(number, lambda number, _: came.append(number))
    yield
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt


@contextmanager
def _no_collections() -> Iterator[None]:
    """Leave what is loaded now to no garbage collection: it stays, and each look at it would take 80 ms."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _is_on_terminal() -> bool:
    """Whether there is a terminal to read keys from and to draw on."""
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return False  # such as Emacs' shell: it would show escape sequences as they are
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _kept_from_keys(path: str) -> str:
    """Where standard input can be read, while keys come from the terminal in its place."""
    if sys.stdin is None or sys.stdin.isatty() or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return path
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return path
    piped = os.dup(0)
    os.dup2(terminal, 0)
    os.close(terminal)
    return f"/dev/fd/{piped}"


def _opener(options: argparse.Namespace) -> Callable[[str], Source]:
    """What opens the source: without BPF only where nobody relies on that everything is seen."""
    relied_on = bool(options.command or options.fail_if or options.prometheus)
    return source_opener(options.source, bool(options.command), relied_on)


def _run_screen(
    feed: Feed,
    chosen: Filter,
    note: Callable[[], str],
    refresh_s: float,
    named: bool,
    preferences: Preferences,
    recordings: Recordings | None,
) -> int:
    from tcptop_rtt.app import TcptopApp
    from tcptop_rtt.feeds.names import Resolver
    from tcptop_rtt.view.glyphs import of_locale

    resolver = None if feed.player else Resolver()  # what is played may be of another network
    app = TcptopApp(feed, chosen, refresh_s, of_locale(), note, resolver, named, preferences, recordings)
    _run_app(app)
    return 0


def _run_app(app: ProgramApp) -> None:
    """Run it until it ends, or a signal asks it to leave; raise its problem."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        signal.alarm(_LEAVE_S)
        app.leave()

    for number in _stop_signals():
        signal.signal(number, leave)
    app.run()
    if app.problem is not None:
        raise app.problem


def _run_text(
    feed: Feed,
    options: argparse.Namespace,
    chosen: Filter,
    note: Callable[[], str],
    recordings: Recordings | None,
    lines: Iterator[bytes] | None = None,
) -> int:
    """Write snapshots until there are enough, a signal comes, or nobody reads any more.

    :param lines: to be written as they are instead
    """
    from tcptop_rtt.outputs.base import write_all, write_lines
    from tcptop_rtt.outputs.recordings import AlsoRecorded
    from tcptop_rtt.outputs.writer import Writer, hung_up

    stopped, came = False, 0

    def stop(number: int = 0, _: object = None) -> None:
        nonlocal stopped, came
        stopped, came = True, came or number
        feed.stop()

    def stop_without_reader() -> None:
        # However quiet the machine, and however long the interval.
        if hung_up(stdout, *_terminal_of_our_own(), timeout_ms=None):
            stop()

    for number in _stop_signals():
        signal.signal(number, stop)
    stdout = sys.stdout.fileno()
    writer = Writer(stdout, lambda: stopped, sys.stdout.encoding)
    if not options.fail_if:  # its exit code counts, whoever reads
        threading.Thread(target=stop_without_reader, daemon=True).start()
    try:
        if lines is not None:
            write_lines(lines, writer)
            return 0
        if options.fail_if:
            from tcptop_rtt.outputs.gate import Gate

            gate = Gate(writer, options.fail_if, chosen, options.json, options.watched_ns, feed.stop)
            output: Output = AlsoRecorded(gate, recordings) if recordings is not None else gate
            write_all(feed, output, writer, 1 if options.once else None, skipped=1)
            return gate.exit_code or (128 + came if came else 0)
        cgroup = feed.cgroup if recordings is None else recordings.cgroup
        output = (
            _output(cgroup, options.json, chosen, note, writer, options.preferences)
            if feed.question is None
            else _fleet_output(options.json, chosen, writer)
        )
        if recordings is not None:
            output = AlsoRecorded(output, recordings)
        if options.once:
            write_all(feed, output, writer, 1, skipped=1)
        else:
            write_all(feed, output, writer, options.count)
    except TcptopError as error:
        if sys.stderr is not None:
            # It may be the terminal that takes nothing.
            complaint = Writer(sys.stderr.fileno(), lambda: True, sys.stderr.encoding, _COMPLAINT_S)
            complaint.write(f"tcptop-rtt: {error}\n")
            complaint.flush()
        return 1
    return 0


def _terminal_of_our_own() -> list[int]:
    """The terminal that was opened for this program alone: once it is gone, nobody comes back to end us."""
    if os.getsid(0) != os.getpid():
        return []
    try:
        return [os.open("/dev/tty", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)]
    except OSError:
        return []


def _fleet_output(json: bool, chosen: Filter, writer: Writer) -> Output:
    from tcptop_rtt.outputs.fleet import FleetLines, FleetTables

    return FleetLines(writer, chosen.text) if json else FleetTables(writer, chosen.text)


def _output(
    cgroup: Callable[[ProcessKey], str | None],
    json: bool,
    chosen: Filter,
    note: Callable[[], str],
    writer: Writer,
    preferences: Preferences,
) -> Output:
    if json:
        from tcptop_rtt.outputs.jsonl import JsonLines

        return JsonLines(writer, chosen, cgroup)
    from tcptop_rtt.outputs.plain import PlainTables

    return PlainTables(writer, chosen, note, preferences.columns)
