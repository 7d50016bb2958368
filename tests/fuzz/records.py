"""What the BPF program hands over: records and entries to connections, and these to lines of the stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tcptop_rtt.model.outside import MOST_ID
from tcptop_rtt.model.records import ENTRY, RECORD, Kind
from tests.fuzz.stream import check_whole
from tests.unit.fake import connection, sample
from tests.unit.harness import Harness
from tests.unit.recorded import stream_of
from tests.unit.rows import filled

WORDS: tuple[str, ...] = ()
_READ, _SCAN, _LAST, _SHOW = range(4)
MOST_STEPS = 60


def _step(what: int, fields: Mapping[str, Any]) -> bytes:
    dtype = RECORD if what == _READ else ENTRY
    kind = Kind.SEGMENT if what == _READ else Kind.ENTRY
    return bytes([what]) + filled(dtype, {"kind": kind, "time_ns": 10**12, **fields}).tobytes()


def seeds() -> Iterable[bytes]:
    """Connections that open, are scanned, and end."""
    yield b"".join(
        [
            _step(_READ, connection(1, kind=Kind.OPEN)),
            _step(_READ, sample(1, 70)),
            _step(_SCAN, connection(1)),
            _step(_SCAN, connection(2, state=10)),
            bytes([_SHOW]),
            _step(_READ, connection(1, kind=Kind.RETRANS, retrans=3)),
            _step(_LAST, connection(1)),
            _step(_READ, connection(1, kind=Kind.CLOSE, state=7)),
            bytes([_SHOW, _SHOW]),
        ]
    )
    yield b"".join(_step(_READ, connection(number, kind=number, family=6)) for number in range(1, 9))


def check(data: bytes) -> None:
    """Whatever is in it, snapshots are whole, and there are lines of each."""
    it, at = Harness(), 0
    for _ in range(MOST_STEPS):
        if at >= len(data):
            break
        what, at = data[at] % 4, at + 1
        if what == _SHOW:
            it.wait(1)
            _show(it)
            continue
        dtype = RECORD if what == _READ else ENTRY
        body = data[at : at + dtype.itemsize]
        at += len(body)
        records = np.frombuffer(body.ljust(dtype.itemsize, b"\0"), dtype).copy()
        for name in ("id", "sock"):
            records[name][np.isin(records[name], (0, MOST_ID))] = 1  # the kernel numbers nothing so
        if what == _READ:
            it.connections.ingest(records)
        elif what == _LAST:
            it.connections.ingest_last(records)
        else:
            it.scan(records)
    it.wait(1)
    _show(it)


def _show(it: Harness) -> None:
    snapshot = it.snapshot()
    check_whole(snapshot)
    assert stream_of([snapshot]).isascii()
