"""The exporter's options. Nothing heavy is imported here: the command line reads it at every start."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from tcptop_rtt.model.prefixes import USUAL_PREFIXES, Prefixes

LOOPBACK = "127.0.0.1"
MOST_LABEL_SETS = 1_000
"""With all of its series each takes about 5 KiB of a scrape."""


class Address(NamedTuple):
    """Where metrics are served."""

    host: str  # a numeric address of this machine, IPv4 or IPv6
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def add_options(parser: argparse.ArgumentParser, other: argparse._MutuallyExclusiveGroup) -> None:
    """Add them to the command line.

    :param other: of the options that choose what else is written, of which one may be given
    """
    other.add_argument(
        "--prometheus",
        type=_address,
        metavar="[ADDR:]PORT",
        help=f"serve metrics for Prometheus there instead (address: {LOOPBACK})",
    )
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
        help=f"most sets of labels; what is beyond is counted as other (default: {MOST_LABEL_SETS})",
    )


def _address(text: str) -> Address:
    import ipaddress  # only here, as it takes milliseconds

    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    try:
        ipaddress.ip_address(host or LOOPBACK)
        if text.startswith(":") or not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a port, or an address and a port, such as 9464, 10.0.0.1:9464 or [::1]:9464"
        ) from None
    return Address(host or LOOPBACK, int(port))


def _prefixes(text: str) -> Prefixes:
    parts = text.split(",")
    if len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts):
        v4, v6 = map(int, parts)
        if v4 <= 32 and v6 <= 128:
            return Prefixes(v4, v6)
    raise argparse.ArgumentTypeError(f"{text!r} is not the bits of two networks, such as {USUAL_PREFIXES}")


def _most(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 100_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100000")
    return int(text)
