"""Filter and sort."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.query import SORT_KEYS, Filter, order, select
from tcptop_rtt.snapshot import ROW, UNKNOWN_U32, Rows
from tests.unit.rows import row, rows_of


def found(rows: Rows, **wanted: object) -> list[int]:
    picked = select(rows, Filter(**wanted))  # type: ignore[arg-type]
    return [int(id_) for id_ in rows["id"][picked]]


def ids(rows: Rows, key: str, descending: bool = False) -> list[int]:
    return [int(id_) for id_ in rows["id"][order(rows, np.arange(len(rows)), key, descending)]]


MIXED = rows_of(
    row(1, comm=b"nginx", pid=10, rport=443),
    row(2, comm=b"SSHD", pid=22, lport=22, rport=50000, state=8),
    row(3, comm=b"curl", pid=10, family=6, laddr="2001:db8::1", raddr="fe80::abcd", rport=443, stalled=True),
    row(4, comm=b"", pid=0, closed=True),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [1, 2, 3, 4]),
        ("ssh", [2]),
        ("SSH", [2]),
        ("NGINX :443", [1]),
        (":443", [1, 3, 4]),
        ("[fe80::ABCD]:443", [3]),
        ("198.51.100.2:50000", [2]),
        ("close-wait", [2]),
        ("stalled", [3]),
        ("closed", [4]),
        ("443 curl", [3]),
        ("nginx curl", []),
        ("1192", []),
        ("  ", [1, 2, 3, 4]),
    ],
)
def test_words(text: str, expected: list[int]) -> None:
    assert found(MIXED, text=text) == expected


def test_fields_and_words_are_anded() -> None:
    assert found(MIXED, pid=10) == [1, 3]
    assert found(MIXED, family=6) == [3]
    assert found(MIXED, lport=22) == [2]
    assert found(MIXED, rport=443, family=4) == [1, 4]
    assert found(MIXED, rport=443, text="curl") == [3]
    assert found(MIXED, pid=0) == [4]


def test_a_word_never_matches_across_two_parts() -> None:
    rows = rows_of(row(1, comm=b"web", pid=12), row(2, comm=b"web1", pid=2))
    assert found(rows, text="web12") == []


def test_pid_zero_is_not_text() -> None:
    rows = rows_of(row(1, comm=b"x", pid=0, lport=5, rport=5, laddr="1.1.1.1", raddr="1.1.1.1"))
    assert found(rows, text="0") == []


def test_a_hostile_name_is_found_as_it_is_shown() -> None:
    rows = rows_of(row(1, comm=b"[/red]$(x)\x1b[31m"))
    assert found(rows, text="[/red]$(x)\ufffd[31m") == [1]


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
        ("min_rtt", {"min_rtt_us": UNKNOWN_U32}),
        ("pid", {"pid": 0}),
        ("process", {"comm": b""}),
        ("in", {"in_bps": np.nan}),
        ("out", {"out_bps": np.nan}),
        ("state", {"state": 0}),
    ],
)
def test_unknown_comes_last_both_ways(key: str, unknown: dict[str, object], descending: bool) -> None:
    rows = rows_of(row(1, **unknown), row(2), row(3), row(4, **unknown))
    assert ids(rows, key, descending)[-2:] == [1, 4]


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
    closed = rows_of(row(1, srtt_us=5, stalled=True, closed=True), row(2, srtt_us=10))
    assert ids(closed, "rtt", descending=True) == [2, 1]


def test_only_the_given_indices_are_ordered() -> None:
    rows = rows_of(row(1), row(2), row(3), row(4))
    assert order(rows, np.array([3, 0, 2]), "rtt", True).tolist() == [3, 2, 0]


@pytest.mark.parametrize("key", SORT_KEYS)
def test_every_key_takes_nothing_and_extremes(key: str) -> None:
    nothing = np.zeros(0, ROW)
    assert order(nothing, select(nothing, Filter("x")), key, True).tolist() == []
    raw = np.frombuffer(bytes([255]) * ROW.itemsize * 3, ROW).copy()
    raw["id"] = [3, 1, 2]
    raw["stalled"] = raw["closed"] = False
    assert ids(raw, key) == [1, 2, 3]
    assert ids(raw, key, descending=True) == [1, 2, 3]


def test_random_orders_agree_with_python() -> None:
    rng = np.random.default_rng(7)
    rows = np.zeros(500, ROW)
    rows["id"] = rng.permutation(500) + 1
    rows["srtt_us"] = rng.integers(0, 40, 500)
    items = list(zip(rows["srtt_us"].tolist(), rows["id"].tolist(), strict=True))
    rising = sorted(items, key=lambda item: (item[0] == 0, item[0], item[1]))
    falling = sorted(items, key=lambda item: (item[0] == 0, -item[0], item[1]))
    assert ids(rows, "rtt") == [id_ for _, id_ in rising]
    assert ids(rows, "rtt", descending=True) == [id_ for _, id_ in falling]
