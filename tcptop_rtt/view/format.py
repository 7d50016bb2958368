"""Formats numbers and text from outside as short strings for a terminal.

Nothing from outside (process names, command lines, paths) may reach a terminal without :func:`printable`.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Literal

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.known import FRESH_MS, RttBasis
from tcptop_rtt.model.outside import harmless
from tcptop_rtt.model.rows import STATES, Holder
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.thresholds import thresholds

UNKNOWN = "?"
NOTHING = "-"
NEVER = "never"
RTT_WIDTH = 7
"""The greatest width of :func:`rtt`."""
AGED_RTT_WIDTH = 10
"""The greatest width of :func:`rtt_now`."""
PEAK_WIDTH = 11
"""The greatest width of :func:`peak`."""

Level = Literal["unknown", "good", "warn", "bad"]


def printable(raw: bytes | str, glyphs: Glyphs = UNICODE) -> str:
    """Returns one line of :func:`~tcptop_rtt.model.outside.harmless` text; in ASCII if ``glyphs`` are."""
    # Long texts are rare, and would fill megabytes of the cache.
    return _printable(raw, glyphs) if len(raw) <= 64 else _printable.__wrapped__(raw, glyphs)


@lru_cache(maxsize=8192)
def _printable(raw: bytes | str, glyphs: Glyphs) -> str:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    if not glyphs.unicode:
        return "".join(char if " " <= char <= "~" else "?" for char in text)
    return harmless(text)


def rtt(us: float | None) -> str:
    """Microseconds as ``0.043ms``, ``1.24ms``, ``48.2ms``, ``1240ms``, ``3.1s``; None, 0 and nan: ``-``."""
    if us is None or not us > 0:
        return NOTHING
    if us < 1_000:
        return f"{us / 1000:.3f}ms"
    if us < 9_995:
        return f"{us / 1000:.2f}ms"
    if us < 99_950:
        return f"{us / 1000:.1f}ms"
    if us < 1_999_500:
        return f"{us / 1000:.0f}ms"
    seconds = us / 1e6
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    return f"{seconds:.0f}s" if seconds < 99_999 else ">1day"


def _brief_rtt(us: int) -> str:
    """Microseconds in fewer characters than :func:`rtt`, so that there is room for an age."""
    if us < 1_000:
        return f"{us}us"
    if us < 9_950:
        return f"{us / 1000:.1f}ms"
    if us < 999_500:
        return f"{us / 1000:.0f}ms"
    return f"{us / 1e6:.1f}s" if us < 99_950_000 else f"{us / 1e6:.0f}s"


def rtt_now(row: Connection) -> str:
    """Formats the RTT column: an RTT that is not current has its age, a stalled connection has no RTT.

    ``48.2ms``; ``320ms 31m``: taken 31 minutes ago; ``320ms >31m``: or earlier; ``~48.2ms``: the receiver's
    estimate.
    """
    if row.stalled:
        return "no ACK"  # the last RTT would look healthy
    now = row.rtt
    mark = "~" if now.basis == RttBasis.RECEIVER else ""
    if now.age_ms is None:
        return mark + rtt(now.us)
    days = now.age_ms // 86_400_000
    older = ">" if now.older or days > 99 else ""
    return f"{mark}{_brief_rtt(now.us)} {older}{age(now.age_ms * 1_000_000) if days < 100 else '99d'}"


def peak(row: Connection) -> str:
    """The highest RTT of the last minutes and when it was: ``214ms 22:31``, or ``214ms now``."""
    us, age_ms, time_s = row.peak_rtt_us, row.peak_age_ms, row.peak_time_s
    if us is None or age_ms is None or time_s is None:
        return NOTHING
    return f"{_brief_rtt(us)} {'now' if age_ms <= FRESH_MS else clock(time_s)[:5]}"


def rtt_level(row: Connection) -> Level:
    """Returns the level of a row's RTT; ``unknown`` unless the RTT is current."""
    now = row.rtt
    return level(now.us) if now.basis == RttBasis.FRESH else "unknown"


def level(us: float) -> Level:
    """Returns the level of an RTT in microseconds, by the thresholds of the colours."""
    if not us > 0:
        return "unknown"
    if us < thresholds().yellow_us:
        return "good"
    return "warn" if us < thresholds().red_us else "bad"


def _scaled(value: float, unit: str) -> str:
    for prefix in ("", "k", "M", "G", "T", "P"):
        if value < 999.5:
            digits = 1 if prefix and value < 9.95 else 0
            return f"{value:.{digits}f}{prefix}{unit}"
        value /= 1000
    return f"{value:.0f}E{unit}"


