"""Listeners from scan to scan."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tcptop_rtt.model.records import ENTRY, Kind, Records
from tcptop_rtt.model.rows import LISTEN
from tcptop_rtt.model.snapshot import ProcessKey
from tcptop_rtt.tracking.listener_store import UNHELD_KEPT_NS, ListenerStore
from tcptop_rtt.tracking.scan import ScanCollector
from tests.unit.rows import filled

S = 1_000_000_000
Given = Mapping[str, int | bytes]


def _entries(now_ns: int, given: tuple[Given, ...]) -> Records:
    common: dict[str, Any] = {
        "kind": Kind.ENTRY,
        "state": LISTEN,
        "sock": 1,
        "lport": 80,
        "netns": 7,
        "tgid": 5,
    }
    common |= {"time_ns": now_ns, "laddr": "192.0.2.1"}
    entries = filled(ENTRY, *({**common, **fields} for fields in given))
    entries["pid"] = entries["tgid"]
    return entries


class Scans:
    """A store, and what scans bring."""

    def __init__(self) -> None:
        self.store = ListenerStore()

    def take(self, now_s: float, *given: Given) -> NDArray[np.void]:
        now_ns = int(now_s * S)
        collector = ScanCollector()
        collector.take_others(_entries(now_ns, given))
        self.store.apply(collector.complete().listeners, now_ns)
        return self.store.freeze(now_ns)


@pytest.fixture
def scans() -> Scans:
    return Scans()


def test_a_listener_keeps_its_id_and_tells_what_it_drops_per_second(scans: Scans) -> None:
    (first,) = scans.take(1, {"queue": 3, "queue_limit": 2, "drops": 100})
    assert (first["queue"], first["queue_limit"], first["drops"]) == (3, 2, 100)
    assert np.isnan(first["drops_per_s"])
    (second,) = scans.take(3, {"queue": 1, "drops": 130})
    assert second["id"] == first["id"]
    assert second["queue"] == 1
    assert second["drops_per_s"] == 15
    later = [float(scans.take(at, {"drops": 130})[0]["drops_per_s"]) for at in range(5, 41, 2)]
    assert later == sorted(later, reverse=True)
    assert later[-1] == 0 < later[0] < 15


def test_values_say_how_old_they_are(scans: Scans) -> None:
    scans.take(1, {})
    frozen = scans.store.freeze(int(3.5 * S))
    assert frozen["read_ms"].tolist() == [2500]
    assert not frozen.flags.writeable


def test_another_one_in_the_same_memory_is_another_one(scans: Scans) -> None:
    ids = [
        int(scans.take(at, given)[0]["id"])
        for at, given in enumerate(({"drops": 9}, {"drops": 2}, {"lport": 81}))
    ]
    assert len(set(ids)) == 3
    (only,) = scans.take(5, {"lport": 81})
    assert only["id"] == ids[-1]


def test_of_several_processes_it_is_the_oldest(scans: Scans) -> None:
    ours: dict[str, int | bytes] = {"tgid": 9, "comm": b"a", "started_ns": 100}
    (row,) = scans.take(1, {"tgid": 5, "comm": b"b", "started_ns": 200}, ours, {"tgid": 0})
    assert (row["pid"], row["comm"]) == (9, b"a")
    assert len(scans.take(2, ours, ours | {"sock": 2})) == 2  # each has a queue of its own


def test_one_without_a_descriptor_stays_until_a_scan_of_its_namespace_does_not_meet_it(scans: Scans) -> None:
    unheld, held = {"tgid": 0, "sock": 2}, {"sock": 3}
    assert len(scans.take(1, held, held | {"tgid": 0}, unheld)) == 2
    assert len(scans.take(3, held)) == 2  # only descriptors were looked at
    assert len(scans.take(4, held, {"tgid": 0, "netns": 8, "sock": 4})) == 3
    assert len(scans.take(5, held, held | {"tgid": 0})) == 2
    assert len(scans.take(5 + UNHELD_KEPT_NS / S, held)) == 1
    assert len(scans.take(6 + UNHELD_KEPT_NS / S)) == 0


def test_what_runs_a_process_is_looked_up_once_after_each_scan(scans: Scans) -> None:
    asked: list[int] = []

    def look_up(process: ProcessKey) -> bytes:
        asked.append(process.pid)
        return b"unit of %d" % process.pid

    given = ({"tgid": 5}, {"tgid": 6, "sock": 2}, {"tgid": 0, "sock": 3})
    for at in (1, 2):
        scans.take(at, *given)
        scans.store.name_units(look_up)
        scans.store.name_units(look_up)
    assert scans.store.freeze(S)["unit"].tolist() == [b"unit of 5", b"unit of 6", b""]
    scans.take(3, {"tgid": 9}, *given[1:])
    scans.store.name_units(look_up)
    assert asked == [5, 6, 5, 6, 9, 6]


def test_a_unit_that_cannot_be_read_for_a_moment_is_read_later(scans: Scans) -> None:
    def no_descriptor(_: ProcessKey) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    scans.take(1, {"tgid": 5})
    scans.store.name_units(no_descriptor)
    scans.store.name_units(lambda _: b"web.service")
    assert scans.store.freeze(S)["unit"].tolist() == [b"web.service"]
