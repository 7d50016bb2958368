"""The exporter's options. Imported at every start, so it imports nothing slow."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from tcptop_rtt.view.quantities import MOST_PORT, whole

LOOPBACK = "127.0.0.1"


class Address(NamedTuple):
    """Where metrics are served."""

    host: str  # a numeric address of this machine, IPv4 or IPv6
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def add_options(other: argparse._MutuallyExclusiveGroup) -> None:
    """Add the options to the command line.

    :param other: the group of the options that choose an output, of which only one may be given
    """
    other.add_argument(
        "--prometheus",
        type=_address,
        metavar="[ADDR:]PORT",
        help=f"serve metrics for Prometheus there instead (address: {LOOPBACK})",
    )


def _address(text: str) -> Address:
    import ipaddress  # here, as it takes milliseconds

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
