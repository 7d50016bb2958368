"""Connects that fail, counted by where they go."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest

from tcptop_rtt.model.records import RECORD, Direction, Kind, Records
from tcptop_rtt.model.rows import CONNECT_ERRORS
from tcptop_rtt.tracking.connections import CLOSED_KEPT
from tcptop_rtt.tracking.targets import MOST, QUIET_NS
from tcptop_rtt.view.filter import Filter, listed, select
from tests.unit.harness import Harness
from tests.unit.rows import address, filled

Given = Mapping[str, int | bytes]
_ids = iter(range(1, 1 << 30))


def _records(now_ns: int, *given: Given) -> Records:
    common = {"family": 4, "time_ns": now_ns, "opened_ns": now_ns}
    made = filled(RECORD, *({**common, **fields} for fields in given))
    made["pid"] = made["tgid"]
    return made


def _connect(error: int, raddr: str = "198.51.100.1", **fields: int | bytes) -> list[Given]:
    """A connect that fails by this error, as the kernel side tells of it."""
    connection = next(_ids)
    common: dict[str, int | bytes] = {
        "id": connection, "sock": 64 * connection, "direction": Direction.OUT, "open_seen": 1, "rport": 443,
        "raddr": address(raddr), "netns": 7, "comm": b"curl", "tgid": 5, **fields,
    }  # fmt: skip
    end = {name: value for name, value in common.items() if name not in ("comm", "tgid")}  # in a softirq
    return [common | {"kind": Kind.OPEN, "state": 2}, end | {"kind": Kind.CLOSE, "state": 7, "error": error}]


def _ingest(harness: Harness, *connects: list[Given]) -> None:
    harness.connections.ingest(_records(harness.now_ns, *(record for one in connects for record in one)))


def test_many_connects_to_many_targets_are_counted_each_at_its_own(harness: Harness) -> None:
    random = np.random.default_rng(5)
    expected: Counter[tuple[bytes, int, int, bytes]] = Counter()
    for _ in range(4):
        connects = []
        for _ in range(500):
            raddr, rport, netns = (
                f"198.51.100.{random.integers(1, 9)}",
                int(random.integers(1, 5)),
                int(random.integers(1, 3)),
            )
            comm = (b"curl", b"wget")[random.integers(0, 2)]
            expected[address(raddr), rport, netns, comm] += 1
            connects.append(_connect(errno.ECONNREFUSED, raddr, rport=rport, netns=netns, comm=comm))
        _ingest(harness, *connects)
        harness.wait(1)
    targets = harness.snapshot().targets
    found = {
        (one["raddr"].tobytes(), int(one["rport"]), int(one["netns"]), bytes(one["comm"])): int(one["count"])
        for one in targets
    }
    assert found == expected
    assert (targets["refused"] == targets["count"]).all()
    assert len(np.unique(targets["id"])) == len(expected) > 100
    assert not targets.flags.writeable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ETIMEDOUT, "timed-out"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ENETUNREACH, "unreachable"),
        (0, "given-up"),
        (errno.EADDRNOTAVAIL, "no-port"),
        (errno.EPROTO, "other"),
    ],
)
def test_a_failure_is_told_by_the_socket_s_error(harness: Harness, error: int, kind: str) -> None:
    _ingest(harness, _connect(errno.ECONNREFUSED), _connect(error))
    harness.wait(2)
    snapshot = harness.snapshot()
    (target,) = snapshot.targets
    assert CONNECT_ERRORS[target["connect_error"]] == kind
    assert target["count"] == 2
    assert target[kind.replace("-", "_")] == 1 + (kind == "refused")
    assert target["latest_ms"] == 2000
    assert target["pid"] == 5
    assert CONNECT_ERRORS[snapshot.rows["connect_error"][1]] == kind


def test_what_has_been_a_connection_has_not_failed(harness: Harness) -> None:
    for fields in ({"bytes_acked": 1}, {"direction": Direction.IN}, {"direction": Direction.UNKNOWN}):
        _ingest(harness, _connect(errno.ECONNREFUSED, **fields))
    snapshot = harness.snapshot()
    assert len(snapshot.targets) == 0
    assert snapshot.rows["connect_error"].tolist() == [0, 0, 0]


def test_those_that_have_failed_are_in_one_snapshot_and_in_no_table(harness: Harness) -> None:
    _ingest(harness, *(_connect(errno.ECONNREFUSED) for _ in range(3)), _connect(0, bytes_acked=1))
    rows = harness.snapshot().rows
    assert rows["closed"].tolist() == [True] * 4
    assert len(select(rows, Filter())) == 4
    assert listed(rows, Filter()).tolist() == [3]
    assert harness.snapshot().rows["connect_error"].tolist() == [0]
    assert not harness.connections.snapshot_is_urgent
    _ingest(harness, *(_connect(errno.ECONNREFUSED) for _ in range(CLOSED_KEPT + 1)))
    assert harness.connections.snapshot_is_urgent


def test_the_rate_is_right_from_the_beginning_and_ends_with_the_failures(harness: Harness) -> None:
    harness.snapshot()
    for _ in range(3):
        harness.wait(0.5)
        _ingest(harness, *(_connect(errno.ECONNREFUSED) for _ in range(20)))
        assert harness.snapshot().targets["per_s"][0] == pytest.approx(40)
    harness.wait(0.5)
    assert 20 < harness.snapshot().targets["per_s"][0] < 40
    harness.wait(QUIET_NS / 1e9)
    (quiet,) = harness.snapshot().targets
    assert (quiet["per_s"], quiet["count"]) == (0, 60)
    harness.wait(1)
    _ingest(harness, _connect(errno.ECONNREFUSED))
    assert harness.snapshot().targets["per_s"][0] == pytest.approx(1)


def test_no_more_targets_are_kept_than_there_is_room_for(harness: Harness) -> None:
    old = [_connect(errno.ECONNREFUSED, rport=port) for port in range(1, 101)]
    _ingest(harness, *old)
    harness.wait(1)
    _ingest(harness, *(_connect(errno.ECONNREFUSED, rport=port) for port in range(51, MOST + 51)))
    targets = harness.snapshot().targets
    assert set(targets["rport"].tolist()) == set(range(51, MOST + 51))
    assert set(targets["count"][targets["rport"] <= 100].tolist()) == {2}
