"""Groups of connections, against what Python makes of one row after the other."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.model import known
from tcptop_rtt.model.known import RttBasis
from tcptop_rtt.model.rows import ROW, Holder
from tcptop_rtt.view import causes
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.group_fields import label
from tcptop_rtt.view.grouping import HOSTS, PROCESSES, SERVICES, Grouping, Groups, ids_of
from tcptop_rtt.view.shown import shown
from tests.unit.rows import columns_of, rows_of
from tests.unit.rows import row as connection

COUNT = 500


@pytest.fixture
def rows() -> np.ndarray:
    rng = np.random.default_rng(3)
    rows = np.zeros(COUNT, ROW)
    rows["id"] = np.arange(COUNT) + 1
    rows["family"] = rng.choice([4, 6], COUNT)
    rows["raddr"] = [bytes(10) + b"\xff\xff" + bytes([10, 0, 0, last]) for last in rng.integers(0, 9, COUNT)]
    rows["lport"], rows["rport"] = rng.choice([22, 443, 50_001], COUNT), rng.choice([80, 443, 50_002], COUNT)
    rows["direction"] = rng.integers(0, 3, COUNT)
    rows["pid"], rows["started_ns"] = rng.integers(0, 4, COUNT), rng.integers(0, 2, COUNT)
    rows["comm"] = rng.choice([b"", b"nginx", b"app"], COUNT)
    rows["closed"], rows["stalled"] = rng.random(COUNT) < 0.1, rng.random(COUNT) < 0.1
    rows["scanned"] = True
    rows["srtt_us"], rows["min_rtt_us"] = rng.integers(0, 300_000, COUNT), 200_000
    rows["rtt_age_ms"], rows["bytes_acked"] = rng.choice([5, 50_000], COUNT), 9000
    rows["retrans_1m"], rows["window_ms"] = rng.integers(0, 9, COUNT), rng.choice([0, 30_000], COUNT)
    rows["data_segs_out_1m"] = 100
    rows["in_bps"], rows["out_bps"] = rng.random(COUNT) * 1e6, rng.random(COUNT) * 1e6
    return rows


def _shared(grouping: Grouping, row: np.void) -> tuple[object, ...]:
    if grouping is HOSTS:
        return int(row["family"]), row["raddr"].tobytes()
    if grouping is PROCESSES:
        return bytes(row["comm"]), int(row["pid"]), int(row["started_ns"])
    ours = row["direction"] == 2 or (row["direction"] == 0 and 0 < row["lport"] <= row["rport"])
    return (True, int(row["lport"]), bytes(row["comm"])) if ours else (False, int(row["rport"]))


def _rank(values: list[int], share: float) -> int:
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else 0


@pytest.mark.parametrize("grouping", [HOSTS, SERVICES, PROCESSES], ids=lambda grouping: grouping.name)
def test_each_group_sums_up_its_connections(rows: np.ndarray, grouping: Grouping) -> None:
    get = columns_of(rows).__getitem__
    verdicts = causes.verdicts(get)
    groups = Groups(grouping, get, verdicts)
    expected = defaultdict(list)
    for at, row in enumerate(rows):
        expected[_shared(grouping, row)].append(at)
    members = [groups.members.of(at).tolist() for at in range(len(groups.rows))]
    assert sorted(members) == sorted(expected.values())
    ids = ids_of(grouping, get)
    for group, inside in zip(groups.rows, members, strict=True):
        assert {int(ids[at]) for at in inside} == {int(group["id"])}
        is_open = [row for row in shown(rows[inside]) if not row.closed]
        assert group["count"] == len(is_open)
        assert group["stalled"] == sum(row.stalled for row in is_open)
        fresh = [
            known.rtt(row.row).us
            for row in shown(rows[inside])
            if not row.stalled and known.rtt(row.row).basis == RttBasis.FRESH
        ]
        for name, share in (("p50_us", 0.5), ("p95_us", 0.95), ("worst_us", 1)):
            assert group[name] == _rank(fresh, share), name
        rate = sum(1000 * (row.retrans_1m or 0) / row.window_ms for row in is_open if row.window_ms)
        assert group["retrans_per_s"] == pytest.approx(rate)
        assert group["in_bps"] == pytest.approx(sum(row.in_bps for row in shown(rows[inside])))
        assert group["verdict"] == min((verdicts[at] for at in inside if verdicts[at]), default=0)


def test_a_port_that_is_unknown_is_no_servers() -> None:
    rows = rows_of(
        connection(1, lport=0, rport=443), connection(2, lport=0, rport=443, direction=2, comm=b"server")
    )
    groups = Groups(SERVICES, rows.__getitem__, causes.verdicts(rows.__getitem__))
    assert {label(SERVICES, group, UNICODE) for group in groups.rows} == {"→ :443", "server :?"}


def test_nothing_makes_no_group() -> None:
    get = columns_of(np.zeros(0, ROW)).__getitem__
    for grouping in (HOSTS, SERVICES, PROCESSES):
        assert len(Groups(grouping, get, np.zeros(0, np.uint8)).rows) == 0


def test_each_link_has_hosts_of_its_own_by_the_same_link_local_addresses() -> None:
    six, links = {"family": 6}, [(2, b"eth0"), (3, b"eth1"), (4, b""), (2, b"eth0")]
    rows = rows_of(
        *(
            connection(at, **six, raddr="fe80::1", ifindex=link, interface=name)
            for at, (link, name) in enumerate(links)
        ),
        connection(8, **six, raddr="2001:db8::1"),
        connection(9, **six, raddr="2001:db8::1", ifindex=2, interface=b"eth0"),
    )
    groups = Groups(HOSTS, rows.__getitem__, causes.verdicts(rows.__getitem__))
    found = {label(HOSTS, group, UNICODE): int(group["count"]) for group in groups.rows}
    assert found == {"fe80::1%eth0": 2, "fe80::1%eth1": 1, "fe80::1%4": 1, "2001:db8::1": 2}


def test_processes_are_named_with_their_host_and_sockets_without_a_process_by_their_holder() -> None:
    known_of: dict[str, Any] = {"comm": b"nginx", "pid": 77, "holder": Holder.PROCESS}
    waits = known_of | {"holder": Holder.LISTENER}
    nobody = [{"comm": b"", "pid": 0, "holder": holder} for holder in (0, Holder.NOBODY, Holder.KERNEL)]
    several = [{**known_of, "host": host} for host in (b"web1", b"web2")]
    for fields, expected in (
        ([known_of, waits, *nobody], {"nginx 77": 2, "?": 1, "-": 1, "[kernel]": 1}),
        (several, {"web1: nginx 77": 1, "web2: nginx 77": 1}),
    ):
        rows = rows_of(*(connection(at, **some) for at, some in enumerate(fields, 1)))
        groups = Groups(PROCESSES, rows.__getitem__, causes.verdicts(rows.__getitem__))
        found = {label(PROCESSES, group, UNICODE): int(group["count"]) for group in groups.rows}
        assert found == expected
