"""How often one socket may send a record, so that all of them together stay within a budget."""

from __future__ import annotations

from tcptop_rtt.model.records import INTERVAL_S

RECORDS_PER_S = 20_000
"""With more active sockets than this allows, samples are told of later; none is lost."""
EASY_RECORDS_PER_S, EASY_INTERVAL_S = 2_500, 0.8
"""A record costs the traffic about a microsecond, so there are no more than this as long as a socket is
told of in each second: that is what is shown of it."""


class Pace:
    """The interval between two records of a socket, which follows the number of active ones.

    :param now: seconds, on the clock that the other calls use
    """

    def __init__(self, now: float) -> None:
        self.interval_s = INTERVAL_S
        self._since = now
        self._records = 0

    def take(self, records: int, now: float) -> None:
        """So many records have come since the call before: an active socket sends one per interval."""
        self._records += records
        elapsed = now - self._since
        if elapsed >= self.interval_s:
            active = self._records / elapsed * self.interval_s
            self.interval_s = _interval_s(active)
            self._since, self._records = now, 0
        else:
            # So many are active at least.
            self.interval_s = max(self.interval_s, _interval_s(self._records))


def _interval_s(active: float) -> float:
    easy_s = min(active / EASY_RECORDS_PER_S, EASY_INTERVAL_S)
    return max(INTERVAL_S, easy_s, active / RECORDS_PER_S)
