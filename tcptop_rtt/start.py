"""From the options to a running front end: checks, signals, which source meets which front end."""

from __future__ import annotations

import argparse
import gc
import importlib
import locale
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.bcc_package import bcc_required

if TYPE_CHECKING:
    from tcptop_rtt.feeds.live import Collector
    from tcptop_rtt.feeds.opening import Opening
    from tcptop_rtt.outputs.base import Output
    from tcptop_rtt.outputs.writer import Writer
    from tcptop_rtt.sources.program import Program
    from tcptop_rtt.view.filter import Filter

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LEAVE_S = 10
"""How long the dashboard may take to leave once a signal asks it to."""
_COMPLAINT_S = 0.3
"""How long standard error may take to say why standard output takes nothing."""


def run(options: argparse.Namespace) -> int:
    """Run what the options ask for; return the exit code."""
    if sys.stdout is None:
        raise TcptopError("standard output is closed")
    screen = not options.json and options.count is None and _is_on_terminal()
    with ExitStack() as cleanup:
        note = _watched(options.pid, cleanup)
        with _deferred_signals(), _no_collections():
            # The compiler does not hold the interpreter's lock, so the other imports go on beside it.
            program = _in_background(_import_program(), options.source)
            from tcptop_rtt.feeds.opening import Opening
            from tcptop_rtt.view.filter import Filter

            if screen:
                importlib.import_module("tcptop_rtt.app")
            opening = Opening(program, options.interval)
            cleanup.callback(opening.close)
            if not screen or program.done():
                opening.open()
        chosen = Filter("", options.pid, options.family, options.lport, options.rport)
        if not screen:
            return _run_text(opening.collector, options.json, chosen, note, options.count)
        code = _run_screen(opening, chosen, note, options.interval)
        if not program.done():
            # The compiler cannot be stopped, and would be torn apart in an ordinary exit.
            os._exit(code)
        return code


def _watched(pid: int | None, cleanup: ExitStack) -> Callable[[], str]:
    """What there is to say of the process that is asked for, and that may end."""
    if pid is None:
        return str
    from tcptop_rtt.feeds.wanted import WantedProcess

    wanted = WantedProcess(pid)
    cleanup.callback(wanted.close)
    return wanted.note


def _in_background(function: Callable[[str], Program], source: str) -> Future[Program]:
    """Call it in a thread that does not hold up the end of the program."""
    future: Future[Program] = Future()

    def call() -> None:
        try:
            future.set_result(function(source))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, name="compiler", daemon=True).start()
    return future


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


def _import_program() -> type[Program]:
    with bcc_required():
        from tcptop_rtt.sources.program import Program
    return Program


def _run_screen(opening: Opening, chosen: Filter, note: Callable[[], str], interval_s: float) -> int:
    from tcptop_rtt.app import TcptopApp

    unicode = "utf" in locale.getencoding().lower()
    app = TcptopApp(opening, chosen, interval_s, unicode, note)

    def leave(_number: int, _frame: FrameType | None) -> None:
        signal.alarm(_LEAVE_S)
        app.leave()

    for number in _stop_signals():
        signal.signal(number, leave)
    app.run()
    if app.problem is not None:
        raise app.problem
    return 0


def _run_text(
    collector: Collector, json: bool, chosen: Filter, note: Callable[[], str], count: int | None
) -> int:
    """Write snapshots until there are enough, a signal comes, or nobody reads any more."""
    from tcptop_rtt.outputs.base import write_all
    from tcptop_rtt.outputs.writer import Writer, hung_up

    def stop(_signal: int, _frame: FrameType | None) -> None:
        collector.stop()

    def stop_without_reader() -> None:
        # However quiet the machine, and however long the interval.
        if hung_up(stdout, *_terminal_of_our_own(), timeout_ms=None):
            collector.stop()

    for number in _stop_signals():
        signal.signal(number, stop)
    stdout = sys.stdout.fileno()
    writer = Writer(stdout, lambda: collector.stopped, sys.stdout.encoding)
    threading.Thread(target=stop_without_reader, daemon=True).start()
    try:
        output = _output(json, chosen, note, writer)
        write_all(collector.health.hook, collector.snapshots(), output, writer, count)
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


def _output(json: bool, chosen: Filter, note: Callable[[], str], writer: Writer) -> Output:
    if json:
        from tcptop_rtt.feeds.processes import Processes
        from tcptop_rtt.outputs.jsonl import JsonLines

        return JsonLines(writer, chosen, Processes().cgroup)
    from tcptop_rtt.outputs.plain import PlainTables

    return PlainTables(writer, chosen, note)
