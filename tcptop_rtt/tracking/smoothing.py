"""Smoothed rates, in which newer readings weigh more than older ones."""

from __future__ import annotations

from typing import Any

import numpy as np

EVENTS_OVER_S = 5.0
"""The time that rates of rare events are averaged over. Clients whose connects fail try again after 1, 3 and
7 seconds, so there may be none between two readings."""
LEAST_EVENTS_PER_S = 0.05
"""Lower rates count as 0."""


def newest_share(elapsed_s: Any, over_s: float) -> Any:
    """The weight of the newest rate; the average before it has the rest.

    :param elapsed_s: the time that the newest rate is over, a number or an array
    :param over_s: the time that the average is over, about
    """
    return 1 - np.exp(-elapsed_s / over_s)
