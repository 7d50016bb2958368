"""The command line: parses the arguments, runs a front end, and reports each error as one line."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

from tcptop_rtt import environment, start
from tcptop_rtt.config import settings_of
from tcptop_rtt.config.settings import Settings
from tcptop_rtt.feeds.fleet.options import USUAL_INTERVAL_S
from tcptop_rtt.model.errors import TcptopError, UsageError, remedy, shortage
from tcptop_rtt.model.exit_status import BY_SIGNAL
from tcptop_rtt.options.modes import contradiction
from tcptop_rtt.options.parser import make_parser
from tcptop_rtt.options.run_parser import make_run_parser
from tcptop_rtt.options.values import RUN
from tcptop_rtt.outputs.otlp.options import pace
from tcptop_rtt.standard_streams import complain, drop_unwritable, occupy_closed_numbers
from tcptop_rtt.view import thresholds

RUN_REFRESH_S = 0.25
"""Between two snapshots of ``run``. Of more than three samples of a connection in between only the lowest and
the highest are exact."""


def main(run: Callable[[argparse.Namespace], int] = start.run) -> int:
    """Run what the options ask for; return the exit code: 0, 1 for an error, 2 for wrong usage."""
    try:
        return _main(run)
    finally:
        drop_unwritable()


def _main(run: Callable[[argparse.Namespace], int]) -> int:
    invoker = environment.invoker()
    original = environment.clean()
    occupy_closed_numbers()
    try:
        options = _parse()
    except OSError as error:  # of --help and --version
        complain(f"cannot write to standard output: {error.strerror}")
        return 1
    options.environment = original
    options.invoker = invoker
    if not (invoker.is_known or options.no_config):
        complain("the password database does not answer: your settings are not read")
    code = 1
    try:
        _add_settings(options, Settings() if options.no_config else settings_of(invoker))
        return run(options)
    except KeyboardInterrupt:
        return BY_SIGNAL + signal.SIGINT
    except UsageError as error:
        problem, code = str(error), 2
    except TcptopError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error}{remedy(error)}"
    except Exception as error:  # a bug: one line is enough for a report
        words = " ".join(str(error).split())
        problem = shortage(error) or f"unexpected {type(error).__name__}: {words}: please report this line"
    complain(problem)
    return code


def _add_settings(options: argparse.Namespace, settings: Settings) -> None:
    """Add the values of the settings file where no option overrides them."""
    preferences = settings.preferences
    options.preferences = replace(preferences, theme=options.theme or preferences.theme)
    options.refreshes_per_update = 1
    if options.otlp is not None:
        options.interval, options.refreshes_per_update = pace(options.interval)
    usual_s = settings.interval_s or 1.0 if options.fleet is None else USUAL_INTERVAL_S
    options.interval = options.interval or usual_s
    thresholds.use(settings.thresholds)


def _parse() -> argparse.Namespace:
    parser = make_parser()
    if sys.argv[1:2] != [RUN]:
        options = parser.parse_args()
        if problem := contradiction(options, parser.get_default) or _wrong_filter(options):
            parser.error(problem)
        return options
    run_parser = make_run_parser()
    # Options that only the dashboard has get their defaults.
    options = run_parser.parse_args(sys.argv[2:], parser.parse_args([]))
    options.command = options.command[options.command[:1] == ["--"] :]
    if not options.command:
        run_parser.error("a command is missing: tcptop-rtt run -- COMMAND")
    if problem := _wrong_filter(options):
        run_parser.error(problem)
    options.interval = RUN_REFRESH_S
    return options


def _wrong_filter(options: argparse.Namespace) -> str:
    """Return what is wrong with the filter; empty: nothing. ``--fleet`` has a filter language of its own."""
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
