"""The exporter's options. Nothing heavy is imported here: the command line reads it at every start."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from tcptop_rtt.model.prefixes import USUAL_PREFIXES, Prefixes
from tcptop_rtt.view.quantities import MOST_PORT, whole

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

    host, _, digits = text.rpartition(":")
    port = whole(digits, 1, MOST_PORT)
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    try:
        ipaddress.ip_address(host or LOOPBACK)
        if text.startswith(":") or port is None:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a port, or an address and a port, such as 9464, 10.0.0.1:9464 or [::1]:9464"
        ) from None
    return Address(host or LOOPBACK, port)


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
