"""A fleet's table as text: plain, or as JSON Lines."""

from __future__ import annotations

import numpy as np

from tcptop_rtt import __version__
from tcptop_rtt.model.fleet import FleetSnapshot
from tcptop_rtt.model.question import LABELS
from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.json_line import encoded
from tcptop_rtt.outputs.plain_line import padded
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.fleet_fields import ONE, span, table
from tcptop_rtt.view.fleet_list import selected
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.ranking import Ranking


class FleetTables:
    """Writes each answer as a table, the slowest row first.

    :param filter_text: only matching rows are written
    """

    def __init__(self, out: Writer, filter_text: str) -> None:
        self._out = out
        self._filter = filter_text

    def begin(self, origin: Origin) -> None:
        """Nothing goes before the first table."""

    def show(self, snapshot: Snapshot) -> None:
        """Write one table."""
        assert isinstance(snapshot, FleetSnapshot)  # noqa: S101 - there is no other from such a feed
        question, groups = snapshot.question, snapshot.groups
        of = table(question.table, question.range_s)
        ranking = Ranking(groups, selected(groups, self._filter), of.sorts["rtt"], True)
        problem = f"  ! {fmt.printable(snapshot.health.problem)}" if snapshot.health.problem else ""
        counted = fmt.noun(len(ranking), ONE[question.table], question.table)
        columns = [column for column in of.columns if column.cell]
        self._out.write(
            f"{fmt.clock(snapshot.time_ns / 1e9)}  {len(ranking)} {counted}  "
            f"last {span(question.range_s)}{problem}\n"
        )
        rows = of.views(groups[ranking.window(0, len(ranking))], frozenset())
        cells = ([column.cell(row, UNICODE).text for column in columns if column.cell] for row in rows)
        for line in ([column.title for column in columns], *cells):
            self._out.write(padded(columns, line))
        self._out.write("\n")
        self._out.flush()

    def end(self, dropped_records: int) -> None:
        """Nothing goes after the last table."""


class FleetLines:
    """Writes each row of each answer as a line of JSON; unknown is null."""

    def __init__(self, out: Writer, filter_text: str) -> None:
        self._out = out
        self._filter = filter_text
        self._written_ns = 0

    def begin(self, origin: Origin) -> None:
        """Write the header, which names the server."""
        self._write({"event": "header", "version": __version__, "server": origin.host})

    def show(self, snapshot: Snapshot) -> None:
        """Write the problem, if there is one, and the rows of a new answer."""
        assert isinstance(snapshot, FleetSnapshot)  # noqa: S101 - there is no other from such a feed
        question, groups = snapshot.question, snapshot.groups
        if snapshot.health.problem:
            self._write({"event": "problem", "problem": snapshot.health.problem})
        if snapshot.answered_ns != self._written_ns:
            self._written_ns = snapshot.answered_ns
            chosen = selected(groups, self._filter)
            self._rows(snapshot, chosen)
            common = {"event": "answer", "time_ns": snapshot.time_ns, "table": question.table}
            self._write(common | {"range_s": question.range_s, "rows": len(chosen), "cut": snapshot.is_cut})
        self._out.flush()

    def _rows(self, snapshot: FleetSnapshot, chosen: np.ndarray) -> None:
        question = snapshot.question
        fields = table(question.table, question.range_s).fields
        rows = snapshot.groups[chosen]
        columns = {field.name: field.values(rows.__getitem__, frozenset()) for field in fields}
        labels = LABELS[question.table]
        for at, row in enumerate(chosen.tolist()):
            self._write(
                {"event": "row", "time_ns": snapshot.time_ns}
                | dict(zip(labels, snapshot.labels[row], strict=True))
                | {name: values[at] for name, values in columns.items() if name != "name"}
            )

    def end(self, dropped_records: int) -> None:  # noqa: ARG002
        """Write the last line."""
        self._write({"event": "end"})
        self._out.flush()

    def _write(self, line: dict[str, object]) -> None:
        self._out.write_bytes(encoded(line))
