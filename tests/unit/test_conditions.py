"""Conditions on connections, and the gate that watches them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tcptop_rtt.model.snapshot import Health, Snapshot
from tcptop_rtt.outputs.gate import HELD, Gate
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view.conditions import parse
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.query import QueryError
from tests.unit.rows import row, rows_of

_NONE: frozenset[str] = frozenset()


def _talking(id_: int, srtt_us: int, **fields: Any) -> dict[str, Any]:
    return row(id_, srtt_us=srtt_us, rtt_age_ms=100, bytes_acked=9000, rport=5432, **fields)


_ROWS = [_talking(number, 1000 * number, in_bps=1e6, out_bps=5e5) for number in range(1, 11)]
_OTHERS = [
    _talking(11, 99_000_000, closed=True, in_bps=1e9),
    _talking(12, 99_000_000, stalled=True),
    row(13, srtt_us=99_000_000, rtt_age_ms=60_000, rport=5432),  # not of now
    row(14, srtt_us=99_000_000, rtt_age_ms=100, rport=443),
]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("p50(rport:5432)>1ms", 5000),
        ("p95(rport:5432)>1ms", 10_000),
        ("P99( rport:5432 )>1ms", 10_000),
        ("max(rport:5432 rtt<4ms)>1ms", 3000),
        ("mean(rport:5432)>1ms", 5500),
        ("mean((rport:5432 or :80) !rtt>2ms)>1ms", 1500),
        ("count(rport:5432)>1", 12),
        ('count("no ) such")>1', 0),
        ("count()>1", 13),
        ("rate(rport:5432)>1M", 15e6),
        ("rate(rport:80)>1M", 0),
        ("p50(rport:80)>1ms", None),
        ("p50(rtt>99s)>1ms", None),
    ],
)
def test_an_aggregate_is_of_what_matches_and_is_known_now(text: str, value: float | None) -> None:
    assert parse(text).measure(rows_of(*_ROWS, *_OTHERS), Filter(), _NONE).value == value


def test_retransmits_count_per_second_of_the_last_minute() -> None:
    lossy = {"window_ms": 20_000, "retrans_1m": 40}
    rows = rows_of(row(1, **lossy), row(2, **lossy), row(3, window_ms=0, retrans_1m=9))
    measured = parse("retr()>=4/s").measure(rows, Filter(), _NONE)
    assert (measured.value, measured.holds, measured.known, len(measured.indices)) == (4.0, True, 2, 3)
    assert parse("retr(proc:proc3)<1/s").measure(rows, Filter(), _NONE)[:2] == (None, False)


@pytest.mark.parametrize(
    ("sign", "holds"), [(">", False), (">=", True), ("<", False), ("<=", True), ("=", True), ("!=", False)]
)
def test_it_compares_as_the_filter_does(sign: str, holds: bool) -> None:
    assert parse(f"max(){sign}7ms").measure(rows_of(_talking(1, 7000)), Filter(), _NONE).holds is holds


@pytest.mark.parametrize("sign", [">", "<", "!=", "<="])
def test_what_is_unknown_holds_for_no_comparison(sign: str) -> None:
    assert not parse(f"p99(){sign}7ms").measure(rows_of(), Filter(), _NONE).holds


def test_those_that_add_most_come_first_and_what_else_is_asked_for_counts() -> None:
    rows = rows_of(*_ROWS, *_OTHERS)
    measured = parse("p50()>1ms").measure(rows, Filter(rport=5432), _NONE)
    assert rows["id"][measured.indices].tolist() == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 12, 13]
    assert measured.known == 10


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("rtt>20ms", 0, "this is no condition such as p99(rport:5432)>20ms"),
        ("", 0, "this is no condition such as p99(rport:5432)>20ms"),
        ("p98()>1ms", 0, "there is no p98: p50, p95, p99, max, mean, count, retr, rate"),
        ("p99(rport:5432", 3, "there is no ) for this ("),
        ('p99(")")', 8, "a comparison is missing, such as >20ms or >20ms for 30s"),
        ("p99(rprt:5432)>20ms", 4, "there is no field rprt: rport?"),
        ("p99(rport:x)>20ms", 10, "'x' is not a number such as 10"),
        ("p99()", 5, "a comparison is missing, such as >20ms or >20ms for 30s"),
        ("p99()>20", 6, "'20' is not a number such as 50ms"),
        ("count()>20ms", 8, "'20ms' is not a number such as 10"),
        ("p99()>20ms for ever", 15, "'ever' is not a time such as 30s or 5m"),
        ("p99()>20ms since 3s", 11, "only a duration may follow, such as for 30s"),
        ("p99()>20ms for 3s or so", 18, "only a duration may follow, such as for 30s"),
    ],
)
def test_what_is_no_condition_is_told_with_its_place(text: str, at: int, message: str) -> None:
    with pytest.raises(QueryError) as error:
        parse(text)
    assert (str(error.value), error.value.at) == (message, at)


class _Watched:
    """A gate, and what it has written."""

    def __init__(self, path: Path, *texts: str, json: bool = False, watched_s: float | None = None) -> None:
        self._path = path / "out"
        self._file = self._path.open("wb")
        self.stops = 0
        self.said: list[str] = []
        conditions = [parse(text) for text in texts]
        watched_ns = None if watched_s is None else round(watched_s * 1e9)
        writer = Writer(self._file.fileno(), lambda: False)
        self.gate = Gate(writer, conditions, Filter(), json, watched_ns, self._stop, self.said.append)

    def _stop(self) -> None:
        self.stops += 1

    def show(self, at_s: float, *connections: dict[str, Any], problem: str = "", missed: str = "") -> str:
        """What it has written up to this snapshot."""
        at_ns = round(at_s * 1e9)
        rows = rows_of(*connections)
        health = Health(problem=problem, missed=missed)
        self.gate.show(Snapshot(1_700_000_000_000_000_000 + at_ns, at_ns, rows, (), health, None))
        return self._path.read_text()


def test_it_has_to_hold_without_a_break_for_as_long_as_is_asked(tmp_path: Path, in_utc: None) -> None:  # noqa: ARG001
    watched = _Watched(tmp_path, "max(rport:5432)>20ms for 3s")
    slow, fast = _talking(1, 84_200, comm=b"psql\x1b[31m", raddr="192.0.2.7"), _talking(1, 5000)
    for at_s, connection in ((5, fast), (6, slow), (8.5, slow), (8.9, fast), (9, slow), (11.9, slow)):
        assert watched.show(at_s, connection) == ""
        assert (watched.gate.exit_code, watched.stops) == (0, 0)
    assert watched.show(12, slow, _talking(2, 1000), row(3, srtt_us=0, rport=5432)) == (
        "max(rport:5432)>20ms for 3s: 84.2ms of 2 of 3 connections, since 22:13:29; worst: "
        "psql\ufffd[31m 192.0.2.7:5432 84.2ms, proc2 198.51.100.2:5432 1.00ms, proc3 198.51.100.3:5432 -\n"
    )
    assert (watched.gate.exit_code, watched.stops) == (HELD, 1)
    assert watched.show(13, slow).count("\n") == 1


def test_what_is_more_than_nothing_is_not_called_0(tmp_path: Path) -> None:
    watched = _Watched(tmp_path, "retr()>0/s")
    assert watched.show(1, _talking(1, 5000, window_ms=60_000, retrans_1m=1)).startswith(
        "retr()>0/s: <0.1/s of 1 connection, "
    )


def test_one_of_several_is_enough_and_what_it_says_is_json_where_that_is_asked(tmp_path: Path) -> None:
    watched = _Watched(tmp_path, "count()>5", "count(rport:5432)<1 for 2s", json=True)
    assert watched.show(1) == ""
    line = json.loads(watched.show(3))
    since_ns = 1_700_000_001_000_000_000
    assert line == {
        "event": "held",
        "time_ns": since_ns + 2_000_000_000,
        "since_ns": since_ns,
        "condition": "count(rport:5432)<1 for 2s",
        "value": 0.0,
        "connections": 0,
        "known": 0,
        "worst": [],
    }


def test_it_watches_for_so_long_and_then_all_is_well(tmp_path: Path) -> None:
    watched = _Watched(tmp_path, "max()>20ms for 3s", watched_s=4)
    for at_s, stops in ((1, 0), (4.9, 0), (5, 1)):
        watched.show(at_s, _talking(1, 30_000 if at_s > 2 else 10))
        assert (watched.gate.exit_code, watched.stops) == (0, stops)


def test_what_may_keep_connections_from_being_judged_is_told_once_while_it_lasts(tmp_path: Path) -> None:
    watched = _Watched(tmp_path, "max()>20ms")
    for at_s, problem in enumerate(["", "web1: gone", "web1: gone", "", "web1: gone", "db1: gone"]):
        assert watched.show(at_s, problem=problem) == ""
    assert watched.said == ["web1: gone", "web1: gone", "db1: gone"]


def test_what_is_not_seen_without_bpf_is_told(tmp_path: Path) -> None:
    watched = _Watched(tmp_path, "max()>20ms")
    for at_s in range(3):
        watched.show(at_s, missed="others' processes unknown")
    assert watched.said == ["no BPF: others' processes unknown"]
