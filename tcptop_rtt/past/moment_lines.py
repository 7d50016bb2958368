"""Converts moments to lines of a recording, with the field names of the stream, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.outside import MOST_ID, MOST_NUMBER, is_natural, name_of
from tcptop_rtt.model.rows import ROW
from tcptop_rtt.past.moments import Moment
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.fields import CONNECTIONS

_NAMES = frozenset(
    {"comm", "pid", "holder", "family", "laddr", "lport", "raddr", "rport", "netns", "direction", "ifindex"}
)
_FIELDS = tuple(field for field in CONNECTIONS.fields if field.name in _NAMES)
"""The fields of a row that the log of moments shows."""
_NUMBERS = ("time_ns", "clock_ns", "count")


def line_of(moment: Moment) -> Mapping[str, Any]:
    """Returns a moment as a line, with its process and endpoints."""
    rows = moment.row.row.reshape(1)
    found = {field.name: field.values(rows.__getitem__, frozenset())[0] for field in _FIELDS}
    return found | {
        "time_ns": moment.time_ns,
        "clock_ns": moment.clock_ns,
        "kind": moment.kind,
        "words": moment.words,
        "table": moment.table,
        "id": moment.id,
        "count": moment.count,
    }


def moment_of(line: Mapping[str, Any]) -> Moment | None:
    """Returns the moment that a line describes; None if the line is not valid."""
    row = np.zeros(1, ROW)
    try:
        for field in _FIELDS:
            if field.parse is not None:
                (value,) = field.parse([line.get(field.name)])
                row[field.name] = np.void(value) if field.name in ("laddr", "raddr") else value
        time_ns, clock_ns, count = (_number(line[name], MOST_NUMBER) for name in _NUMBERS)
        id_ = _number(line["id"], MOST_ID)
        kind, words, table = (fmt.printable(name_of(str(line[name]))) for name in ("kind", "words", "table"))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None
    return Moment(time_ns, clock_ns, kind, words, table, id_, Connection(row[0]), count, (kind, id_))


def _number(value: object, most: int) -> int:
    """Returns the value.

    :raises ValueError: it is not a whole number from 0 to ``most``
    """
    if not is_natural(value, most):
        raise ValueError("no such number")
    return value
