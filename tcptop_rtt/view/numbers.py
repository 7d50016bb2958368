"""Numbers of rows, from one field or computed from several, and which of them are unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.rows import Get, Mask
from tcptop_rtt.view.cause_columns import Columns

Numbers = Callable[[Get, frozenset[str]], tuple[NDArray[Any], Mask]]
"""A number per row and which are unknown, from the rows' fields and the fields that this kernel lacks."""


def of_field(name: str) -> Numbers:
    """The numbers of a field."""
    return lambda get, lacking: (get(name), known.is_unknown(get, name, lacking))


def quotient(total: str, count: str) -> Numbers:
    """One number divided by another, known where the first one is."""

    def ratio(get: Get, lacking: frozenset[str]) -> tuple[NDArray[Any], Mask]:
        return get(total) / np.maximum(get(count), 1), known.is_unknown(get, total, lacking)

    return ratio


def rtts(get: Get, lacking: frozenset[str] = frozenset()) -> tuple[NDArray[Any], Mask]:  # noqa: ARG001
    """The RTTs, microseconds; unknown where the RTT is not current or the connection is stalled."""
    basis, us = known.rtts(get)
    return us, (basis != RttBasis.FRESH) | get("stalled")


def waits(get: Get, lacking: frozenset[str] = frozenset()) -> tuple[NDArray[Any], Mask]:
    """The whole wait of a request, microseconds."""
    found = Columns(get, lacking).waits
    return found.total_us, ~found.known


def retransmit_rates(get: Get, lacking: frozenset[str] = frozenset()) -> tuple[NDArray[Any], Mask]:
    """Segments sent again per second, over the last minute."""
    window_ms = get("window_ms")
    return 1000 * get("retrans_1m") / np.maximum(window_ms, 1), known.is_unknown(get, "retrans_1m", lacking)
