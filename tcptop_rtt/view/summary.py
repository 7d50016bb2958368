"""All connections in a few numbers, for the header."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcptop_rtt.model.ids import distinct
from tcptop_rtt.model.rows import fields_of
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import numbers
from tcptop_rtt.view.thresholds import thresholds


class Summary(NamedTuple):
    """The numbers of the header. Rates are in bits and segments per second."""

    stalled: int = 0
    slow: int = 0
    """Open connections whose current RTT is ``red_us`` or more."""
    retrans_per_s: float = 0.0
    in_bps: float = 0.0
    out_bps: float = 0.0
    p95_us: float = 0.0
    """The 95th percentile of the current RTTs; 0 if there is none."""


def summarize(snapshot: Snapshot) -> Summary:
    """The summary of all connections, each counted once.

    Bit rates and the p95 include closed connections: a short connection may never be seen open.
    """
    rows = snapshot.rows
    get = fields_of(rows, np.arange(len(rows)) if snapshot.ends is None else distinct(snapshot.ends.line))
    is_open = ~get("closed")
    rtt_us, is_old = numbers.rtts(get)
    rates, unknown = numbers.retransmit_rates(get)
    fresh_us = rtt_us[~is_old]
    return Summary(
        stalled=int(np.count_nonzero(get("stalled") & is_open)),
        slow=int(np.count_nonzero(rtt_us[~is_old & is_open] >= thresholds().red_us)),
        retrans_per_s=float(rates[is_open & ~unknown].sum()),
        in_bps=float(get("in_bps").sum()),
        out_bps=float(get("out_bps").sum()),
        p95_us=float(np.percentile(fresh_us, 95, method="inverted_cdf")) if len(fresh_us) else 0.0,
    )
