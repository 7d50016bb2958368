"""The fields that say how long the two ends of a connection wait for each other: see bpf/waits.h."""

from __future__ import annotations

WAITED = frozenset({"answers", "answer_sum_us", "replies", "reply_sum_us", "crossings"})
"""Those without which it is unknown what a request waits for."""

SLOW_WAITS = frozenset({"slow_answers", "slow_replies"})
"""How many answers and replies were slow: unknown in recordings and streams of older versions."""

SLOW_WAIT_US = 100_000
"""From here on an answer or a reply counts as slow, as in bpf/abi.h."""
