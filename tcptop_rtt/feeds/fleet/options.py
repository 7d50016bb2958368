"""The options of the fleet. Nothing heavy is imported here: the command line reads it at every start."""

from __future__ import annotations

import argparse

from tcptop_rtt.model.question import LABELS, USUAL_RANGE_S

USUAL_INTERVAL_S = 5.0
LEAST_RANGE_S, LONGEST_RANGE_S = 10, 7 * 86_400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


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
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdigit() and len(number) < 8 and unit in _UNITS:
        seconds = int(number) * _UNITS[unit]
        if LEAST_RANGE_S <= seconds <= LONGEST_RANGE_S:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a time from 10s to 7d, such as 15m")
