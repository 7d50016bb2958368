"""The lines above a fleet's table: the server, the age of its answer, and totals of the rows."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.model.fleet import FleetSnapshot
from tcptop_rtt.model.question import Question
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.fleet_fields import ONE, span
from tcptop_rtt.widgets.status_bar import StatusBar, value
from tcptop_rtt.widgets.styled import Part

OLD_S = 15
"""The age of an answer is shown if it is at least this."""


class FleetBar(StatusBar):
    """The status bar above a fleet's table."""

    _answer: FleetSnapshot | None = None
    _age_s = 0

    def tell(self, answer: FleetSnapshot, age_s: int) -> None:
        """Shows the newest answer's totals and age, even if the table still shows an older answer."""
        self._answer, self._age_s = answer, age_s
        self._write()

    def _facts(self) -> list[list[Part]]:
        name: Part = (fmt.printable(self.host, self._glyphs) or "tcptop-rtt", "name")
        answer = self._answer
        if answer is None or not answer.answered_ns:
            return [[name, ("  asking the server", "value")]]
        groups = answer.groups
        stalled = float(np.nansum(groups["stalled"]))
        connections = float(np.nansum(groups["connections"]))
        failed = float(np.nansum(groups["failed_per_s"]))
        table = answer.question.table
        # An answer has only the rows with the most of something: the sums leave out all others.
        return [
            [name],
            [("  " + fmt.clock(answer.time_ns / 1e9), "dim")],
            [(f"  {fmt.age(self._age_s * 10**9)} old", "bad")] if self._age_s >= OLD_S else [],
            [] if answer.hosts is None or table == "hosts" else _count(answer.hosts, "hosts"),
            _count(len(groups), table, "+" * answer.is_cut),
            value(fmt.bits(connections), fmt.noun(connections, "connection")),
            value(f"{stalled:,.0f}", "stalled", "bad") if stalled else [],
            value(fmt.per_second(failed), "failed connects/s", "bad") if failed else [],
            value(fmt.per_second(np.nansum(groups["retrans_per_s"])), "retr/s"),
            value(fmt.bits(np.nansum(groups["in_bps"])), "in b/s"),
            value(fmt.bits(np.nansum(groups["out_bps"])), "out b/s"),
            value(fmt.rtt(answer.took_s * 1e6), "to answer"),
        ]

    def _place(self) -> str:
        question = self._answer.question if self._answer else Question()
        within = " ".join(fmt.printable(text, self._glyphs) for _, text in question.within)
        return f"{within + ' > ' if within else ''}{question.table}, last {span(question.range_s)}"


def _count(number: int, of: str, mark: str = "") -> list[Part]:
    return value(f"{number:,}{mark}", fmt.noun(number, ONE[of], of))
