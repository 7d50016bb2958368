"""Snapshots at a time, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, Snapshot
from tests.unit.rows import rows_of

S = 1_000_000_000
WALL_NS = 1_700_000_000 * S
NOON_S = 1_700_049_600
"""A full hour, UTC."""
HEALTH = Health("tcp_probe")


def snapshot_at(clock_ns: int, *connections: dict[str, Any], cells: float = np.nan, **more: Any) -> Snapshot:
    rows = rows_of(*connections)
    cells_us = np.full((SPARK_CELLS, len(rows)), np.nan, np.float32)
    cells_us[-2:] = cells
    return Snapshot(WALL_NS + clock_ns, clock_ns, rows, tuple(cells_us), HEALTH, None, **more)
