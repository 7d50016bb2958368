"""The command line: its options, and what can go wrong as one line."""

from __future__ import annotations

import argparse
import pwd
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tcptop_rtt import __version__, compare, environment, start
from tcptop_rtt.config import settings_of
from tcptop_rtt.config.settings import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S, Settings
from tcptop_rtt.feeds.fleet import options as fleet
from tcptop_rtt.model.errors import REMEDIES, TcptopError, UsageError
from tcptop_rtt.outputs.prometheus import options as prometheus
from tcptop_rtt.sources.opening import SOURCES, WITHOUT_BPF
from tcptop_rtt.view import thresholds
from tcptop_rtt.view.palettes import PALETTES

LEAST_RECORDING_BYTES = 10**6

if TYPE_CHECKING:
    from tcptop_rtt.view.conditions import Condition

_EXAMPLES = """\
examples:
  sudo tcptop-rtt                          the dashboard
  sudo tcptop-rtt --rport 5432             only connections to PostgreSQL
  sudo tcptop-rtt --pid 1234 -6            only IPv6 connections of process 1234
  sudo tcptop-rtt --filter 'rtt>50ms !local'   slow ones to other hosts
  sudo tcptop-rtt --count 1 | sort         one table as plain text
  sudo tcptop-rtt --record monday          the dashboard, and a recording of it
  tcptop-rtt --compare monday tuesday      what differs by more than chance
  sudo tcptop-rtt --prometheus 9464        metrics for Prometheus on loopback, port 9464
  tcptop-rtt --fleet http://prometheus:9090   all hosts that this server scrapes
  sudo tcptop-rtt run -- curl -s example.org        what a command's connections were like
  tcptop-rtt web1 web2 db1                 the connections of other hosts, by ssh

tcptop-rtt run --help tells more of running a command.
"""

_RUN_EXAMPLES = """\
The command runs as tcptop-rtt does, so as root under sudo, unless --user says otherwise. tcptop-rtt ends
with the command's exit status, 128 and the signal's number if one has ended it, 127 or 126 if it cannot
be started.

examples:
  sudo tcptop-rtt run -- curl -s https://example.org
  sudo tcptop-rtt run --user "$USER" --output report.txt -- make test
  sudo tcptop-rtt run --json --output report.jsonl -- sh -c 'a & b; wait'
"""


RUN = "run"
"""The first argument that asks for a command to be run."""
RUN_REFRESH_S = 0.25
"""Between two snapshots: more samples than three of one connection in this time count at their mean."""


def main(run: Callable[[argparse.Namespace], int] = start.run) -> int:
    """Run what the options ask for; return the exit code: 0, 1 for what stops it here, 2 for wrong usage."""
    invoker = environment.invoker()
    original = environment.clean()
    options = _parse()
    options.environment = original
    options.invoker = invoker
    code = 1
    try:
        _add_settings(options, Settings() if options.no_config else settings_of(invoker))
        return run(options)
    except KeyboardInterrupt:
        return 130
    except UsageError as error:
        problem, code = str(error), 2
    except TcptopError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error}{REMEDIES.get(error.errno or 0, '')}"
    except Exception as error:  # a fault of ours: one line, as for all else, is what its user can report
        problem = (
            f"unexpected {type(error).__name__}: {' '.join(str(error).split())}: please report this line"
        )
    if sys.stderr is not None:
        print(f"tcptop-rtt: {problem}", file=sys.stderr)
    return code


def _add_settings(options: argparse.Namespace, settings: Settings) -> None:
    """What the file of settings says, where no option says otherwise."""
    preferences = settings.preferences
    options.preferences = replace(preferences, theme=options.theme or preferences.theme)
    usual_s = settings.interval_s or 1.0 if options.fleet is None else fleet.USUAL_INTERVAL_S
    options.interval = options.interval or usual_s
    thresholds.use(settings.thresholds)


def _parse() -> argparse.Namespace:
    parser = make_parser()
    if sys.argv[1:2] != [RUN]:
        options = parser.parse_args()
        problem = fleet.contradiction(options) or _contradiction(options) or _wrong_filter(options)
        if problem:
            parser.error(problem)
        return options
    run_parser = make_run_parser()
    # What the dashboard alone is asked for is as it is without an option.
    options = run_parser.parse_args(sys.argv[2:], parser.parse_args([]))
    options.command = options.command[options.command[:1] == ["--"] :]
    if not options.command:
        run_parser.error("a command is missing: tcptop-rtt run -- COMMAND")
    if problem := _wrong_filter(options):
        run_parser.error(problem)
    options.interval = RUN_REFRESH_S
    return options


