"""Connections that a test gives records and scans, and the clock they live by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tcptop_rtt.model.records import ENTRY, RECORD, Kind, Records
from tcptop_rtt.model.rows import Rows
from tcptop_rtt.model.snapshot import Health, Snapshot
from tcptop_rtt.tracking.connections import Connections
from tests.unit.rows import filled

HEALTH = Health("test", "", 0.0, 0, 0.0)
SECOND_NS = 1_000_000_000


class Harness:
    """Connections and the clock they live by."""

    def __init__(self) -> None:
        self.now_ns = 1000 * SECOND_NS
        self.connections = Connections(lambda: self.now_ns)

    def snapshot(self) -> Snapshot:
        return self.connections.snapshot(HEALTH)

    def rows(self) -> Rows:
        return self.snapshot().rows

    def scan(self, *parts: Records) -> None:
        for part in parts:
            self.connections.ingest_scan(part)
        self.connections.apply_scan()

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


def records(*fields: Mapping[str, int | bytes], dtype: np.dtype[np.void] = RECORD) -> Records:
    """Records of kind SEGMENT of connection 1 at socket 100, but for what is given."""
    common = {"kind": Kind.SEGMENT, "id": 1, "sock": 100, "lport": 5000}
    made = filled(dtype, *({**common, **given} for given in fields))
    made["pid"] = made["tgid"]
    return made


def entries(*fields: Mapping[str, int | bytes]) -> Records:
    """Entries of a scan."""
    return records(*({"kind": Kind.ENTRY, "state": 1, **given} for given in fields), dtype=ENTRY)
