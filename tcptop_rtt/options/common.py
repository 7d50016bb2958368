"""Options that the program takes both with and without a command to run."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from tcptop_rtt.model.outside import harmless
from tcptop_rtt.sources.opening import SOURCES, WITHOUT_BPF


class Parser(argparse.ArgumentParser):
    """A parser whose errors may quote any argument: control characters are made harmless."""

    def error(self, message: str) -> NoReturn:
        if sys.stderr is None:  # argparse would write to standard output instead
            self.exit(2)
        try:
            super().error(harmless(message))
        except OSError:  # nobody can read it
            self.exit(2)


def add_source(parser: argparse.ArgumentParser, choices: tuple[str, ...] = SOURCES) -> None:
    without = ", or sock_diag: without BPF and root" if WITHOUT_BPF in choices else ""
    parser.add_argument(
        "--source",
        choices=choices,
        default="auto",
        help=f"kernel hook{without} (default: auto)",
    )


def add_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--filter",
        default="",
        metavar="TEXT",
        help="only connections that match, as what is typed after / in the dashboard",
    )
