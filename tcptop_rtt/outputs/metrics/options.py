"""The options for metrics' labels. Imported at every start, so it imports nothing slow."""

from __future__ import annotations

import argparse

from tcptop_rtt.model.prefixes import USUAL_PREFIXES, Prefixes
from tcptop_rtt.view.quantities import whole

MOST_LABEL_SETS = 1_000
"""The default limit. Each set of labels takes about 5 KiB of a scrape."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the command line."""
    parser.add_argument(
        "--prometheus-prefix",
        type=_prefixes,
        default=USUAL_PREFIXES,
        metavar="V4,V6",
        help=f"bits of a remote network in its label (default: {USUAL_PREFIXES})",
    )
    parser.add_argument(
        "--prometheus-series",
        type=_most,
        default=MOST_LABEL_SETS,
        metavar="N",
        help=f"most sets of labels; further sets are counted as other (default: {MOST_LABEL_SETS})",
    )


def _prefixes(text: str) -> Prefixes:
    parts = text.split(",")
    if len(parts) == 2:
        v4, v6 = whole(parts[0], 0, 32), whole(parts[1], 0, 128)
        if v4 is not None and v6 is not None:
            return Prefixes(v4, v6)
    raise argparse.ArgumentTypeError(f"{text!r} is not the bits of two networks, such as {USUAL_PREFIXES}")


def _most(text: str) -> int:
    most = whole(text, 1, 100_000)
    if most is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100000")
    return most
