"""From where on something is worth a colour or a word. They are set once, before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the file of settings can change."""

    yellow_us: float = 50_000
    """RTTs from here on are yellow."""
    red_us: float = 150_000
    """And from here on red, slow, and a long path."""
    queue_factor: float = 3
    """An RTT has risen if it is so many times its minimum ..."""
    queue_us: float = 10_000
    """... and so much more: below 10 ms, scheduling and delayed ACKs explain as much as a queue does."""
    loss_share: float = 0.005
    """A path that loses one percent is reported, though by chance a little less was lost."""
    loss_segments: int = 3
    """A single lost segment in a short connection is already a large share."""
    limited_share: float = 0.2
    """Of the time with data to send: from here on a limit is worth naming."""
    slow_answer_us: float = 100_000
    """A shorter wait is not felt as one (Nielsen, Usability Engineering, 1993, chapter 5)."""
    unread_ms: float = 500
    """Data that has waited so long for its reader ..."""
    unread_bytes: int = 65_536
    """... or is so much."""
    backlog_ns: int = 1_000_000_000
    """A process that accepts its connections does so at once."""


DEFAULTS = Thresholds()
_current = DEFAULTS


def use(thresholds: Thresholds) -> None:
    """Judge by these from now on."""
    global _current
    _current = thresholds


def limits() -> Thresholds:
    """Those to judge by."""
    return _current
