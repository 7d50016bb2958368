"""The options of OTLP. Nothing heavy is imported here: the command line reads it at every start."""

from __future__ import annotations

import argparse

USUAL_PUSH_S = 10.0
_READ_S = 1.0
"""Between two looks at the connections: of up to three RTT samples in this time each is known exactly."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add them to the command line."""
    parser.add_argument(
        "--otlp",
        metavar="URL",
        help="push metrics by OTLP over HTTP to this OpenTelemetry receiver instead, such as "
        f"http://127.0.0.1:4318, every {USUAL_PUSH_S:g} seconds (--interval); what is told apart is as with "
        "--prometheus",
    )
    parser.add_argument(
        "--otlp-headers",
        metavar="FILE",
        help="with --otlp: send the headers in this file, too, such as credentials: lines of NAME: VALUE; "
        "nobody else may be able to read it",
    )


def pace(push_s: float | None) -> tuple[float, int]:
    """The seconds between two looks at the connections, and how many looks there are for each push.

    :param push_s: as asked for
    """
    push_s = push_s or USUAL_PUSH_S
    looks = max(1, round(push_s / _READ_S))
    return push_s / looks, looks
