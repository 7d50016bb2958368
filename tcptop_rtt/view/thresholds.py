"""The thresholds from which a value gets a colour or a word. They are set once, before their first use."""

from __future__ import annotations

from dataclasses import dataclass

from tcptop_rtt.model.waited import SLOW_WAIT_US


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds, which the file of settings can change."""

    yellow_us: float = 50_000
    """RTTs from here on are yellow."""
    red_us: float = 150_000
    """RTTs from here on are red and slow; a lowest RTT from here on makes a long path."""
    queue_factor: float = 3
    """An RTT has risen if it is at least so many times its minimum ..."""
    queue_us: float = 10_000
    """... and so much above it: less than 10 ms may just as well come from scheduling or delayed ACKs."""
    loss_share: float = 0.005
    """Below 1 %, so that a path that loses 1 % is reported even if it has lost a little less by chance."""
    loss_segments: int = 3
    """Fewer are no loss: in a short connection a single lost segment is already a large share."""
    limited_share: float = 0.2
    """The share of the time with data to send from which a limit is named."""
    slow_answer_us: float = SLOW_WAIT_US
    """Users do not notice a shorter wait (Nielsen, Usability Engineering, 1993, chapter 5)."""
    unread_ms: float = 500
    """A process does not read if received data has waited so long ..."""
    unread_bytes: int = 65_536
    """... or if there is so much of it."""
    backlog_ns: int = 1_000_000_000
    """A longer wait to be accepted is reported: a healthy process accepts at once."""


DEFAULTS = Thresholds()
_current = DEFAULTS


def use(chosen: Thresholds) -> None:
    """Use these thresholds from now on."""
    global _current
    _current = chosen


def thresholds() -> Thresholds:
    """The thresholds in use."""
    return _current
