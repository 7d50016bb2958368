"""Times within a recording and durations, as users write them."""

from __future__ import annotations

import re
import time

from tcptop_rtt.view.quantities import TIMES_NS, number

_CLOCK = re.compile(r"(?:(\d{4})-(\d\d)-(\d\d)[ T])?(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?")
_SPANS_NS = TIMES_NS | {"": TIMES_NS["s"]}
_SHARE = re.compile(r"(\d{1,3})%")
_DAY_NS = TIMES_NS["d"]
MOST_NS = 1 << 62
"""146 years: added to the present time, it still fits into 64 bits."""

HINT = "14:03, 14:03:22, 2026-11-27 14:03, 10m (ago), +30s or 50%"


def duration_ns(text: str, least_ns: int = 1, most_ns: int = MOST_NS) -> int | None:
    """A duration such as ``24h``, ``90m`` or ``7d``; None if it is no duration within these limits."""
    return _within(number(text.strip(), TIMES_NS), least_ns, most_ns)


def _within(ns: float | None, least_ns: int, most_ns: int) -> int | None:
    return round(ns) if ns is not None and least_ns <= ns <= most_ns else None


def time_ns(text: str, at_ns: int, first_ns: int, last_ns: int) -> int | None:
    """A time of the wall clock in nanoseconds, Unix epoch; None if the text is no time.

    A minute or second in which the recording begins is the beginning.

    :param at_ns: the time that spans are relative to
    :param first_ns: the beginning of the recording
    :param last_ns: its end: a time without a date is on this day or the day before
    """
    text = text.strip()
    if text[:1] in ("+", "-"):
        span_ns = _within(number(text[1:], _SPANS_NS), 0, MOST_NS)
        return None if span_ns is None else at_ns + span_ns if text[0] == "+" else at_ns - span_ns
    if (ago_ns := duration_ns(text)) is not None:
        return at_ns - ago_ns
    if (found := _SHARE.fullmatch(text)) and int(found[1]) <= 100:
        return first_ns + (last_ns - first_ns) * int(found[1]) // 100
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = found.groups()
    hms = int(hour), int(minute), int(second or 0)
    fraction_ns = int((fraction or "").ljust(9, "0"))
    if hms[0] > 23 or hms[1] > 59 or hms[2] > 59:
        return None
    named_ns = TIMES_NS["m"] if second is None else TIMES_NS["s"] if fraction is None else 1

    def from_beginning(found_ns: int | None) -> int | None:
        begins_in_it = found_ns is not None and found_ns < first_ns < found_ns + named_ns
        return first_ns if begins_in_it else found_ns

    if year:
        return from_beginning(_epoch_ns((int(year), int(month), int(day)), hms, fraction_ns))
    # On the day of the end if that is in the recording, else a day earlier, up to a day before it begins.
    last = time.localtime(last_ns / 1e9)
    for days in (0, -1):
        date = last.tm_year, last.tm_mon, last.tm_mday + days
        found_ns = from_beginning(_epoch_ns(date, hms, fraction_ns))
        if found_ns is not None and found_ns <= last_ns and (found_ns >= first_ns or days):
            return found_ns if found_ns >= first_ns - _DAY_NS else None
    return _epoch_ns((last.tm_year, last.tm_mon, last.tm_mday), hms, fraction_ns)


def _epoch_ns(date: tuple[int, int, int], hms: tuple[int, int, int], fraction_ns: int) -> int | None:
    try:
        return round(time.mktime((*date, *hms, 0, 0, -1))) * 10**9 + fraction_ns
    except (OverflowError, ValueError):
        return None
