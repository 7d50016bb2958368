"""Sort."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.model.hosts import LONGEST_BYTES, number_of
from tcptop_rtt.model.rows import ROW, Rows
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.group_fields import TABLES
from tcptop_rtt.view.grouping import GROUP, HOSTS
from tcptop_rtt.view.ranking import Ranking
from tests.unit.rows import columns_of, row, rows_of


def ids(rows: Rows, key: str, descending: bool = False) -> list[int]:
    ranking = Ranking(rows, np.arange(len(rows)), CONNECTIONS.sorts[key], descending)
    return [int(id_) for id_ in rows["id"][ranking.window(0, len(rows))]]


def test_descending_and_ties_by_id() -> None:
    rows = rows_of(row(5, srtt_us=10), row(3, srtt_us=20), row(4, srtt_us=20), row(1, srtt_us=10))
    assert ids(rows, "rtt") == [1, 5, 3, 4]
    assert ids(rows, "rtt", descending=True) == [3, 4, 1, 5]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    ("key", "unknown"),
    [
        ("rtt", {"srtt_us": 0}),
        ("jitter", {"srtt_us": 0, "rttvar_us": 250_000}),
        ("min_rtt", {"min_rtt_us": 0}),
        ("pid", {"pid": 0}),
        ("process", {"comm": b""}),
        ("state", {"state": 0}),
    ],
)
def test_unknown_comes_last_both_ways(key: str, unknown: dict[str, object], descending: bool) -> None:
    rows = rows_of(row(1, **unknown), row(2), row(3), row(4, **unknown))
    assert ids(rows, key, descending)[-2:] == [1, 4]


@pytest.mark.parametrize("descending", [False, True])
def test_the_mean_sorts_by_the_quotient_and_is_unknown_without_a_sample(descending: bool) -> None:
    slow, fast = {"rtt_samples": 2, "rtt_sum_us": 900}, {"rtt_samples": 10, "rtt_sum_us": 1000}
    rows = rows_of(row(1, rtt_samples=0, rtt_sum_us=9000), row(2, **fast), row(3, **slow))
    assert ids(rows, "mean", descending) == ([3, 2, 1] if descending else [2, 3, 1])


def test_what_this_kernel_lacks_is_no_number_to_sort_by() -> None:
    rows = rows_of(row(1, rttvar_us=9), row(2, rttvar_us=7))
    ranking = Ranking(rows, np.arange(2), CONNECTIONS.sorts["jitter"], True, frozenset({"rttvar_us"}))
    assert ranking.window(0, 2).tolist() == [0, 1]
    assert Ranking(rows, np.arange(2), CONNECTIONS.sorts["jitter"], False).window(0, 2).tolist() == [1, 0]


def test_process_ignores_case() -> None:
    rows = rows_of(row(1, comm=b"b"), row(2, comm=b"A"), row(3, comm=b"C"), row(4, comm=b"ab"))
    assert ids(rows, "process") == [2, 4, 1, 3]
    assert ids(rows, "process", descending=True) == [3, 1, 4, 2]


def test_addresses_sort_as_numbers() -> None:
    rows = rows_of(
        row(1, raddr="10.0.0.10"),
        row(2, raddr="10.0.0.9", rport=99),
        row(3, raddr="10.0.0.9", rport=80),
        row(4, family=6, raddr="2001:db8::1"),
        row(5, raddr="200.0.0.1"),
    )
    assert ids(rows, "remote") == [3, 2, 1, 5, 4]
    assert ids(rows, "remote", descending=True) == [4, 5, 1, 2, 3]


def test_a_stalled_connection_is_the_slowest() -> None:
    rows = rows_of(row(1, srtt_us=5, stalled=True), row(2, srtt_us=10**9), row(3, srtt_us=0, stalled=True))
    assert ids(rows, "rtt", descending=True) == [1, 3, 2]


@pytest.mark.parametrize("descending", [True, False])
def test_what_is_not_measured_now_sorts_below_what_is(descending: bool) -> None:
    rows = rows_of(
        row(1, srtt_us=320_000, bytes_acked=1),  # of the handshake
        row(2, srtt_us=10),
        row(3, srtt_us=500_000, rtt_age_ms=10_001),
        row(4, srtt_us=20),
        row(5, srtt_us=900_000, bytes_acked=0, rcv_rtt_us=48_000),
        row(6, srtt_us=0),
        row(7, srtt_us=900_000, bytes_acked=1, stalled=True),
    )
    order = [7, 4, 2, 3, 1, 5, 6] if descending else [2, 4, 7, 5, 1, 3, 6]
    assert ids(rows, "rtt", descending) == order


def test_only_the_given_indices_are_ordered() -> None:
    rows = rows_of(row(1), row(2), row(3), row(4))
    ranking = Ranking(rows, np.array([0, 2, 3]), CONNECTIONS.sorts["rtt"], True)
    assert ranking.window(0, 9).tolist() == [3, 2, 0]
    assert [ranking.rank(index) for index in range(4)] == [2, None, 1, 0]


@pytest.mark.parametrize("key", CONNECTIONS.sorts)
def test_every_key_takes_nothing_and_extremes(key: str) -> None:
    nothing = rows_of()
    assert (
        Ranking(nothing, select(nothing, Filter("x")), CONNECTIONS.sorts[key], True).window(0, 9).tolist()
        == []
    )
    raw = np.frombuffer(bytes([255]) * ROW.itemsize * 3, ROW).copy()
    raw["id"] = [3, 1, 2]
    raw["stalled"] = raw["closed"] = False
    raw["host"] = number_of(b"\xff" * LONGEST_BYTES)
    rows = columns_of(raw)
    assert ids(rows, key) == [1, 2, 3]
    assert ids(rows, key, descending=True) == [1, 2, 3]


def test_hosts_are_ordered_by_their_whole_names() -> None:
    long = b"web-frontend-production-eu-central-1a-kubernetes-node-000"
    hosts = [long + b"2", b"web2", long + b"1", b"", b"db"]
    rows = rows_of(*(row(1 + at, host=host) for at, host in enumerate(hosts)))
    assert ids(rows, "host") == [5, 3, 1, 2, 4]
    assert ids(rows, "host", descending=True) == [2, 1, 3, 5, 4]


def test_random_orders_agree_with_python() -> None:
    rng = np.random.default_rng(7)
    rows = np.zeros(500, ROW)
    rows["id"] = rng.permutation(500) + 1
    rows["srtt_us"] = rng.integers(0, 40, 500)
    items = list(zip(rows["srtt_us"].tolist(), rows["id"].tolist(), strict=True))
    rising = sorted(items, key=lambda item: (item[0] == 0, item[0], item[1]))
    falling = sorted(items, key=lambda item: (item[0] == 0, -item[0], item[1]))
    assert ids(columns_of(rows), "rtt") == [id_ for _, id_ in rising]
    assert ids(columns_of(rows), "rtt", descending=True) == [id_ for _, id_ in falling]


@pytest.mark.parametrize("key", CONNECTIONS.sorts)
@pytest.mark.parametrize("descending", [False, True])
def test_a_window_is_a_part_of_the_whole_order(key: str, descending: bool) -> None:
    rng = np.random.default_rng(3)
    count = 20_000
    rows = np.zeros(count, ROW)
    for name in ("srtt_us", "rttvar_us", "min_rtt_us", "retrans", "pid", "lport", "rport", "state", "family"):
        rows[name] = rng.integers(0, 11, count)
    for name in ("in_bps", "out_bps"):
        rows[name] = rng.exponential(1e6, count).round(-5)
    rows["age_ns"] = rng.integers(0, 10**15, count)
    rows["comm"] = rng.choice([b"", b"a", b"Bb", b"long-process-nam"], count)
    rows["id"] = rng.permutation(count) + 1
    indices = np.flatnonzero(rng.random(count) < 0.7)
    whole = (
        Ranking(columns_of(rows), indices, CONNECTIONS.sorts[key], descending)
        .window(0, len(indices))
        .tolist()
    )
    assert sorted(whole) == indices.tolist()
    ranking = Ranking(columns_of(rows), indices, CONNECTIONS.sorts[key], descending)
    for start, stop in ((0, 48), (7000, 7048), (20, 30), (len(whole) - 10, len(whole) + 38), (30, 30)):
        assert ranking.window(start, stop).tolist() == whole[start:stop]
    for place in (0, 1, 6999, len(whole) - 1):
        assert ranking.rank(whole[place]) == place


def test_rates_and_ages_are_told_apart() -> None:
    rates = [0, 1, 1.5, 999, 1000, 1e6, 1e9, 4e11]
    rows = rows_of(*(row(9 - number, in_bps=rate) for number, rate in enumerate(rates)))
    assert ids(rows, "in") == [9, 8, 7, 6, 5, 4, 3, 2]
    second = 10**9
    ages = [0, second, 2 * second, 3600 * second, 86400 * second, 10 * 365 * 86400 * second]
    rows = rows_of(*(row(9 - number, age_ns=age) for number, age in enumerate(ages)))
    assert ids(rows, "age") == [9, 8, 7, 6, 5, 4]


def test_groups_of_one_verdict_or_none_go_by_their_size_and_those_that_have_ended_are_last() -> None:
    groups = np.zeros(5, GROUP)
    groups["id"], groups["verdict"], groups["count"] = range(1, 6), [0, 0, 3, 3, 2], [0, 5, 1, 9, 1]
    found = Ranking(groups, np.arange(5), TABLES[HOSTS].sorts["why"], True).window(0, 5)
    assert groups["id"][found].tolist() == [5, 4, 3, 2, 1]
