"""What a Prometheus server answers: a body to rows and sparklines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from email.message import Message

import numpy as np

from tcptop_rtt.feeds.fleet.client import Client, FleetError
from tcptop_rtt.feeds.fleet.rows import Rows, samples_of, sparklines
from tcptop_rtt.model.question import LABELS, Question
from tcptop_rtt.model.snapshot import SPARK_CELLS
from tcptop_rtt.view import format as fmt
from tcptop_rtt.web.client import Answer
from tests.escapes import check_text
from tests.unit.answering import sample

_FIELDS = ("connections", "p99_us", "in_bps", "failed_per_s", "held_up", "full_queues", "hosts", "scrapes")
_NAMES = ("instance", "process", "service", "direction", "remote_network", "why", "reason")
WORDS = (
    *(f'"field":"{field}"' for field in _FIELDS),
    *(f'"{name}":"x"' for name in _NAMES),
    *('"warnings":["x"]', '"isPartial":true'),
    *('"metric":{}', '"value":[1,"2"]', '"values":[[1,"2"]]', '"resultType":"vector"', '"status":"error"'),
    *("NaN", "+Inf", "-Inf", "1e308"),
)


class _Answered(Client):
    """A client to which a server has given this body."""

    def __init__(self, body: bytes) -> None:
        super().__init__("http://server.test")
        self._body = body

    def _post(self, path: str, parameters: dict[str, str]) -> Answer:  # noqa: ARG002
        return Answer(200, Message(), self._body)


def _body(kind: str, *series: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": series}}).encode()


def seeds() -> Iterable[bytes]:
    """A vector with all there is, a matrix, an answer of which a part is missing, and a refusal."""
    labels = dict.fromkeys(_NAMES, "loss")
    samples = [sample(number) for number in range(len(_FIELDS))]
    yield _body(
        "vector",
        *(one | {"metric": {**labels, "field": field}} for one, field in zip(samples, _FIELDS, strict=True)),
    )
    values = [[1000.0 + 12 * at, str(at)] for at in range(SPARK_CELLS)]
    yield _body("matrix", {"metric": {"instance": "a"}, "values": values})
    partial = {"status": "success", "data": {"resultType": "vector", "result": []}}
    yield json.dumps(partial | {"warnings": ["away \x1b[31m"], "isPartial": True}).encode()
    yield json.dumps({"status": "error", "error": "bad \x1b[31m"}).encode()


def check(data: bytes) -> None:
    """Nothing but FleetError comes out, names are text, and numbers are some or not known."""
    client = _Answered(data)
    for table in LABELS:
        question = Question(table)
        try:
            found = client.vector("up")
        except FleetError as error:
            check_text(error)
            break
        check_text(found.partial)
        rows = Rows(question, found.series)
        list(samples_of(found.series))
        _check_rows(rows)
    try:
        found = client.matrix("up", 0, 300, 12)
    except FleetError as error:
        check_text(error)
        return
    history_us = sparklines(Question(), [("a",), ("",)], found.series, 1276.0, 12.0)
    assert history_us.shape == (SPARK_CELLS, 2)
    assert not np.isinf(history_us).any()


def _check_rows(rows: Rows) -> None:
    groups = rows.groups
    assert len(groups) == len(rows.labels)
    for name in ("name", "why"):
        check_text(*map(fmt.printable, groups[name].tolist()))
    for name in groups.dtype.names or ():
        if groups[name].dtype.kind == "f":
            assert not np.isinf(groups[name]).any(), name
            assert not (groups[name] < 0).any(), name
    assert 0 <= rows.time_s * 1e9 < 2**63