def _contradiction(options: argparse.Namespace) -> str:
    """What is wrong with options that belong together; empty: nothing."""
    conditions = options.fail_if or []
    longest_ns = max((condition.lasting_ns for condition in conditions), default=0)
    if options.count is not None and (options.once or conditions):
        return "argument --count/-n: not allowed with --once and --fail-if"
    if options.prometheus and options.source == WITHOUT_BPF:
        return f"argument --prometheus: not allowed with --source {WITHOUT_BPF}, which sees no RTT samples"
    if options.prometheus and (options.once or conditions):
        return "argument --prometheus: not allowed with --once and --fail-if"
    if options.watched_ns is not None and (options.once or not conditions):
        return "argument --for: only with --fail-if, and not with --once"
    if options.once and longest_ns:
        return "argument --fail-if: with --once there is no time for which it could hold: leave out the for"
    if options.watched_ns is not None and longest_ns > options.watched_ns:
        return "argument --for: it is shorter than a condition has to hold"
    if options.prometheus and (options.record or options.keep or options.replay or options.at):
        return "argument --prometheus: not allowed with --record, --keep, --replay and --at"
    if (options.replay is not None or options.at is not None) and (options.record or options.keep):
        return "argument --record, --keep: what is replayed has been recorded already"
    return compare.contradiction(options) or (_not_with_hosts(options) if options.hosts else "")


def _not_with_hosts(options: argparse.Namespace) -> str:
    """What is wrong with options beside hosts; empty: nothing."""
    names = ("replay", "at", "prometheus", "compare", "fleet")
    chosen = {f"--{name}": getattr(options, name) for name in names}
    if options.source != "auto":
        chosen["--source"] = options.source
    wrong = [name for name, value in chosen.items() if value is not None]
    if wrong:
        return f"argument {wrong[0]}: it is not for other hosts"
    twice = [host for host in options.hosts if options.hosts.count(host) > 1]
    return f"argument HOST: {twice[0]} is there twice" if twice else ""


def make_run_parser() -> argparse.ArgumentParser:
    """What ``tcptop-rtt run`` takes."""
    parser = argparse.ArgumentParser(
        prog=f"tcptop-rtt {RUN}",
        usage="%(prog)s [options] -- COMMAND [ARGUMENTS]",
        description="Run a command, and tell on standard error what its TCP connections, and those of all\n"
        "its children, were like: how long connecting and the first byte took, round-trip times,\n"
        "what was sent again, and what held them up.",
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--json", action="store_true", help="JSON Lines instead of tables, of every connection")
    add("--output", "-o", metavar="FILE", help="write to this file instead of standard error")
    add("--user", "-u", type=_user, metavar="USER", help="run the command as this user")
    _add_filter(parser)
    _add_source(parser, tuple(source for source in SOURCES if source != WITHOUT_BPF))
    add("--no-config", action="store_true", help="leave the file of settings unread")
    add("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments")
    return parser


def make_parser(with_hosts: bool = True) -> argparse.ArgumentParser:
    """What ``tcptop-rtt`` takes."""
    parser = argparse.ArgumentParser(
        prog="tcptop-rtt",
        description="Every TCP connection of this machine with its live round-trip time.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    parser.set_defaults(command=None)
    _add_source(parser)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--json", action="store_true", help="write JSON Lines instead of opening the dashboard"
    )
    prometheus.add_options(parser, instead)
    fleet.add_options(parser)
    add(
        "--interval",
        "-i",
        type=_interval,
        metavar="SECONDS",
        help="time between updates (default: 1)",
    )
    add("--count", "-n", type=_positive, metavar="N", help="end after N tables or JSON updates")
    add(
        "--once",
        action="store_true",
        help="one table or JSON update with rates, after one interval; then end",
    )
    add(
        "--fail-if",
        type=_condition,
        action="append",
        metavar="CONDITION",
        help="write nothing, but end with exit code 3 and one line once CONDITION holds, such as "
        "'p99(rport:5432)>20ms for 30s': AGGREGATE(FILTER)>VALUE, where AGGREGATE is p50, p95, p99, max "
        "or mean, of the smoothed RTTs of now; count; retr, segments sent again per second; or rate, bits "
        "per second. May be repeated",
    )
    add(
        "--for",
        dest="watched_ns",
        type=_duration,
        metavar="TIME",
        help="with --fail-if: end with exit code 0 after so long, such as 5m (default: watch on)",
    )
    add("--pid", "-p", type=_positive, help="only connections of this process")
    family = parser.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const=4, help="only IPv4")
    family.add_argument("-6", dest="family", action="store_const", const=6, help="only IPv6")
    add("--lport", type=_port, metavar="PORT", help="only this local port")
    add("--rport", type=_port, metavar="PORT", help="only this remote port")
    _add_filter(parser)
    add("--names", "-N", action="store_true", help="show names of peers and services in the dashboard (as n)")
    _add_recording(parser)
    if with_hosts:
        add(
            "hosts",
            nargs="*",
            type=_host,
            metavar="HOST",
            help="show the connections of these hosts instead, by ssh; tcptop-rtt has to be installed there",
        )
    _add_ssh(parser)
    add("--theme", choices=tuple(PALETTES), help="colours (default: by the terminal's background)")
    add("--no-config", action="store_true", help="leave the file of settings unread")
    add("--version", "-V", action="version", version=f"tcptop-rtt {__version__}")
    return parser


