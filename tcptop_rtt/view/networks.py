"""Remote networks: the peers' addresses cut to a prefix, and how a network is written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.prefixes import Prefixes
from tcptop_rtt.model.rows import Get
from tcptop_rtt.view import addresses
from tcptop_rtt.view import format as fmt

_MAPPED_BITS = 96
"""Bits in front of the IPv4 address in a v4-mapped one."""


def networks(get: Get, prefixes: Prefixes) -> NDArray[np.void]:
    """The peers' addresses, 16 bytes each, with the bits behind the prefix set to 0.

    :param get: gives the values of a field of the connections
    """
    masks = np.array([_mask(_MAPPED_BITS + prefixes.v4), _mask(prefixes.v6)], np.uint8)
    raddr = np.ascontiguousarray(get("raddr")).view(np.uint8).reshape(-1, 16)
    masked = raddr & masks[(get("family") != 4).astype(np.intp)]
    found: NDArray[np.void] = np.ascontiguousarray(masked).view("V16").reshape(-1)
    return found


def _mask(bits: int) -> list[int]:
    return list(((1 << 128) - (1 << 128 - bits)).to_bytes(16, "big"))


def text(family: int, network: bytes, prefixes: Prefixes) -> str:
    """A network as ``192.0.2.0/24``; ``?`` if the family is not known.

    :param network: as :func:`networks` returns it
    """
    return f"{addresses.address(family, network)}/{prefixes.of(family)}" if family else fmt.UNKNOWN
