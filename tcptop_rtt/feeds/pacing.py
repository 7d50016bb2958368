"""How often each socket may send a record, so that all sockets together stay within the budget."""

from __future__ import annotations

from tcptop_rtt.feeds.budget import Budget, stretched_s
from tcptop_rtt.model.records import INTERVAL_S


class Pace:
    """The interval between two records of a socket, which follows the number of active sockets.

    :param now: seconds, on the same clock as in :meth:`take`
    """

    def __init__(self, now: float, budget: Budget) -> None:
        self.spacing = 1.0
        """The factor by which the interval is longer than the number of active sockets asks for."""
        self.unspaced_s = INTERVAL_S
        """The interval that the number of active sockets asks for."""
        self._budget = budget
        self._since = now
        self._records = 0

    @property
    def report_interval_s(self) -> float:
        """The interval with spacing, which lengthens it up to the budget's ``longest_report_s`` only."""
        return stretched_s(self.unspaced_s, self.spacing, self._budget.longest_report_s)

    def take(self, records: int, now: float) -> None:
        """Count the records since the previous call: each active socket sends one per interval."""
        self._records += records
        elapsed, interval_s = now - self._since, self.report_interval_s
        if elapsed >= interval_s:
            active = self._records / elapsed * interval_s
            self.unspaced_s = self._interval_for(active)
            self._since, self._records = now, 0
        else:
            # As many sockets as records are active, at least.
            self.unspaced_s = max(self.unspaced_s, self._interval_for(self._records))

    def _interval_for(self, active: float) -> float:
        budget = self._budget
        target_s = min(active / budget.target_records_per_s, budget.fresh_interval_s)
        return max(INTERVAL_S, target_s, active / budget.max_records_per_s)
