"""What is kept of a command's connections, and what is told of it in the end."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.command import account as accounts
from tcptop_rtt.command.account import Account, why
from tcptop_rtt.command.report import LISTED, Ended, write_json, write_tables
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.records import Direction, Kind
from tcptop_rtt.model.rows import CONNECT_ERRORS
from tcptop_rtt.model.snapshot import Health, Snapshot
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import causes
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.rtt_steps import StepCounts
from tests.unit.fake import START_NS, FakeSource, ScriptedClock, connection
from tests.unit.rows import row, rows_of


def _snapshot(*connections: dict[str, Any], **health: Any) -> Snapshot:
    return Snapshot(0, 0, rows_of(*connections), (), Health(**health), None)


def _followed(id_: int, **fields: Any) -> dict[str, Any]:
    return row(id_, followed=True, direction=Direction.OUT, **fields)


def _sampled(*rtt_us: int) -> dict[str, Any]:
    low, high = (min(rtt_us), max(rtt_us)) if rtt_us else (0, 0)
    return {
        "rtt_samples": len(rtt_us),
        "rtt_sum_us": sum(rtt_us),
        "rtt_lo_us": low,
        "rtt_hi_us": high,
    }


def test_percentiles_are_off_by_a_hundredth_at_most_where_samples_come_in_threes() -> None:
    rng = np.random.default_rng(5)
    counts, truth = StepCounts(), dict[int, list[int]]({0: [], 1: [], 2: []})
    for _ in range(500):
        rows = []
        for slot in (0, 2):
            rtts = np.exp(rng.normal(10 + slot, 1, rng.integers(0, 4))).astype(int).tolist()
            truth[slot] += rtts
            rows.append(row(slot + 1, **_sampled(*rtts)))
        columns = rows_of(*rows)
        counts.add(np.array([0, 2]), 0, columns.__getitem__)
    shares = (0.01, 0.5, 0.99, 1.0)
    for group_of, members in ((np.arange(3), [[0], [1], [2]]), (np.array([1, 0, 1]), [[1], [0, 2]])):
        found = counts.percentiles(group_of, len(members), shares)
        for group, slots in enumerate(members):
            values = sorted(us for slot in slots for us in truth[slot])
            for share, us in zip(shares, found, strict=True):
                exact = values[math.ceil(share * len(values)) - 1] if values else 0
                assert us[group] == pytest.approx(exact, rel=0.011)


def test_of_more_samples_at_once_those_in_the_middle_count_at_their_mean() -> None:
    account = Account(Filter())
    account.take(_snapshot(_followed(1, **_sampled(10_000, 20_000, 30_000, 100_000))))
    (one,) = account.connections()
    assert one["p50_us"] == pytest.approx(25_000, rel=0.011)
    assert one["p99_us"] == pytest.approx(100_000, rel=0.011)


def test_only_followed_ones_that_match_count_and_what_was_known_stays() -> None:
    account = Account(Filter("rport:443"))
    first = _followed(1, connect_us=50_000, first_byte_us=250_000, retrans=2, **_sampled(50_000))
    account.take(_snapshot(first, row(2), _followed(3, rport=80)))
    account.take(_snapshot(_followed(1, rport=80, closed=True, bytes_received=70, retrans=3)))
    account.take(_snapshot())
    (one,) = account.connections()
    assert [one[name] for name in ("id", "connect_us", "first_byte_us", "retrans", "bytes_received")] == [
        1, 50_000, 250_000, 3, 70,
    ]  # fmt: skip
    assert (one["p50_us"], one["p99_us"], bool(one["closed"])) == (50_000, 50_000, True)
    assert account.unfinished() == 0


def test_the_worst_that_has_ever_held_one_up_is_told_also_what_its_last_words_say() -> None:
    account = Account(Filter())
    account.take(_snapshot(_followed(1, stalled=True), _followed(2, raddr="198.51.100.1")))
    account.take(
        _snapshot(_followed(1), _followed(2, raddr="198.51.100.1", closed=True, recv_q_bytes=1 << 20))
    )
    assert [why(one) for one in account.connections()] == ["silent", "not-reading"]
    assert [why(one) for one in account.services(account.connections())] == ["silent"]
    assert causes.NAMES.index("silent") < causes.NAMES.index("not-reading")


def test_services_are_by_the_servers_end() -> None:
    account = Account(Filter())
    refused = CONNECT_ERRORS.index("refused")
    account.take(
        _snapshot(
            _followed(1, raddr="192.0.2.9", connect_us=3000, retrans=1, **_sampled(4000)),
            _followed(2, raddr="192.0.2.9", connect_us=1000, retrans=2, **_sampled(2000)),
            _followed(3, raddr="192.0.2.9", connect_us=2000),
            _followed(4, raddr="192.0.2.8", connect_error=refused, closed=True),
            row(5, followed=True, direction=Direction.IN, lport=8080, raddr="192.0.2.1", bytes_received=5),
            row(6, followed=True, direction=Direction.IN, lport=8080, raddr="192.0.2.2", bytes_received=6),
        )
    )
    told = {
        (int(one["rport"]), one["raddr"].tobytes()[-1]): (
            *(int(one[name]) for name in ("count", "failed", "connect_us", "retrans", "bytes_received")),
            why(one),
        )
        for one in account.services(account.connections())
    }
    assert told == {
        (443, 9): (3, 0, 2000, 3, 0, None),
        (443, 8): (1, 1, 0, 0, 0, "refused"),
        (8080, 0): (2, 0, 0, 0, 11, None),
    }
    (nine,) = [one for one in account.services(account.connections()) if one["raddr"].tobytes()[-1] == 9]
    assert [nine["p50_us"], nine["p99_us"]] == pytest.approx([2000, 4000], rel=0.011)


def test_a_port_of_ours_is_one_service_by_both_families() -> None:
    account = Account(Filter())
    ours = {"followed": True, "direction": Direction.IN, "lport": 8080}
    six = {"family": 6, "laddr": "2001:db8::1", "raddr": "2001:db8::2"}
    account.take(_snapshot(row(1, **ours), row(2, **ours, **six), _followed(3, rport=8080, **six)))
    services = account.services(account.connections())
    assert [(int(one["direction"]), int(one["rport"]), int(one["count"])) for one in services] == [
        (Direction.IN, 8080, 2),
        (Direction.OUT, 8080, 1),
    ]


def test_there_is_a_bound_and_what_is_beyond_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MOST", 2)
    account = Account(Filter())
    for _ in range(3):
        account.take(_snapshot(*(_followed(number) for number in range(1, 6))))
    account.take(_snapshot(_followed(6)))
    assert (len(account.connections()), account.not_kept) == (2, 4)


def test_one_more_than_there_is_room_for_is_not_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "MOST", LISTED + 1)
    account = Account(Filter())
    account.take(_snapshot(*(_followed(number, rport=number) for number in range(1, LISTED + 3))))
    text = _written(account, tmp_path, write_tables)
    assert "1 more connection than the 200,000 that are kept: not counted" in text
    assert "and 1 more service: --json has all" in text
    assert "and 1 more connection, with lower RTTs: --json has all" in text


def _written(account: Account, tmp_path: Path, write: Any, *arguments: str) -> str:
    with (tmp_path / "out").open("wb") as file:
        write(Writer(file.fileno(), lambda: False), account, Ended(arguments or ("true",), 3, 1_500_000_000))
    return (tmp_path / "out").read_text()


def test_text_of_others_is_harmless_and_what_may_be_missing_is_told(tmp_path: Path) -> None:
    account = Account(Filter())
    account.take(_snapshot(_followed(1, comm=b"[red]\x1b[2J", pid=0), dropped_records=7))
    text = _written(account, tmp_path, write_tables, "sh", "-c", "x\x1b[2J\n" + 3000 * "y")
    assert "\x1b" not in text
    assert text.splitlines()[1] == (
        f"tcptop-rtt: sh -c x\ufffd[2J\ufffd{244 * 'y'}…: exit status 3 after 1500ms, 1 connection"
    )
    assert "7 records were lost and 0 connections not tracked: what follows may be incomplete" in text
    account.take(_snapshot(dropped_records=1, untracked=1))
    text = _written(account, tmp_path, write_tables)
    assert "1 record was lost and 1 connection not tracked: what follows may be incomplete" in text
    assert "1 still open: their numbers are those at this moment" in text
    assert "\n[red]\ufffd[2J    ?  198.51.100.1:443  ESTAB" in text


def test_a_narrow_terminal_leaves_out_what_matters_least(tmp_path: Path) -> None:
    account = Account(Filter())
    account.take(_snapshot(_followed(1, comm=b"curl", raddr="192.0.2.9", connect_us=50_400)))

    def titles(width: int | None) -> list[str]:
        text = _written(account, tmp_path, partial(write_tables, width=width))
        assert width is None or max(map(len, text.splitlines()[3:])) <= width
        return text.splitlines()[-3].split("  ")

    assert {"PID", "STATE", "LASTED", "SENT"} <= {title.strip() for title in titles(None)}
    narrow = {title.strip() for title in titles(80)}
    assert {"CONNECT", "1ST BYTE", "RTT P50", "RTT P99", "RETR", "WHY"} <= narrow
    assert not {"STATE", "LASTED"} & narrow


def test_nothing_is_told_of_no_connection(tmp_path: Path) -> None:
    text = _written(Account(Filter()), tmp_path, write_tables)
    assert text == "\ntcptop-rtt: true: exit status 3 after 1500ms, no connections\n"


def test_json_has_null_for_what_is_not_known(tmp_path: Path) -> None:
    account = Account(Filter())
    account.take(_snapshot(_followed(1)))
    service, connection, run = map(json.loads, _written(account, tmp_path, write_json).splitlines())
    assert connection == {
        "event": "connection", "comm": "proc1", "pid": 1001, "laddr": "192.0.2.1", "lport": 40001,
        "raddr": "198.51.100.1", "rport": 443, "state": "ESTAB", "age_ns": 5_000_000_000, "connect_us": None,
        "first_byte_us": None, "p50_us": None, "p99_us": None, "retrans": 0, "bytes_acked": 5000,
        "bytes_received": 0, "why": None,
    }  # fmt: skip
    assert (service["event"], service["port"], service["count"]) == ("service", 443, 1)
    assert run == {
        "event": "run", "command": ["true"], "exit_status": 3, "lasted_ns": 1_500_000_000, "connections": 1,
        "not_kept": 0, "lost": 0, "untracked": 0,
    }  # fmt: skip


def test_what_a_connection_was_like_at_its_end_is_in_the_snapshot_that_has_its_end() -> None:
    clock = ScriptedClock()
    source = FakeSource(clock)
    fields = {"direction": Direction.OUT, "open_seen": 1, "opened_ns": START_NS}
    source.records = [
        connection(1, kind=Kind.OPEN, **fields),
        connection(
            1, kind=Kind.CLOSE, bytes_received=9, lport=0, followed=1, time_ns=START_NS + 70, **fields
        ),
    ]
    source.last = [
        connection(
            1, kind=Kind.ENTRY, first_byte_us=70, answers=1, answer_sum_us=70, lport=0, followed=1, **fields
        )
    ]
    snapshot = next(LiveFeed(ready(source), 1.0, clock=clock).snapshots())
    (found,) = snapshot.rows
    assert (found["closed"], found["followed"], found["scanned"]) == (True, True, True)
    assert (found["first_byte_us"], found["answers_1m"], found["lport"]) == (70, 1, 40001)
    assert found["age_ns"] == 70
