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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from tcptop_rtt.errors import TcptopError
from tcptop_rtt.outside import TEXT_BYTES, read_bytes, text_of

if TYPE_CHECKING:
    from tcptop_rtt.collector import Collector
    from tcptop_rtt.outputs.writer import Writer
    from tcptop_rtt.outputs.writing import Output
    from tcptop_rtt.query import Filter
    from tcptop_rtt.sources.program import Program

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LEAVE_S = 10
"""How long the dashboard may take to leave once a signal asks it to."""
_COMPLAINT_S = 0.3
"""How long standard error may take to say why standard output takes nothing."""

_BCC_PACKAGES = {
    "debian": "apt install python3-bpfcc",
    "ubuntu": "apt install python3-bpfcc",
    "fedora": "dnf install python3-bcc",
    "rhel": "dnf install python3-bcc",
    "arch": "pacman -S python-bcc",
    "suse": "zypper install python3-bcc",
    "alpine": "apk add py3-bcc",
}


def run(options: argparse.Namespace) -> int:
    """Run what the options ask for; return the exit code."""
    if sys.stdout is None:
        raise TcptopError("standard output is closed")
    screen = not options.json and options.count is None and _is_on_terminal()
    with _deferred_signals(), _no_collections(), ThreadPoolExecutor(1) as executor:
        # The compiler does not hold the interpreter's lock, so the other imports go on beside it.
        program = executor.submit(_import_program(), options.source)
        from tcptop_rtt.collector import Collector
        from tcptop_rtt.query import Filter
        from tcptop_rtt.sources.probe import Probe

        if screen:
            importlib.import_module("tcptop_rtt.app")
        probe = Probe(program.result())
    try:
        chosen = Filter("", options.pid, options.family, options.lport, options.rport)
        collector = Collector(probe, options.interval)
        if screen:
            return _run_screen(collector, chosen, options.interval)
        return _run_text(collector, options.json, chosen, options.count)
    finally:
        probe.close()


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Obey a signal at the end only: in an import it would come out as an error, and leave files behind."""
    came: list[int] = []
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _: came.append(number))
    yield
    for number in STOP_SIGNALS:
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
    """Whether there is a terminal to read keys from and to draw on, which Textual does through stderr."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _import_program() -> type[Program]:
    try:
        from tcptop_rtt.sources.program import Program
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "bcc":
            raise
        raise TcptopError(f"bcc's Python module is missing: run sudo {_bcc_command()}") from error
    return Program


def _bcc_command() -> str:
    """How to install bcc on this distribution, by /etc/os-release."""
    try:
        text = text_of(read_bytes("/etc/os-release", TEXT_BYTES))
        fields = dict(line.partition("=")[::2] for line in text.split("\n"))
    except OSError:
        fields = {}
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return next((_BCC_PACKAGES[name] for name in names if name in _BCC_PACKAGES), _BCC_PACKAGES["debian"])


def _run_screen(collector: Collector, chosen: Filter, interval_s: float) -> int:
    from tcptop_rtt.app import TcptopApp

    unicode = "utf" in locale.getencoding().lower()
    app = TcptopApp(collector, chosen, interval_s, unicode)

    def leave(number: int, _frame: FrameType | None) -> None:
        if not os.isatty(sys.stdin.fileno()):
            # The terminal is gone: nothing to restore, and what is written to it would wait for ever.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        signal.alarm(_LEAVE_S)  # as long as a terminal that takes no output may delay it
        app.leave()

    for number in STOP_SIGNALS:
        signal.signal(number, leave)
    app.run()
    return app.return_code or 0


def _run_text(collector: Collector, json: bool, chosen: Filter, count: int | None) -> int:
    """Write snapshots until there are enough, a signal comes, or nobody reads any more."""
    from tcptop_rtt.outputs.writer import Writer, hung_up
    from tcptop_rtt.outputs.writing import write_all

    def stop(_signal: int, _frame: FrameType | None) -> None:
        collector.stop()

    def stop_without_reader() -> None:
        # However quiet the machine, and however long the interval.
        if hung_up(stdout, timeout_ms=None):
            collector.stop()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    stdout = sys.stdout.fileno()
    writer = Writer(stdout, lambda: collector.stopped, sys.stdout.encoding)
    threading.Thread(target=stop_without_reader, daemon=True).start()
    try:
        write_all(collector.health.hook, collector.snapshots(), _output(json, chosen, writer), writer, count)
    except TcptopError as error:
        if sys.stderr is not None:
            # It may be the terminal that takes nothing.
            complaint = Writer(sys.stderr.fileno(), lambda: True, sys.stderr.encoding, _COMPLAINT_S)
            complaint.write(f"tcptop-rtt: {error}\n")
            complaint.flush()
        return 1
    return 0


def _output(json: bool, chosen: Filter, writer: Writer) -> Output:
    if json:
        from tcptop_rtt.outputs.jsonl import JsonLines
        from tcptop_rtt.processes import Processes

        return JsonLines(writer, chosen, Processes().cgroup)
    from tcptop_rtt.outputs.plain import PlainTables

    return PlainTables(writer, chosen)
