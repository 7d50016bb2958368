"""Plain text tables, one per snapshot, for pipes and files."""

from __future__ import annotations

from collections.abc import Callable

from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.plain_line import padded
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.ends import joined
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.listing import ConnectionList
from tcptop_rtt.view.own_health import how_late, what_is_missed, what_is_over, what_the_budget_does
from tcptop_rtt.view.ranking import Ranking
from tcptop_rtt.view.table import Column, with_values


class PlainTables:
    """Writes each snapshot as a table, slowest connection first.

    :param note: returns a line to write below an empty table; empty for none
    :param columns: None for all columns
    """

    def __init__(
        self,
        out: Writer,
        chosen: Filter,
        note: Callable[[], str],
        columns: tuple[Column, ...] | None = None,
    ) -> None:
        self._columns = tuple(column for column in columns or CONNECTIONS.columns if column.cell)
        self._out = out
        self._filter = chosen
        self._note = note

    def begin(self, origin: Origin) -> None:
        """Nothing goes before the first table."""

    def show(self, snapshot: Snapshot) -> None:
        """Write one table."""
        health, listing = snapshot.health, ConnectionList(joined(snapshot), self._filter)
        by_rtt = listing.table.sorts["rtt"]
        ranking = Ranking(listing.rows, listing.indices, by_rtt, True, health.lacking)
        moment = fmt.clock(snapshot.time_ns / 1e9)
        problem = f"  ! {fmt.printable(health.problem)}" if health.problem else ""
        seen = f"{health.samples_per_s:.0f} samples/s  {health.dropped_records} lost"
        seen = what_is_missed(health) or seen
        notes = (seen, how_late(health.behind_s), what_the_budget_does(health), what_is_over(health))
        seen = "  ".join(filter(None, notes))
        count = f"{len(ranking)} {fmt.noun(len(ranking), 'connection')}"
        self._out.write(f"{moment}  {fmt.printable(health.hook)}  {count}  {seen}{problem}\n")
        columns = with_values(self._columns, listing.rows)
        self._out.write(padded(columns, [column.title for column in columns]))
        for row in listing.views(ranking.window(0, len(ranking))):
            cells = [column.cell(row, UNICODE).text for column in columns if column.cell]
            self._out.write(padded(columns, cells))
        note = "" if len(ranking) else self._note()
        if note:
            self._out.write(note + "\n")
        self._out.write("\n")
        self._out.flush()

    def end(self, dropped_records: int) -> None:
        """Nothing goes after the last table."""
