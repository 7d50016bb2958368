"""The command line: its options, and what can go wrong as one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from tcptop_rtt import __version__, environment, start
from tcptop_rtt.config import settings_of
from tcptop_rtt.config.settings import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S, Settings
from tcptop_rtt.model.errors import REMEDIES, TcptopError, UsageError
from tcptop_rtt.view import thresholds
from tcptop_rtt.view.palettes import PALETTES

_EXAMPLES = """\
examples:
  sudo tcptop-rtt                          the dashboard
  sudo tcptop-rtt --rport 5432             only connections to PostgreSQL
  sudo tcptop-rtt --pid 1234 -6            only IPv6 connections of process 1234
  sudo tcptop-rtt --filter 'rtt>50ms !local'   slow ones to other hosts
  sudo tcptop-rtt --count 1 | sort         one table as plain text
  sudo tcptop-rtt --json --interval 5 > log.jsonl   record
"""


def main(run: Callable[[argparse.Namespace], int] = start.run) -> int:
    """Run what the options ask for; return the exit code: 0, 1 for what stops it here, 2 for wrong usage."""
    invoker = environment.invoker()
    environment.clean()
    options = _parse()
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
    options.interval = options.interval or settings.interval_s or 1.0
    thresholds.use(settings.thresholds)


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
        "-i",
        type=_interval,
        metavar="SECONDS",
        help="time between updates (default: 1)",
    )
    add("--count", "-n", type=_positive, metavar="N", help="end after N tables or JSON updates")
    add("--pid", "-p", type=_positive, help="only connections of this process")
    family = parser.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const=4, help="only IPv4")
    family.add_argument("-6", dest="family", action="store_const", const=6, help="only IPv6")
    add("--lport", type=_port, metavar="PORT", help="only this local port")
    add("--rport", type=_port, metavar="PORT", help="only this remote port")
    add(
        "--filter",
        type=_filter,
        default="",
        metavar="TEXT",
        help="only connections that match, as what is typed after / in the dashboard",
    )
    add("--names", "-N", action="store_true", help="show names of peers and services in the dashboard (as n)")
    add("--theme", choices=tuple(PALETTES), help="colours (default: by the terminal's background)")
    add("--no-config", action="store_true", help="leave the file of settings unread")
    add("--version", "-V", action="version", version=f"tcptop-rtt {__version__}")
    return parser.parse_args()


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


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _filter(text: str) -> str:
    from tcptop_rtt.view.filter import parse
    from tcptop_rtt.view.query import QueryError

    try:
        parse(text)
    except QueryError as error:
        raise argparse.ArgumentTypeError(f"{error} (at character {error.at + 1} of {text!r})") from None
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)