def bits(bps: float) -> str:
    """Bits per second as ``0``, ``950``, ``1.2M``; nan: ``-``."""
    return _scaled(bps, "") if bps >= 0 else NOTHING


def size(count: float) -> str:
    """Bytes as ``950B``, ``1.2MB`` (powers of 1000)."""
    return _scaled(count, "B") if count >= 0 else NOTHING


def per_second(rate: float) -> str:
    """A rate as ``0``, ``<0.1``, ``0.3``, ``14``, ``1.2k``."""
    if 0 < rate < 0.05:
        return "<0.1"
    return f"{rate:.1f}" if 0.05 <= rate < 9.95 else _scaled(rate, "")


def tally(count: int) -> str:
    """A counter in at most five characters."""
    return str(count) if count < 100_000 else _scaled(count, "")


def noun(count: float, one: str, several: str = "") -> str:
    """What so many are called: ``several``, or else ``one`` with an s, unless it is one."""
    return one if count == 1 else several or f"{one}s"


def age(ns: int) -> str:
    """Nanoseconds as ``3s``, ``12m``, ``4h``, ``2d``."""
    seconds = ns // 1_000_000_000
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 48 * 3600 else f"{seconds // 86400}d"


_STEP_NS = 10_000_000_000


def age_of(row: Connection) -> str:
    """The age of a connection; ``>``: its opening was not seen, and it is at least that old.

    A least age changes once a minute at most.
    """
    if not row.open_seen:
        return f">{'0s' if row.age_ns < 60_000_000_000 else age(row.age_ns)}"
    return age_in_steps(row.age_ns)


def age_in_steps(ns: int) -> str:
    """As :func:`age`, but from ten seconds on in steps of ten seconds, so that it rarely changes."""
    return age(ns if ns < _STEP_NS else ns // _STEP_NS * _STEP_NS)


def since(ns: int) -> str:
    """Nanoseconds as ``12s``, ``3m 12s``, ``2h 5m``."""
    seconds = ns // 1_000_000_000
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60}s"
    return f"{seconds // 3600}h {seconds % 3600 // 60}m"


def ago(ms: int | None) -> str:
    """Milliseconds as ``3.4s ago``; None: never."""
    return NEVER if ms is None else f"{span(ms)} ago"


def span(ms: float) -> str:
    """Milliseconds as ``120ms``, ``3.4s``, ``12m``."""
    if ms < 1000:
        return f"{ms:.0f}ms"
    return f"{ms / 1000:.1f}s" if ms < 9_950 else age(int(ms) * 1_000_000)


def window(row: Connection) -> str:
    """Returns the time that this connection's counters of the last minute cover: ``the last 42s``."""
    return f"the last {span(row.window_ms or 0)}"


def percent(part: float, whole: float) -> str:
    """``part`` of ``whole`` in per cent, ``0%`` and ``100%`` only where exact; ``-`` if ``whole`` is 0."""
    if whole <= 0:
        return NOTHING
    share = part / whole
    return "<1%" if 0 < share < 0.01 else _up_to_all(share)


def percent1(share: float) -> str:
    """A share in per cent; below 10%, with tenths: ``1.1%``, ``<0.1%``."""
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{share:.1%}" if share < 0.0995 else _up_to_all(share)


def _up_to_all(share: float) -> str:
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def clock(epoch: float) -> str:
    """Seconds since the epoch as local time of day."""
    return moment(epoch).rpartition(" ")[2]


def moment(epoch: float) -> str:
    """Seconds since the epoch as local date and time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch))
    except (OverflowError, ValueError, OSError):
        return UNKNOWN


def state(number: int, closed: bool, stalled: bool) -> str:
    """Returns the text of the state column: CLOSED or STALLED if so, else the kernel's state."""
    if closed:
        return "CLOSED"
    if stalled:
        return "STALLED"
    return STATES[number] if number < len(STATES) else UNKNOWN


def process(row: Connection, glyphs: Glyphs = UNICODE) -> str:
    """The process that holds the socket: a listener in parentheses, the kernel as ``[kernel]``."""
    return holder(row.holder, row.comm, glyphs)


def holder(kind: int, comm: bytes, glyphs: Glyphs = UNICODE) -> str:
    """The holder of a socket, likewise, by how it is known (see :class:`Holder`) and its name."""
    name = printable(comm, glyphs)
    match kind:
        case Holder.NOBODY:
            return NOTHING
        case Holder.KERNEL:
            return "[kernel]"
        case Holder.LISTENER:
            return f"({name})"
        case _:
            return name or UNKNOWN


def pid(row: Connection) -> str:
    """The PID of the process that holds the socket."""
    if row.holder in (Holder.NOBODY, Holder.KERNEL):
        return NOTHING
    return str(row.pid) if row.pid else UNKNOWN
