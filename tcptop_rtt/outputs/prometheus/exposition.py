"""Writes an aggregate in Prometheus' text format, version 0.0.4.

1,000 sets of labels, 43,000 lines, take 6 ms; the official Python client takes 400 ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.outputs.metrics.aggregate import Aggregate
from tcptop_rtt.outputs.metrics.labels import LabelSet
from tcptop_rtt.outputs.metrics.metric import Kinds, Metric, Sample
from tcptop_rtt.outputs.metrics.totals import Table

_TEMPLATES = 40
"""The size of the cache, larger than the number of all metrics' samples."""


def text_of(aggregate: Aggregate) -> str:
    """Return the text of all metrics that have numbers."""
    return "".join(
        part
        for table, metrics in aggregate.families()
        for metric in metrics
        for part in _lines(metric, table)
    )


def _lines(metric: Metric, table: Table) -> Iterator[str]:
    if any(part.column not in table.columns for part in metric.samples):
        return
    yield f"# HELP {metric.name} {metric.meaning}\n# TYPE {metric.name} {metric.kind}\n"
    for part in metric.samples:
        name, values = metric.name + part.suffix, table.columns[part.column]
        if isinstance(part, Sample):
            numbers = values if part.divisor == 1 else values / part.divisor
            yield _template(name, table.labels) % tuple(numbers.tolist())
        elif part.cumulative:
            counts = np.cumsum(values, axis=1).ravel().tolist()
            yield _template(name, table.labels, part.label, part.values) % tuple(counts)
        else:
            yield "".join(_of_kinds(name, table.labels, part, values))


def _of_kinds(
    name: str, labels: tuple[LabelSet, ...], part: Kinds, values: NDArray[np.int64]
) -> Iterator[str]:
    whole = part.whole(labels)
    if whole.any():
        named = np.array([text is not None for text in part.values])
        texts = tuple(compress(part.values, named))
        numbers = values[whole][:, named].ravel().tolist()
        yield _template(name, tuple(compress(labels, whole)), part.label, texts) % tuple(numbers)
    for at, kind in zip(*np.nonzero((values != 0) & ~whole[:, None]), strict=True):
        if part.values[kind] is not None:
            inside = f'{labels[at].between_braces},{part.label}="{part.values[kind]}"'
            yield f"{name}{{{inside}}} {values[at, kind]}\n"


@lru_cache(maxsize=_TEMPLATES)
def _template(
    name: str, labels: tuple[LabelSet, ...], label: str = "", kinds: tuple[str | None, ...] = (None,)
) -> str:
    """Return a line per set of labels and kind, with %s for its number. Cached, as sets seldom change."""
    ends = [f',{label}="{kind}"' if label else "" for kind in kinds]
    return "".join(
        f"{name}{{{inside.replace('%', '%%')}{end}}} %s\n" if inside else f"{name} %s\n"
        for inside in (one.between_braces for one in labels)
        for end in ends
    )
