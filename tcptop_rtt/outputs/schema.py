"""The JSON Schema of the stream, made from the table of fields: ``python -m tcptop_rtt.outputs.schema``."""

from __future__ import annotations

import json
import sys
from typing import Any

from tcptop_rtt.outputs.jsonl import FORMAT_VERSION
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.listener_fields import STREAMED
from tcptop_rtt.view.table import Field

_COUNT = {"type": "integer", "minimum": 0}
_TIME = {**_COUNT, "description": "wall clock, nanoseconds since the Unix epoch"}


def _property(field: Field) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": field.meaning,
        "type": [field.type, "null"] if field.nullable else field.type,
    }
    if field.type == "integer":
        described["minimum"] = 0
    if field.choices:
        described["enum"] = [*field.choices, None] if field.nullable else list(field.choices)
    return described


def _line(events: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    """A kind of line. Readers ignore what they do not know: there may be more in it one day."""
    properties = {"event": {"enum": events}, **properties}
    return {"type": "object", "properties": properties, "required": list(properties)}


def schema() -> dict[str, Any]:
    """What each line of the stream is like."""
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
                    "hook": {"type": "string", "description": "where segments are met: fentry or tcp_probe"},
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
                    "closed": {"type": "boolean", "description": "it listens no longer"},
                    **{field.name: _property(field) for field in STREAMED},
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
