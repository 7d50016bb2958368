"""How often one socket may send a record, so that all of them together stay within a budget."""

from __future__ import annotations

from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.model.records import INTERVAL_S


class Pace:
    """The interval between two records of a socket, which follows the number of active ones.

    :param now: seconds, on the clock that the other calls use
    """

    def __init__(self, now: float, budget: Budget) -> None:
        self.report_interval_s = INTERVAL_S
        self._budget = budget
        self._since = now
        self._records = 0

    def take(self, records: int, now: float) -> None:
        """So many records have come since the call before: an active socket sends one per interval."""
        self._records += records
        elapsed = now - self._since
        if elapsed >= self.report_interval_s:
            active = self._records / elapsed * self.report_interval_s
            self.report_interval_s = self._report_interval_for(active)
            self._since, self._records = now, 0
        else:
            # So many are active at least.
            self.report_interval_s = max(self.report_interval_s, self._report_interval_for(self._records))

    def _report_interval_for(self, active: float) -> float:
        budget = self._budget
        target_s = min(active / budget.target_records_per_s, budget.fresh_interval_s)
        return max(INTERVAL_S, target_s, active / budget.max_records_per_s)
