"""The result of a comparison as JSON Lines and as plain tables."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.comparing.compared import FALSE_ALARMS
from tcptop_rtt.comparing.fields import FIRST_SORT, TABLE
from tcptop_rtt.comparing.result import WHAT_MARKS_SAY, Result, SideInfo
from tcptop_rtt.comparing.tally import KINDS
from tcptop_rtt.model.rows import Indices, fields_of
from tcptop_rtt.outputs.json_line import encoded
from tcptop_rtt.outputs.plain_line import padded
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.ranking import Ranking

GAP = "  "


def write_json(result: Result, out: Writer) -> None:
    """Write a header about A and B, then a line per group, the one with the largest shift first."""
    header = {
        "event": "comparison",
        "a": _side(result.a),
        "b": _side(result.b),
        "false_alarms": FALSE_ALARMS,
        "problem": result.note or None,
    }
    out.write_bytes(encoded(header))
    order = _ranked(result, np.arange(len(result.rows)))
    get = fields_of(result.rows[order], np.arange(len(order)))
    columns = [field.values(get, frozenset()) for field in TABLE.fields]
    for values in zip(*columns, strict=True):
        line = {"event": "group", **dict(zip(TABLE.names, values, strict=True))}
        out.write_bytes(encoded(line))
    out.flush()


def write_plain(result: Result, out: Writer) -> None:
    """Write a table of services and one of remote networks."""
    for letter, side in (("A", result.a), ("B", result.b)):
        out.write(f"{letter}  {side.words}  {fmt.printable(side.host)}  {fmt.printable(side.name)}\n")
    if result.note:
        out.write(f"! {fmt.printable(result.note)}\n")
    for number, kind in enumerate(KINDS):
        out.write(f"\n{kind.upper()}S\n")
        out.write(padded(TABLE.columns, [column.title for column in TABLE.columns], GAP))
        order = _ranked(result, np.flatnonzero(result.rows["kind"] == number))
        for view in TABLE.views(result.rows[order], frozenset()):
            cells = [column.cell(view, UNICODE).text for column in TABLE.columns if column.cell]
            out.write(padded(TABLE.columns, cells, GAP))
    out.write(f"\n{WHAT_MARKS_SAY}\n")
    out.flush()


def _side(side: SideInfo) -> dict[str, object]:
    return {
        "file": side.name,
        "host": side.host,
        "first_time_ns": side.first_ns,
        "last_time_ns": side.last_ns,
    }


def _ranked(result: Result, indices: Indices) -> Indices:
    return Ranking(result.rows, indices, TABLE.sorts[FIRST_SORT], True).window(0, len(indices))
