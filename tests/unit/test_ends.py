"""Both ends of a connection: which row the other one is, and whose part of an answer is whose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.hosts import LONGEST_BYTES
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.screens.other_block import other_end as block_of
from tcptop_rtt.view.ends import answer_of, joined, other_end
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.grouping import HOSTS, PROCESSES, SERVICES
from tcptop_rtt.view.listing import ConnectionList, GroupList, Scope
from tcptop_rtt.view.listing import groups as groups_of
from tcptop_rtt.view.shown import shown
from tcptop_rtt.view.summary import summarize
from tests.unit.rows import hosts_of, row, rows_of
from tests.unit.snapshots import snapshot_at

CALLS: dict[str, Any] = {"laddr": "10.0.0.1", "lport": 4000, "raddr": "10.0.0.2", "rport": 80, "direction": 1}
CALLED: dict[str, Any] = {
    "laddr": "10.0.0.2",
    "lport": 80,
    "raddr": "10.0.0.1",
    "rport": 4000,
    "direction": 2,
}
LOCAL = {"laddr": "127.0.0.1", "raddr": "127.0.0.1"}


@pytest.mark.parametrize(
    ("others", "at"),
    [
        ([CALLED | {"host": b"db1"}], 1),
        ([CALLED | {"host": b"web1"}], 1),
        ([CALLED | {"host": b"db1", "raddr": "10.0.0.9"}], None),
        ([CALLED | {"host": b"db1", "lport": 81}], None),
        ([CALLED | {"host": b"db1", "closed": True}], 1),
        ([CALLED | {"host": b"db1", "closed": True, "connect_error": 1}], None),
        ([CALLED | {"host": b"db1"}, CALLED | {"host": b"db2"}], None),  # private addresses are not unique
        ([CALLS | {"host": b"db1"}, CALLED | {"host": b"db1"}], None),
        ([CALLED | {"host": b"db1"}, CALLED | {"host": b"db1", "netns": 7}], None),
        ([{"host": b"db1"}, CALLED | {"host": b"db1"}], 2),
    ],
)
def test_the_other_end_is_the_only_row_with_the_same_addresses_the_other_way_round(
    others: list[dict[str, Any]], at: int | None
) -> None:
    each = [row(1, **CALLS, host=b"web1"), *(row(2 + n, **other) for n, other in enumerate(others))]
    assert other_end(rows_of(*each), 0) == at


def test_a_socket_that_has_called_itself_has_no_other_end() -> None:
    itself = CALLS | LOCAL | {"rport": 4000}
    assert other_end(rows_of(row(1, **itself), row(2)), 0) is None


def test_within_a_machine_it_is_on_the_same_one() -> None:
    one, two = CALLS | LOCAL, CALLED | LOCAL
    each = [row(1, **one, host=b"a"), row(2, **two, host=b"b"), row(3, **two, host=b"a")]
    assert other_end(rows_of(*each), 0) == 2
    assert other_end(rows_of(*each), 1) is None


TIMES: list[dict[str, Any]] = [
    {"answers": 9, "answers_1m": 2, "answer_sum_us_1m": 140_000, "replies": 9, "replies_1m": 2,
     "reply_sum_us_1m": 200_000, "window_ms": 9000, "host": b"web1"},
    {"replies": 9, "replies_1m": 4, "reply_sum_us_1m": 80_000, "window_ms": 9000, "host": b"db1"},
]  # fmt: skip


@pytest.mark.parametrize("from_here", [True, False])
@pytest.mark.parametrize("unknown", [None, 0, 1])
def test_an_answer_is_the_path_and_the_process_that_answers(from_here: bool, unknown: int | None) -> None:
    ends = [CALLS | TIMES[0], CALLED | TIMES[1]]
    if unknown is not None:
        ends[unknown]["direction"] = 0  # the other end knows who has called
    one, two = (Connection(each) for each in rows_of(*(row(n, **end) for n, end in enumerate(ends, 1))))
    found = answer_of(one, two) if from_here else answer_of(two, one)
    assert found is not None
    assert (found.asks.host, found.answers.host) == (b"web1", b"db1")
    assert (found.total_us, found.there_us, found.path_us) == (70_000, 20_000, 50_000)


@pytest.mark.parametrize(
    ("lowest_us", "reply_us", "parts_us"),
    [
        ((40_000, 41_000), 44_000, (40_000, 30_000)),  # the sums alone leave 26 ms to the path
        ((41_000, 40_000), 44_000, (40_000, 30_000)),
        ((0, 40_000), 44_000, (40_000, 30_000)),
        ((40_000, 40_000), 20_000, (50_000, 20_000)),
        ((80_000, 80_000), 44_000, (80_000, 0)),
        ((0, 0), 44_000, (26_000, 44_000)),
        ((0, 0), 90_000, (0, 70_000)),
    ],
)
def test_the_path_never_takes_less_than_the_lowest_rtt_and_the_process_at_most_the_rest(
    lowest_us: tuple[int, int], reply_us: int, parts_us: tuple[int, int]
) -> None:
    asks = {"min_rtt_us": lowest_us[0], "srtt_us": 41_000, "rtt_age_ms": 0}
    answers = {"min_rtt_us": lowest_us[1], "reply_sum_us_1m": 4 * reply_us}
    (view,) = ConnectionList(both(calls=asks, **answers), Filter()).views(np.array([0]))
    assert view.ends is not None
    found = answer_of(*view.ends)
    assert found is not None
    assert (found.path_us, found.there_us) == parts_us
    if view.wait.parts_us is not None:
        path_us, queue_us, process_us, _, _ = view.wait.parts_us
        assert path_us >= min(filter(None, lowest_us))
        assert (path_us + queue_us, process_us) == parts_us


def test_no_answer_is_told_where_nobody_knows_who_has_called_or_nothing_was_asked() -> None:
    ends = [CALLS | TIMES[0] | {"direction": 0}, CALLED | TIMES[1] | {"direction": 0}]
    one, two = (Connection(each) for each in rows_of(*(row(n, **end) for n, end in enumerate(ends, 1))))
    assert answer_of(one, two) is None
    one, two = (Connection(each) for each in rows_of(row(1, **CALLS), row(2, **CALLED)))
    assert answer_of(one, two) is None


def test_the_details_say_what_the_other_end_sees() -> None:
    each = [CALLS | TIMES[0], CALLED | TIMES[1] | {"srtt_us": 51_000, "comm": b"post\x1bgres", "pid": 7}]
    here, there = shown(rows_of(*(row(n, **end) for n, end in enumerate(each, 1)))[:])
    block = block_of(here, there, UNICODE)
    assert block.title == "THE OTHER END"
    values = [fact.value for fact in block.facts]
    for value in ("post\ufffdgres 7", "51.0ms", "70.0ms, at web1", "50.0ms", "20.0ms, db1", "db1"):
        assert value in values
    assert "100ms until web1 asks again" in values


def both(*others: dict[str, Any], calls: dict[str, Any] | None = None, **called: Any) -> Snapshot:
    """A connection from web1 to db1, in one row, and others after it."""
    ends = CALLS | TIMES[0] | (calls or {}), CALLED | TIMES[1] | called
    each = [row(1, **ends[0]), row(2, **ends[1]), *(row(3 + n, **other) for n, other in enumerate(others))]
    return joined(snapshot_at(0, *each, cells=1000.0))


def test_one_row_shows_both_ends() -> None:
    found = both(row(3, host=b"web1"), retrans=3)
    listing = ConnectionList(found, Filter())
    assert (listing.indices.tolist(), listing.total, listing.shown) == ([0, 2], 2, 2)
    assert hosts_of(found.rows[listing.indices]) == [b"web1 > db1", b"web1"]
    assert found.rows["retrans"][0] == 3
    assert hosts_of(found.each_end) == [b"web1", b"db1", b"web1"]
    (shown_one,) = listing.views(np.array([0]))
    assert shown_one.ends is not None
    assert [end.host for end in shown_one.ends] == [b"web1", b"db1"]
    assert (listing.row_of(1), listing.row_of(2), listing.row_of(3), listing.row_of(4)) == (0, 0, 2, None)


def test_its_wait_is_the_path_by_the_rtt_and_what_each_host_tells_of_itself() -> None:
    calls = {"min_rtt_us": 40_000, "srtt_us": 45_000, "rtt_age_ms": 0}
    plain = {**calls, "host": b"", "rport": 81}
    seen = ConnectionList(both(CALLS | TIMES[0] | plain, calls=calls), Filter()).views(np.array([0, 2]))
    assert seen[0].wait.parts_us == (40_000, 10_000, 20_000, 0, 0)
    assert seen[1].wait.parts_us == (40_000, 5_000, 25_000, 0, 0)  # what one end alone can tell
    assert sum(seen[0].wait.parts_us) == sum(seen[1].wait.parts_us)


@pytest.mark.parametrize(
    ("calls", "called"),
    [
        ({"host": b"db1"}, {}),  # the same host: each end is a row, as on this machine
        ({"host": b""}, {}),
        ({"raddr": "10.0.0.9"}, {}),  # translated on the way
        ({"direction": 0}, {"direction": 1}),
        ({}, {"direction": 1}),
        ({"connect_error": 1}, {}),
    ],
)
def test_what_is_no_pair_of_two_hosts_stays_two_rows(calls: dict[str, Any], called: dict[str, Any]) -> None:
    found = both(calls=calls, **called)
    assert found.ends is None
    assert len(ConnectionList(found, Filter()).indices) == 2 - bool(calls.get("connect_error"))


def test_of_several_namespaces_with_the_same_addresses_none_is_taken_for_the_other_end() -> None:
    found = both(CALLED | {"host": b"db1", "netns": 9}, CALLS | {"host": b"web2"}, netns=8)
    assert found.ends is None
    found = both(CALLED | {"host": b"db1", "netns": 9, "rport": 4001}, netns=8)
    assert ConnectionList(found, Filter()).indices.tolist() == [0, 2]


@pytest.mark.parametrize("swapped", [False, True])
def test_who_has_called_is_told_by_the_ports_where_nobody_has_seen_it(swapped: bool) -> None:
    ends = [CALLS | TIMES[0] | {"direction": 0}, CALLED | TIMES[1] | {"direction": 0}]
    each = [row(n, **end) for n, end in enumerate(reversed(ends) if swapped else ends, 1)]
    listing = ConnectionList(joined(snapshot_at(0, *each)), Filter())
    assert listing.indices.tolist() == [int(swapped)]
    assert hosts_of(listing.rows[listing.indices]) == [b"web1 > db1"]


def test_its_rtt_is_that_of_the_end_that_has_one_of_now() -> None:
    old, fresh = {"rtt_age_ms": 60_000, "srtt_us": 700}, {"rtt_age_ms": 0, "srtt_us": 51_000}
    found = both(calls=old, **fresh)
    assert found.rows["srtt_us"].tolist() == [51_000, 51_000]
    assert found.each_end["srtt_us"].tolist() == [700, 51_000]
    assert both(calls=fresh, **(fresh | {"srtt_us": 52_000})).rows["srtt_us"].tolist() == [51_000, 52_000]


@pytest.mark.parametrize(
    ("calls", "called", "why", "words"),
    [
        ({}, {"recv_q_bytes": 2 << 20}, "not-reading", "db1: not read 2.1MB"),
        ({"recv_q_bytes": 2 << 20}, {}, "not-reading", "web1: not read 2.1MB"),
        ({}, {"stalled": True, "retransmits": 2, "last_ack_ms": 9000}, "silent", "web1: silent 9.0s"),
        ({"snd_wnd_bytes": 0, "notsent_bytes": 9}, {}, "peer-not-reading", "db1: not reading"),
        ({}, {"retrans_1m": 50, "data_segs_out_1m": 100, "retrans": 50}, "loss", "loss 50%"),
    ],
)
def test_what_holds_either_end_up_is_said_with_the_host_that_it_is_at(
    calls: dict[str, Any], called: dict[str, Any], why: str, words: str
) -> None:
    found = both(row(3, host=b"web1"), calls=calls, **called)
    by_why = ConnectionList(found, Filter(f"why:{why}"))
    assert by_why.indices.tolist() == [0]
    assert CONNECTIONS.column["why"].cell is not None
    (view,) = by_why.views(by_why.indices)
    assert CONNECTIONS.column["why"].cell(view, UNICODE).text == words
    assert bool(found.rows["stalled"][0]) == (why == "silent")
    keys = CONNECTIONS.sorts["why"](found.rows.__getitem__, frozenset())
    assert not keys.unknown[0]
    assert keys.unknown[2]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("host:db1", [0]),
        ("host:web1", [0, 2]),
        ("!host:db1", [2]),
        ("host=web1", [0, 2]),
        ("host=db1", [0]),
        ("host=db", []),
        ("!host=db1", [2]),
        ("host!=db1", [2]),
        ("host!=web1", []),
        ('host="web1 > db1"', [0]),
        ("proc:postgres", [0]),
        ("postgres", [0]),
        ("lport:80", [0]),
        ("dir:out", [0]),
        ("!proc:postgres !proc:python", [2]),
        ("proc:nginx", []),
    ],
)
def test_a_filter_finds_it_by_either_end(text: str, lines: list[int]) -> None:
    found = both(row(3, host=b"web1"), calls={"comm": b"python"}, comm=b"postgres")
    assert ConnectionList(found, Filter(text)).indices.tolist() == lines


LONG = b"web-frontend-production-eu-central-1a-kubernetes-node-0001", b"d" * LONGEST_BYTES
PLAIN = b"web-frontend-prod-eu-central-1", b"db-primary-prod-eu-central-1"


@pytest.mark.parametrize("names", [PLAIN, LONG], ids=["plain", "long"])
@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("sign", ["host:", "host=", ""])
def test_a_filter_finds_it_by_the_whole_name_of_either_host(
    names: tuple[bytes, bytes], end: int, sign: str
) -> None:
    found = both(row(3, host=b"web1"), calls={"host": names[0]}, host=names[1])
    text = f"{sign}{names[end].decode()}"
    assert ConnectionList(found, Filter(text)).indices.tolist() == [0]
    assert ConnectionList(found, Filter(f"!{text}")).indices.tolist() == [2]


def test_groups_count_it_once_but_for_the_processes_which_each_end_has() -> None:
    found = both(row(3, host=b"web1", direction=1), calls={"comm": b"python"}, comm=b"postgres")
    for grouping, counts in ((HOSTS, [1, 1]), (SERVICES, [1, 1]), (PROCESSES, [1, 1, 1])):
        groups = GroupList(grouping, found, Filter())
        assert groups.rows["count"].tolist() == counts
        assert (groups.total, groups.shown) == (2, 2)
    processes = GroupList(PROCESSES, found, Filter("host:db1"))
    assert processes.rows["comm"].tolist() == [b"postgres"]
    scope = Scope(groups_of(PROCESSES), int(processes.rows["id"][0]), "postgres")
    assert ConnectionList(found, Filter(), scope).indices.tolist() == [0]
    assert summarize(found).in_bps == found.rows["in_bps"][[0, 2]].sum()


def test_long_names_of_hosts_are_whole_where_a_row_shows_both_ends() -> None:
    found = both(calls={"host": LONG[0]}, host=LONG[1])
    assert hosts_of(found.rows) == [b" > ".join(LONG)] * 2
    assert hosts_of(found.each_end) == list(LONG)


def test_hosts_whose_names_begin_alike_are_two_ends() -> None:
    assert hosts_of(both(calls={"host": LONG[0]}, host=LONG[0][:-1] + b"2").rows)[0] == (
        LONG[0] + b" > " + LONG[0][:-1] + b"2"
    )
