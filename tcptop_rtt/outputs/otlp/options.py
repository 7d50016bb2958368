"""The options of OTLP. Imported at every start, so it imports nothing slow."""

from __future__ import annotations

import argparse

USUAL_PUSH_S = 10.0
_READ_S = 1.0
"""The approximate refresh interval. Up to three RTT samples per connection and refresh are exact."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the command line."""
    parser.add_argument(
        "--otlp",
        metavar="URL",
        help="push metrics by OTLP over HTTP to this OpenTelemetry receiver instead, such as "
        f"http://127.0.0.1:4318, every {USUAL_PUSH_S:g} seconds (--interval); the labels are those of "
        "--prometheus",
    )
    parser.add_argument(
        "--otlp-headers",
        metavar="FILE",
        help="with --otlp: send the headers in this file, too, such as credentials: lines of NAME: VALUE; "
        "nobody else may be able to read it",
    )


def pace(push_s: float | None) -> tuple[float, int]:
    """Return the refresh interval in seconds, and the number of refreshes per push.

    :param push_s: the requested push interval; None or 0 for the default
    """
    push_s = push_s or USUAL_PUSH_S
    looks = max(1, round(push_s / _READ_S))
    return push_s / looks, looks
