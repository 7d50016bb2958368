"""The JSON Schema of the stream, made from the table of fields: ``python -m tcptop_rtt.outputs.schema``."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.view import listener_fields, target_fields
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.streamed import CONNECTION_COLUMNS, FORMAT_VERSION, SIDES
from tcptop_rtt.view.table import Field

_COUNT = {"type": "integer", "minimum": 0}
_TIME = {**_COUNT, "description": "wall clock, nanoseconds since the Unix epoch"}


def _property(field: Field) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": field.meaning,
        "type": [field.type, "null"] if field.nullable else field.type,
    }
    if field.type in ("integer", "number"):
        described["minimum"] = 0
    if field.choices:
        described["enum"] = [*field.choices, None] if field.nullable else list(field.choices)
    return described


def _line(events: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a kind of line. Readers ignore unknown fields, as more may be added."""
    properties = {"event": {"enum": events}, **properties}
    return {"type": "object", "properties": properties, "required": list(properties)}


_IDS = {"type": "array", "items": _COUNT}
_COLUMN = {
    "ids": {**_IDS, "description": "of the rows that have changed in this field without a line of their own"},
    "values": {"type": "array", "description": "as many, each as in the line of one row"},
}


def _columns(event: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of lines with one field of many rows, or with the cells of sparklines."""
    tables = {"enum": [CONNECTION_COLUMNS.name, *(kind.name for kind in SIDES), "cells"]}
    line = _line([event], {"time_ns": _TIME, "table": tables, **properties})
    line["properties"] |= {
        "field": {"type": "string"},
        "second": {
            **_COUNT,
            "description": "which cell, by CLOCK_MONOTONIC: the highest RTT sample in it, us",
        },
    }
    if event == "column":
        line["properties"] |= {
            "plus": {**_COUNT, "description": "added to all others that have no line, and are not closed"},
            "plus_closed": {**_COUNT, "description": "likewise, to those that are closed"},
        }
    return line


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the stream's lines."""
    cgroup = {"type": ["string", "null"], "description": "the path of the process's control group"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of tcptop-rtt --json, version {FORMAT_VERSION}",
        "oneOf": [
            _line(
                ["header"],
                {
                    "version": {"const": FORMAT_VERSION},
                    "host": {"type": "string"},
                    "kernel": {"type": "string"},
                    "hook": {
                        "type": "string",
                        "description": "where segments are met; sock_diag: they are not",
                    },
                    "boot_time_ns": {**_TIME, "description": "when the machine was started, likewise"},
                },
            ),
            _line(
                ["open", "sample", "close"],
                {
                    "time_ns": _TIME,
                    "cgroup": cgroup,
                    **{field.name: _property(field) for field in CONNECTIONS.fields},
                },
            ),
            _line(
                ["waiting"],
                {"time_ns": _TIME, "netns": _COUNT, "time_wait": _COUNT, "syn_recv": _COUNT},
            ),
            _line(
                ["listener"],
                {
                    "time_ns": _TIME,
                    "closed": {"type": "boolean", "description": "it no longer listens"},
                    **{field.name: _property(field) for field in listener_fields.STREAMED},
                },
            ),
            _line(
                ["target"],
                {
                    "time_ns": _TIME,
                    "closed": {"type": "boolean", "description": "it is forgotten"},
                    **{field.name: _property(field) for field in target_fields.STREAMED},
                },
            ),
            _columns("column", _COLUMN),
            _columns(
                "state", {"values": {"type": "array", "description": "of all rows, as in the line of one"}}
            ),
            _line(
                ["refresh"],
                {
                    "time_ns": _TIME,
                    "clock_ns": {**_COUNT, "description": "the same by CLOCK_MONOTONIC"},
                    "gone": {**_IDS, "description": "connections that are no longer shown"},
                    "health": {
                        "type": "object",
                        "description": "how the program itself is doing",
                        "properties": {field.name: {} for field in dataclasses.fields(Health)},
                    },
                },
            ),
            _line(
                ["end"], {"lost": {**_COUNT, "description": "records that the kernel side had no room for"}}
            ),
        ],
    }


if __name__ == "__main__":
    json.dump(schema(), sys.stdout, indent=1)
    sys.stdout.write("\n")
