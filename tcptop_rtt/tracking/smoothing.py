"""Rates that follow what is counted, and forget what is long ago."""

from __future__ import annotations

from typing import Any

import numpy as np

EVENTS_OVER_S = 5.0
"""Of what happens now and then. Clients whose connects fail come again after one second, three and seven: so
there may be none between two readings."""
LEAST_EVENTS_PER_S = 0.05
"""Less is over."""


def newest_share(elapsed_s: Any, over_s: float) -> Any:
    """How much the rate since the latest reading counts beside those before.

    :param elapsed_s: since that reading, a number or an array
    :param over_s: the time that the rate is averaged over, about
    """
    return 1 - np.exp(-elapsed_s / over_s)
