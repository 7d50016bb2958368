"""How often one socket may send a record, so that all of them together stay within a budget."""

from __future__ import annotations

from tcptop_rtt.sources.record import INTERVAL_S

RECORDS_PER_S = 20_000
"""With more active sockets than this allows, samples are told of later; none is lost."""


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
            self.interval_s = max(INTERVAL_S, active / RECORDS_PER_S)
            self._since, self._records = now, 0
        else:
            # So many are active at least.
            self.interval_s = max(self.interval_s, self._records / RECORDS_PER_S)
