"""The options of the fleet. It imports nothing heavy, as the command line needs it at every start."""

from __future__ import annotations

import argparse

from tcptop_rtt.model.question import LABELS, USUAL_RANGE_S
from tcptop_rtt.view.times import duration_ns

USUAL_INTERVAL_S = 5.0
LEAST_RANGE_S, LONGEST_RANGE_S = 10, 7 * 86_400


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add them to the command line."""
    add = parser.add_argument
    add("--fleet", metavar="URL", help="show all hosts that this Prometheus server scrapes, without root")
    add(
        "--fleet-range",
        type=_range,
        default=USUAL_RANGE_S,
        metavar="TIME",
        help="with --fleet: rates, RTTs and sparklines of the last so long, such as 15m (default: 5m)",
    )
    add(
        "--fleet-by",
        choices=tuple(LABELS),
        default=next(iter(LABELS)),
        help="with --fleet: the table to begin with (default: hosts)",
    )


def _range(text: str) -> int:
    ns = duration_ns(text, LEAST_RANGE_S * 10**9, LONGEST_RANGE_S * 10**9)
    if ns is None or ns % 10**9:  # the server is asked for whole seconds
        raise argparse.ArgumentTypeError(f"{text!r} is not a time from 10s to 7d, such as 15m")
    return ns // 10**9