def _add_source(parser: argparse.ArgumentParser, choices: tuple[str, ...] = SOURCES) -> None:
    without = ", or sock_diag: without BPF and root" if WITHOUT_BPF in choices else ""
    parser.add_argument(
        "--source",
        choices=choices,
        default="auto",
        help=f"kernel hook{without} (default: auto)",
    )


def _add_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--filter",
        default="",
        metavar="TEXT",
        help="only connections that match, as what is typed after / in the dashboard",
    )


def _add_recording(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--record", metavar="FILE", help="record everything into this new file, to be looked at with --replay"
    )
    add(
        "--replay",
        metavar="FILE",
        help="show a recording, or lines of --json, instead of now; -: from a pipe",
    )
    add(
        "--record-limit",
        type=_size,
        metavar="SIZE",
        help="recordings become no larger, such as 1GB: what is oldest goes first",
    )
    add(
        "--keep",
        type=_duration,
        metavar="DURATION",
        help="keep all that is seen on disk for so long, such as 24h, for --at",
    )
    add(
        "--at",
        type=_time,
        metavar="TIME",
        help="show what was at a time, as 14:03 or 10m (ago): of --keep, or of the file of --replay; with "
        "--compare the first time, such as 14:00..14:10",
    )
    add(
        "--compare",
        nargs="*",
        metavar="FILE",
        help="compare two recordings, A and B, or two times, --at and --with, of one (none: of --keep): per "
        "service and remote network how p50 and p99 of the RTT samples (between two updates three of a "
        "connection exactly, more at their mean), loss and rates have shifted, and where by more than chance",
    )
    add(
        "--with",
        dest="with_",
        type=_time,
        metavar="TIME",
        help="with --compare: the second time, such as 15:00..15:10; one alone is the minute from then on",
    )


def _add_ssh(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--ssh",
        type=_command,
        default="ssh",
        metavar="COMMAND",
        help="what connects to a HOST, with options such as 'ssh -F FILE' (default: ssh)",
    )
    add(
        "--remote-command",
        metavar="COMMAND",
        help="what is run on each HOST (default: tcptop-rtt --json, by sudo unless it is root)",
    )


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise argparse.ArgumentTypeError(f"there is no user {name!r}") from None


def _command(text: str) -> str:
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no command: {error}") from None
    if not words:
        raise argparse.ArgumentTypeError("there is no command")
    return text


def _host(text: str) -> str:
    # What begins with a hyphen would be an option of ssh.
    if not re.fullmatch(r"(?!-)[\w@.:%/\[\]+-]{1,300}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a host, such as web1 or root@web1")
    return text


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not SHORTEST_INTERVAL_S <= seconds <= LONGEST_INTERVAL_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds from {SHORTEST_INTERVAL_S:g} to {LONGEST_INTERVAL_S:g}"
        )
    return seconds


def _size(text: str) -> int:
    units = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) ?([kmgt]?)b?", text.lower(), re.ASCII)
    size = int(float(found[1]) * units[found[2]]) if found else 0
    if size < LEAST_RECORDING_BYTES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size from 1MB on, such as 500MB or 1GB")
    return size


def _time(text: str) -> str:
    from tcptop_rtt.view.times import HINT, time_ns

    if any(time_ns(part, 0, 0, 0) is None for part in text.split("..", 1)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as {HINT}")
    return text


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _wrong_filter(options: argparse.Namespace) -> str:
    """What is wrong with the filter; empty: nothing. What it may ask for depends on other options."""
    text = options.filter
    if not text:
        return ""
    from tcptop_rtt.view.query import QueryError

    if options.fleet is not None:
        from tcptop_rtt.view.fleet_list import parse as parse
    else:
        from tcptop_rtt.view.filter import parse
    try:
        parse(text)
    except QueryError as error:
        return f"argument --filter: {error} (at character {error.at + 1} of {text!r})"
    return ""


def _condition(text: str) -> Condition:
    from tcptop_rtt.view.conditions import parse
    from tcptop_rtt.view.query import QueryError

    try:
        return parse(text)
    except QueryError as error:
        raise argparse.ArgumentTypeError(f"{error} (at character {error.at + 1} of {text!r})") from None


def _duration(text: str) -> int:
    from tcptop_rtt.view.conditions import duration_ns
    from tcptop_rtt.view.matches import ValueNotTakenError

    try:
        return duration_ns(text)
    except ValueNotTakenError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)
