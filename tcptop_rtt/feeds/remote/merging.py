"""Merges the snapshots of several hosts into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.hosts import number_of
from tcptop_rtt.model.listeners import no_listeners
from tcptop_rtt.model.mixing import mixed_ids
from tcptop_rtt.model.rows import ROW, Rows
from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, Snapshot, Waiting
from tcptop_rtt.model.targets import no_targets
from tcptop_rtt.view.streamed import OF_A_LINE


class Part(NamedTuple):
    """The latest snapshot of one host."""

    host: str
    """The name of the host; empty if it is the only one."""
    seed: int
    """Mixed into the ids, so that those of different hosts and runs differ."""
    snapshot: Snapshot
    is_new: bool
    """The snapshot has not been merged before."""


def merged(parts: Sequence[Part], time_ns: int, clock_ns: int, problem: str) -> Snapshot:
    """Merge all parts. The times are of this machine's clocks, as those of the hosts differ.

    :param problem: the problems of hosts, in one line
    """
    snapshots = [part.snapshot for part in parts]
    return Snapshot(
        time_ns,
        clock_ns,
        Rows({name: _column(name, parts) for name in ROW.names or ()}),
        tuple(
            _joined([snapshot.cells_us[at] for snapshot in snapshots], np.dtype(np.float32))
            for at in range(SPARK_CELLS)
        ),
        _health([snapshot.health for snapshot in snapshots], problem),
        None,
        _waiting(snapshots),
        _side([part.snapshot.targets for part in parts], parts, no_targets()),
        _side([part.snapshot.listeners for part in parts], parts, no_listeners()),
    )


def _column(name: str, parts: Sequence[Part]) -> NDArray[Any]:
    columns = []
    for part in parts:
        column = part.snapshot.rows[name]
        if name == "id":
            column = _ids(column, part.seed)
        elif name == "host":
            column = np.full(len(column), number_of(part.host.encode()), column.dtype)
        elif name in OF_A_LINE and not part.is_new:
            column = np.zeros_like(column)  # these samples have been counted already
        columns.append(column)
    return _joined(columns, ROW[name])


def _joined(columns: list[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    whole = np.concatenate(columns) if columns else np.zeros(0, dtype)
    whole.flags.writeable = False
    return whole


def _ids(ids: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    return mixed_ids([np.full(len(ids), seed, np.uint64), ids])


def _side(tables: list[NDArray[np.void]], parts: Sequence[Part], none: NDArray[np.void]) -> NDArray[np.void]:
    whole = np.concatenate([none, *tables])
    if tables:
        lengths = [len(table) for table in tables]
        whole["id"] = np.concatenate(
            [_ids(table["id"], part.seed) for table, part in zip(tables, parts, strict=True)]
        )
        whole["host"] = np.repeat([number_of(part.host.encode()) for part in parts], lengths)
    whole.flags.writeable = False
    return whole


def _waiting(snapshots: Sequence[Snapshot]) -> tuple[Waiting, ...]:
    """The sums by network namespace number; different hosts may use the same number."""
    found: dict[int, Waiting] = {}
    for snapshot in snapshots:
        for one in snapshot.waiting:
            before = found.get(one.netns, Waiting(one.netns, 0, 0))
            found[one.netns] = Waiting(
                one.netns, before.time_wait + one.time_wait, before.syn_recv + one.syn_recv
            )
    return tuple(found.values())


def _health(each: Sequence[Health], problem: str) -> Health:
    """The health of all hosts together. A field that one kernel does not report is unknown for all."""
    return Health(
        hook="+".join(sorted({one.hook for one in each if one.hook})),
        hook_note=_together(one.hook_note for one in each),
        samples_per_s=sum(one.samples_per_s for one in each),
        dropped_records=sum(one.dropped_records for one in each),
        cpu_percent=sum(one.cpu_percent for one in each),
        untracked=sum(one.untracked for one in each),
        problem=_together([problem, *(one.problem for one in each)]),
        lacking=frozenset().union(*(one.lacking for one in each)),
        records_per_s=sum(one.records_per_s for one in each),
        report_interval_s=max((one.report_interval_s for one in each), default=0.0),
        scan_s=max((one.scan_s for one in each), default=0.0),
        scan_pause_s=max((one.scan_pause_s for one in each), default=0.0),
        rss_bytes=sum(one.rss_bytes for one in each),
        missed=_together(one.missed for one in each),
        refresh_s=max((one.refresh_s for one in each), default=0.0),
        budget_percent=sum(one.budget_percent for one in each),
        cost_percent=_sum(one.cost_percent for one in each),
        kernel_percent=_sum(one.kernel_percent for one in each),
        kernel_note=_together(one.kernel_note for one in each),
        spaced=frozenset().union(*(one.spaced for one in each)),
        behind_s=max((one.behind_s for one in each), default=0.0),
        netns=_alike(one.netns for one in each),
    )


def _sum(numbers: Iterable[float | None]) -> float | None:
    """The sum of the known numbers; None if none is known."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _alike(numbers: Iterable[int]) -> int:
    """The number that all have; 0 if they differ."""
    different = set(numbers)
    return different.pop() if len(different) == 1 else 0


def _together(words: Iterable[str]) -> str:
    """Join the texts, each once; empty texts are left out."""
    return "; ".join(dict.fromkeys(filter(None, words)))
