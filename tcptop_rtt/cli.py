"""The command line: options, what can go wrong before the start, and which front end runs."""

from __future__ import annotations

import argparse
import gc
import importlib
import locale
import os
import select
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from tcptop_rtt import __version__, environment
from tcptop_rtt.errors import TcptopError

if TYPE_CHECKING:
    from tcptop_rtt.collector import Collector
    from tcptop_rtt.query import Filter
    from tcptop_rtt.snapshot import Snapshot
    from tcptop_rtt.sources.program import Program

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHORTEST_INTERVAL_S, _LONGEST_INTERVAL_S = 0.1, 3600.0
_LEAVE_S = 10
"""How long the dashboard may take to leave once a signal asks it to."""

_EXAMPLES = """\
examples:
  sudo tcptop-rtt                          the dashboard
  sudo tcptop-rtt --rport 5432             only connections to PostgreSQL
  sudo tcptop-rtt --pid 1234 -6            only IPv6 connections of process 1234
  sudo tcptop-rtt --count 1 | sort         one table as plain text
  sudo tcptop-rtt --json --interval 5 > log.jsonl   record
"""

_BCC_PACKAGES = {
    "debian": "apt install python3-bpfcc",
    "ubuntu": "apt install python3-bpfcc",
    "fedora": "dnf install python3-bcc",
    "rhel": "dnf install python3-bcc",
    "arch": "pacman -S python-bcc",
    "suse": "zypper install python3-bcc",
    "alpine": "apk add py3-bcc",
}


class Output(Protocol):
    """A front end without a screen."""

    def begin(self, hook: str) -> None: ...
    def show(self, snapshot: Snapshot) -> None: ...
    def end(self, lost: int) -> None: ...


def main() -> int:
    """Run; return the exit code: 0, 1 for what stops it here, 2 for wrong usage."""
    environment.clean()
    options = _parse()
    try:
        return _run(options)
    except TcptopError as error:
        print(f"tcptop-rtt: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tcptop-rtt",
        description="Every TCP connection of this machine with its live round-trip time.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--source",
        choices=("auto", "fentry", "tcp_probe"),
        default="auto",
        help="kernel hook (default: auto)",
    )
    add("--json", action="store_true", help="write JSON Lines instead of opening the dashboard")
    add(
        "--interval",
        type=_interval,
        default=1.0,
        metavar="SECONDS",
        help="time between updates (default: 1)",
    )
    add("--count", type=_positive, metavar="N", help="end after N tables or JSON updates")
    add("--pid", type=_positive, help="only connections of this process")
    family = parser.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const=4, help="only IPv4")
    family.add_argument("-6", dest="family", action="store_const", const=6, help="only IPv6")
    add("--lport", type=_port, metavar="PORT", help="only this local port")
    add("--rport", type=_port, metavar="PORT", help="only this remote port")
    add("--version", action="version", version=f"tcptop-rtt {__version__}")
    return parser.parse_args()


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not _SHORTEST_INTERVAL_S <= seconds <= _LONGEST_INTERVAL_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds from {_SHORTEST_INTERVAL_S:g} to {_LONGEST_INTERVAL_S:g}"
        )
    return seconds


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _run(options: argparse.Namespace) -> int:
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
        return _run_text(collector, _output(options.json, chosen), options.count)
    finally:
        probe.close()


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Obey a signal at the end only: in an import it would come out as an error, and leave files behind."""
    came: list[int] = []
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda number, _: came.append(number))
    yield
    for number in _STOP_SIGNALS:
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
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            fields = dict(line.rstrip("\n").partition("=")[::2] for line in file)
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

    for number in _STOP_SIGNALS:
        signal.signal(number, leave)
    app.run()
    return app.return_code or 0


def _output(json: bool, chosen: Filter) -> Output:
    if json:
        from tcptop_rtt.outputs.jsonl import JsonLines
        from tcptop_rtt.processes import Processes

        return JsonLines(sys.stdout, chosen, Processes().cgroup)
    from tcptop_rtt.outputs.plain import PlainTables

    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a locale may lack what a name holds
    return PlainTables(sys.stdout, chosen)


def _run_text(collector: Collector, output: Output, count: int | None) -> int:
    """Write snapshots until there are enough, a signal comes, or nobody reads any more."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        collector.stop()

    for number in _STOP_SIGNALS:
        signal.signal(number, stop)
    try:
        with _writing():
            output.begin(collector.health.hook)
        shown = lost = 0
        for snapshot in collector.snapshots():
            with _writing():
                output.show(snapshot)
            shown, lost = shown + 1, snapshot.health.lost
            if shown == count or _reader_is_gone():
                break
        with _writing():
            output.end(lost)
    except BrokenPipeError:
        pass
    return 0


@contextmanager
def _writing() -> Iterator[None]:
    """Tell trouble with standard output from all other.

    :raises BrokenPipeError: nobody reads any more
    """
    try:
        yield
    except OSError as error:
        # Python would complain about it once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise TcptopError(f"cannot write to standard output: {error.strerror}") from error


def _reader_is_gone() -> bool:
    """Whether stdout is a pipe that nobody reads: a quiet machine would not notice by writing."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
