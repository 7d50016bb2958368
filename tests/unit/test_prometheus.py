"""The exporter's numbers: what is counted, once each, under which labels, and within which bounds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tcptop_rtt.model.prefixes import Prefixes
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import CONNECT_ERRORS, STATES, Holder
from tcptop_rtt.model.snapshot import Health, Waiting
from tcptop_rtt.outputs.metrics import labels, table
from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US, spread
from tcptop_rtt.outputs.metrics.label_sets import KEPT_NS
from tcptop_rtt.outputs.prometheus import exposition
from tcptop_rtt.view.filter import Filter
from tests.unit.counted import Counted, at_end, out
from tests.unit.exposed import parsed, value
from tests.unit.rows import listener, listeners_of, row, rows_of

BUCKETS = len(BOUNDS_US) + 1
_DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
_SYN_SENT = STATES.index("SYN-SENT")


class Exposed(Counted):
    """As text."""

    text = ""

    def show(self, *connections: dict[str, Any], **others: Any) -> str:
        """The exposition after one more snapshot."""
        self.text = exposition.text_of(self.take(*connections, **others))
        return self.text


@pytest.fixture
def exposed() -> Exposed:
    return Exposed()


# What is counted


def test_what_a_connection_brings_is_counted_once_however_often_it_is_shown(exposed: Exposed) -> None:
    name, there = "tcptop_sent_bytes_total", out(1, bytes_acked=100)
    assert value(exposed.show(there), name) == 100
    assert value(exposed.show(there), name) == 100
    ended = at_end(there, bytes_acked=250)
    assert value(exposed.show(ended), name) == 250
    assert value(exposed.show(ended), name) == 250
    text = exposed.show()
    assert value(text, name) == 250
    for event in ("opened", "closed"):
        assert value(text, f"tcptop_{event}_connections_total") == 1
    assert value(text, "tcptop_connect_seconds_count") == 0  # how long that took was never known


def test_one_that_opens_and_closes_between_two_snapshots_is_counted(exposed: Exposed) -> None:
    exposed.show()
    exposed.show(at_end(out(1, bytes_acked=70, bytes_received=9, retrans=2, connect_us=3000)))
    text = exposed.show()
    assert value(text, "tcptop_sent_bytes_total") == 70
    assert value(text, "tcptop_received_bytes_total") == 9
    assert value(text, "tcptop_retransmitted_segments_total") == 2
    assert value(text, "tcptop_opened_connections_total") == 1
    assert value(text, "tcptop_closed_connections_total") == 1
    assert value(text, "tcptop_connect_seconds_count") == 1
    assert value(text, "tcptop_connect_seconds_sum") == 0.003
    assert value(text, "tcptop_connections") == 0


def test_what_an_older_connection_had_before_it_was_first_seen_is_not_counted(exposed: Exposed) -> None:
    older = row(1, open_seen=False, direction=Direction.OUT, bytes_acked=10**9, retrans=7)
    text = exposed.show(older)
    assert value(text, "tcptop_sent_bytes_total") == 0
    assert value(text, "tcptop_opened_connections_total") == 0
    assert value(text, "tcptop_connections") == 1
    text = exposed.show(older | {"bytes_acked": 10**9 + 5, "retrans": 8})
    assert value(text, "tcptop_sent_bytes_total") == 5
    assert value(text, "tcptop_retransmitted_segments_total") == 1


def test_an_older_one_of_which_nothing_is_known_at_first_brings_no_jump(exposed: Exposed) -> None:
    """A record of a retransmission may come first, and has no counters of bytes."""
    exposed.show(row(1, open_seen=False, state=0, bytes_acked=0))
    text = exposed.show(row(1, open_seen=False, bytes_acked=10**9))
    assert value(text, "tcptop_sent_bytes_total") == 0
    text = exposed.show(row(1, open_seen=False, bytes_acked=10**9 + 3))
    assert value(text, "tcptop_sent_bytes_total") == 3


def test_rows_may_change_their_places(exposed: Exposed) -> None:
    connections = [out(id_, bytes_acked=0) for id_ in range(1, 8)]
    rng = np.random.default_rng(1)
    exposed.show(*connections)
    for _ in range(20):
        rng.shuffle(connections)
        del connections[0]
        connections = [{**one, "bytes_acked": one["bytes_acked"] + one["id"]} for one in connections]
        connections.append(out(int(rng.integers(100, 20_000)), bytes_acked=0))
        before = value(exposed.text, "tcptop_sent_bytes_total")
        after = value(exposed.show(*connections), "tcptop_sent_bytes_total")
        assert after - before == sum(one["id"] for one in connections[:-1])


def test_answers_count_from_what_a_scan_has_read_first(exposed: Exposed) -> None:
    unread = row(1, open_seen=False, scanned=False, answers=0)
    exposed.show(unread)
    # The kernel side counts them from its own beginning.
    text = exposed.show(unread | {"scanned": True, "answers": 4, "answer_sum_us": 2_000_000})
    assert value(text, "tcptop_answer_seconds_count") == 4
    assert value(text, "tcptop_answer_seconds_sum") == 2.0
    text = exposed.show(unread | {"scanned": True, "answers": 5, "answer_sum_us": 2_500_000})
    assert value(text, "tcptop_answer_seconds_count") == 5
    assert value(text, "tcptop_answer_seconds_sum") == 2.5


def test_a_counter_that_begins_anew_in_the_kernel_takes_nothing_back(exposed: Exposed) -> None:
    exposed.show(out(1, answers=9, replies=9))
    text = exposed.show(out(1, answers=2, replies=9))
    assert value(text, "tcptop_answer_seconds_count") == 9


def test_one_is_opened_when_it_is_established_and_a_failed_connect_never_is(exposed: Exposed) -> None:
    waits = out(1, state=_SYN_SENT, bytes_acked=0)
    text = exposed.show(waits, out(2, state=_SYN_SENT, bytes_acked=0))
    assert value(text, "tcptop_opened_connections_total") == 0
    assert value(text, "tcptop_connections") == 0
    refused = at_end(out(2), connect_error=CONNECT_ERRORS.index("refused"), bytes_acked=0)
    text = exposed.show(out(1), refused)
    assert value(text, "tcptop_opened_connections_total") == 1
    assert value(text, "tcptop_connections") == 1
    text = exposed.show(out(1))
    assert value(text, "tcptop_closed_connections_total") == 0
    assert value(text, "tcptop_failed_connects_total", reason="refused") == 1


def test_each_way_to_fail_has_its_series_before_a_connect_fails(exposed: Exposed) -> None:
    """Otherwise the failures between two scrapes would be the first value of a series, and in no rate."""
    name, ways = "tcptop_failed_connects_total", set(CONNECT_ERRORS[1:])
    peer = row(2, direction=Direction.IN, comm=b"nginx", lport=80)
    text = exposed.show(out(1), peer, listeners=listeners_of(listener(1)))
    there = {(one.labels["process"], one.labels["reason"]) for one in parsed(text) if one.name == name}
    assert there == {("curl", way) for way in ways}
    assert value(text, name) == 0
    for burst in (1, 2):
        refused = at_end(out(2 + burst), connect_error=CONNECT_ERRORS.index("refused"), bytes_acked=0)
        text = exposed.show(out(1), peer, refused)
        assert value(text, name, reason="refused") == value(text, name) == burst
        assert len([one for one in parsed(text) if one.name == name]) == len(ways)


def test_the_series_of_a_set_are_as_many_as_is_documented(exposed: Exposed) -> None:
    text = exposed.show(out(1), row(2, direction=Direction.IN, comm=b"nginx", lport=80))
    counts = [sum(one.labels.get("direction") == way for one in parsed(text)) for way in ("in", "out")]
    assert counts == [43, 43 + 6]
    assert 'Each set of connections has 43 series, with `direction="out"` six more' in _DOCUMENT.read_text()


def test_others_have_them_too() -> None:
    exposed = Exposed(most=1)
    text = exposed.show(out(1), out(2, comm=b"wget"))
    ways = [one.labels["process"] for one in parsed(text) if one.name == "tcptop_failed_connects_total"]
    assert sorted(ways) == ["curl"] * 6 + ["other"] * 6


def test_open_connections_are_those_opened_less_those_closed(exposed: Exposed) -> None:
    rng = np.random.default_rng(2)
    there: dict[int, dict[str, Any]] = {}
    for id_ in range(1, 60):
        there = {key: one for key, one in there.items() if not one.get("closed")}
        there[id_] = out(id_)
        if rng.random() < 0.7:
            ended = int(rng.choice(list(there)))
            there[ended] = at_end(there[ended])
        text = exposed.show(*there.values())
        opened, closed = (value(text, f"tcptop_{name}_connections_total") for name in ("opened", "closed"))
        assert value(text, "tcptop_connections") == opened - closed
    assert opened == 59
    assert 20 < closed < 59


def test_what_holds_connections_up_is_counted_by_what_it_is(exposed: Exposed) -> None:
    text = exposed.show(out(1), out(2, stalled=True, retransmits=3), out(3, stalled=True, retransmits=1))
    assert value(text, "tcptop_stalled_connections") == 2
    assert value(text, "tcptop_held_up_connections", why="silent") == 2
    assert "why=" not in exposed.show(out(1))


# RTT


def _spread(samples: list[list[int]]) -> NDArray[np.int64]:
    """Into which buckets the samples of connections go."""
    rows = rows_of(
        *(
            row(at, rtt_samples=len(us), rtt_lo_us=min(us), rtt_hi_us=max(us), rtt_sum_us=sum(us))
            for at, us in enumerate(samples, 1)
        )
    )
    found = np.zeros(BUCKETS, np.int64)
    for buckets, counts in spread(rows.__getitem__, BOUNDS_US):
        np.add.at(found, buckets, counts)
    return found


def test_up_to_three_samples_are_in_the_bucket_where_they_belong() -> None:
    rng = np.random.default_rng(3)
    for count in (1, 2, 3):
        samples = np.exp(rng.uniform(np.log(10), np.log(2e7), (500, count))).astype(int)
        exact = np.bincount(np.searchsorted(BOUNDS_US, samples.ravel()), minlength=BUCKETS)
        assert (_spread(samples.tolist()) == exact).all()


def test_a_sample_on_a_bound_is_below_it() -> None:
    bound = int(BOUNDS_US[5])
    assert np.flatnonzero(_spread([[bound]])).tolist() == [5]
    assert np.flatnonzero(_spread([[bound + 1]])).tolist() == [6]
    assert np.flatnonzero(_spread([[10**9]])).tolist() == [BUCKETS - 1]


def test_of_more_samples_the_extremes_and_the_mean_of_the_others_are_kept() -> None:
    counts = _spread([[100, 20_000, 21_000, 22_000, 900_000]])
    at = np.searchsorted(BOUNDS_US, [100, 21_000, 900_000])
    assert counts[at].tolist() == [1, 3, 1]
    assert counts.sum() == 5


def test_count_and_sum_are_exact_and_buckets_add_up(exposed: Exposed) -> None:
    rng = np.random.default_rng(4)
    count = total = 0
    for _ in range(10):
        samples = [rng.integers(50, 500_000, int(rng.integers(1, 50))).tolist() for _ in range(5)]
        text = exposed.show(
            *(
                out(id_, rtt_samples=len(us), rtt_lo_us=min(us), rtt_hi_us=max(us), rtt_sum_us=sum(us))
                for id_, us in enumerate(samples, 1)
            )
        )
        count, total = count + sum(map(len, samples)), total + sum(map(sum, samples))
        assert value(text, "tcptop_rtt_seconds_count") == count
        assert value(text, "tcptop_rtt_seconds_sum") == pytest.approx(total / 1e6, rel=1e-12)
        buckets = [one.value for one in parsed(text) if one.name == "tcptop_rtt_seconds_bucket"]
        assert len(buckets) == BUCKETS
        assert buckets == sorted(buckets)
        assert value(text, "tcptop_rtt_seconds_bucket", le="+Inf") == count


def test_two_reports_of_one_window_put_nothing_outside_of_its_extremes(exposed: Exposed) -> None:
    # Their sum is that of new samples only, and the extremes are those of all.
    text = exposed.show(out(1, rtt_samples=3, rtt_lo_us=100, rtt_hi_us=90_000, rtt_sum_us=600))
    assert value(text, "tcptop_rtt_seconds_bucket", le="6.3") == 3
    assert value(text, "tcptop_rtt_seconds_bucket", le="6.3e-05") == 0


# Labels


def _labels(text: str, name: str = "tcptop_connections") -> list[dict[str, str]]:
    return [one.labels for one in parsed(text) if one.name == name]


def test_the_service_is_the_port_that_was_called_and_networks_are_cut(exposed: Exposed) -> None:
    text = exposed.show(
        row(1, comm=b"curl", direction=Direction.OUT, lport=51_000, rport=443, raddr="198.51.100.77"),
        row(2, comm=b"nginx", direction=Direction.IN, lport=80, rport=61_000, raddr="203.0.113.9"),
        row(
            3, comm=b"nginx", direction=Direction.IN, lport=80, rport=1500, family=6,
            laddr="2001:db8::1", raddr="2001:db8:1:2::9",
        ),
    )  # fmt: skip
    found = {
        (one["process"], one["service"], one["direction"], one["remote_network"]) for one in _labels(text)
    }
    assert found == {
        ("curl", "443", "out", "198.51.100.0/24"),
        ("nginx", "80", "in", "203.0.113.0/24"),
        ("nginx", "80", "in", "2001:db8:1::/48"),
    }


@pytest.mark.parametrize(
    ("prefixes", "networks"),
    [
        (Prefixes(32, 128), {"198.51.100.77/32", "2001:db8:1:2::9/128"}),
        (Prefixes(8, 20), {"198.0.0.0/8", "2001::/20"}),
        (Prefixes(0, 0), {"0.0.0.0/0", "::/0"}),
    ],
)
def test_how_much_of_an_address_is_told_can_be_chosen(prefixes: Prefixes, networks: set[str]) -> None:
    text = Exposed(prefixes=prefixes).show(
        row(1, raddr="198.51.100.77"), row(2, family=6, raddr="2001:db8:1:2::9", laddr="::1")
    )
    assert {one["remote_network"] for one in _labels(text)} == networks


def test_where_it_is_not_known_who_has_called_no_clients_port_is_told(exposed: Exposed) -> None:
    text = exposed.show(row(1, lport=51_000, rport=52_000), row(2, lport=52_000, rport=5432))
    assert {(one["service"], one["direction"]) for one in _labels(text)} == {("?", "?"), ("5432", "?")}


def test_no_pid_and_no_clients_port_is_in_any_label(exposed: Exposed) -> None:
    pids, ports = range(70_001, 70_030), range(50_001, 50_030)
    connections = [
        *(out(at, pid=pid, lport=port) for at, (pid, port) in enumerate(zip(pids, ports, strict=True), 1)),
        *(
            row(at, pid=pid, direction=Direction.IN, comm=b"web", lport=80, rport=port)
            for at, (pid, port) in enumerate(zip(pids, ports, strict=True), 100)
        ),
    ]
    told = {text for one in parsed(exposed.show(*connections)) for text in one.labels.values()}
    assert not told & {str(number) for number in (*pids, *ports)}


def test_a_nul_within_a_name_is_not_its_end_and_reaches_no_line(exposed: Exposed) -> None:
    text = exposed.show(out(1, comm=b"a\0b"), out(2, comm=b"\0c"), out(3, comm=b"d\0"))
    assert "\0" not in text
    assert {one.labels["process"] for one in parsed(text) if "process" in one.labels} >= {
        "a\ufffdb",
        "\ufffdc",
        "d",
    }


def test_a_hostile_name_of_a_process_stays_a_label(exposed: Exposed) -> None:
    for name in (b'a"} 1\nx{y="', b"\\", b"\x1b[2J", b"\xff\xfe", b"a\\\nb"):
        text = exposed.show(out(1, comm=name))
        assert all(line.startswith(("#", "tcptop_", "process_")) for line in text.splitlines())
        assert "\x1b" not in text
        assert all(set(one) == {"process", "service", "direction", "remote_network"} for one in _labels(text))


def test_processes_whose_names_look_alike_are_one(exposed: Exposed) -> None:
    names = (b"\xff", b"\xfe", b"", b"?", b"a\x1b", b"a\x07", b"curl", "über".encode(), b"\xff" * 15)
    shown = listeners_of(*(listener(at, comm=name, lport=80) for at, name in enumerate(names, 1)))
    for _ in range(2):
        text = exposed.show(
            *(out(at, comm=name, rport=80) for at, name in enumerate(names, 1)), listeners=shown
        )
        for metric in ("tcptop_connections", "tcptop_listeners"):
            found = [one["process"] for one in _labels(text, metric)]
            assert sorted(found) == sorted(["\ufffd", "?", "a\ufffd", "curl", "über", "\ufffd" * 15])
            assert value(text, metric, process="\ufffd") == 2
    text = exposed.show(out(7, comm=b"curl", rport=80, bytes_acked=5001))
    assert value(text, "tcptop_sent_bytes_total", process="curl") == 5001


def test_who_had_an_orphan_and_who_listens_stand_in_for_a_process_that_is_not_known(exposed: Exposed) -> None:
    text = exposed.show(
        row(1, comm=b"", holder=Holder.NOBODY, was_comm=b"sender", direction=Direction.OUT),
        row(2, comm=b"", direction=Direction.IN, lport=8080, laddr="192.0.2.1"),
        row(3, comm=b"", holder=Holder.KERNEL, direction=Direction.OUT),
        row(4, comm=b"", direction=Direction.OUT),
        listeners=listeners_of(listener(1, comm=b"web", lport=8080)),
    )
    assert {one["process"] for one in _labels(text)} == {"sender", "web", "[kernel]", "?"}


# Bounds


def _of_services(ports: range, **fields: Any) -> list[dict[str, Any]]:
    return [out(port, rport=port, bytes_acked=10, **fields) for port in ports]


def test_series_have_a_bound_and_the_rest_is_counted_as_other() -> None:
    exposed = Exposed(most=10)
    text = exposed.show(*_of_services(range(1, 101)), *(out(200 + at, rport=99) for at in range(3)))
    assert len(_labels(text)) == 11
    assert value(text, "tcptop_connections", service="other", process="other") == 92 - 2
    assert value(text, "tcptop_connections", service="99") == 4  # those with the most come first
    assert value(text, "tcptop_connections") == 103
    assert value(text, "tcptop_label_sets") == value(text, "tcptop_label_sets_limit") == 10


def test_nothing_is_lost_or_taken_back_while_groups_come_and_go() -> None:
    exposed = Exposed(most=10)
    rng, last, total = np.random.default_rng(5), dict[tuple[str, ...], float](), 0
    ids = itertools.count(1)
    for _ in range(50):
        ports = rng.integers(1, 200, 30)
        text = exposed.show(*(at_end(out(next(ids), rport=int(port), bytes_acked=7)) for port in ports))
        total += 7 * len(ports)
        now = {
            tuple(one.labels.values()): one.value
            for one in parsed(text)
            if one.name == "tcptop_sent_bytes_total"
        }
        assert sum(now.values()) == total
        assert len(now) <= 11
        assert all(now[key] >= value for key, value in last.items())
        last = now


def test_a_group_that_lives_stays_and_one_that_is_gone_is_removed_after_minutes(exposed: Exposed) -> None:
    gone, lives = out(1, rport=80), out(2, rport=443)
    exposed.show(gone, lives)
    text = exposed.show(lives, after_ns=KEPT_NS)
    assert {one["service"] for one in _labels(text)} == {"80", "443"}
    text = exposed.show(lives, after_ns=1)
    assert {one["service"] for one in _labels(text)} == {"443"}
    assert 'service="80"' not in text
    # What comes back begins anew, as a process that was started again does.
    text = exposed.show(lives, out(3, rport=80, bytes_acked=1))
    assert value(text, "tcptop_sent_bytes_total", service="80") == 1


def test_a_group_that_lives_stays_however_long_a_refresh_takes(exposed: Exposed) -> None:
    exposed.show(out(1, bytes_acked=10))
    text = exposed.show(out(1, bytes_acked=12), after_ns=10 * KEPT_NS)
    assert value(text, "tcptop_sent_bytes_total") == 12


def test_a_slot_that_is_free_again_goes_to_the_next_with_nothing_left_in_it() -> None:
    exposed = Exposed(most=1)
    exposed.show(out(1, rport=80, bytes_acked=1000, rtt_samples=1, rtt_lo_us=5, rtt_hi_us=5, rtt_sum_us=5))
    text = exposed.show(out(2, rport=443, bytes_acked=3))
    assert value(text, "tcptop_sent_bytes_total", service="other") == 3
    text = exposed.show(out(3, rport=25, bytes_acked=2), after_ns=2 * KEPT_NS)
    assert value(text, "tcptop_sent_bytes_total", service="25") == 2
    assert value(text, "tcptop_sent_bytes_total", service="other") == 3
    assert value(text, "tcptop_rtt_seconds_count", service="25") == 0
    assert 'service="80"' not in text


def test_what_a_filter_leaves_out_is_not_counted() -> None:
    exposed = Exposed(Filter(text="rtt>50ms", family=4))
    quick = out(1, srtt_us=1000, bytes_acked=10)
    text = exposed.show(quick, out(2, srtt_us=90_000, bytes_acked=30), out(3, family=6, srtt_us=90_000))
    assert value(text, "tcptop_sent_bytes_total") == 30
    # It begins to match: what it brought before was not of what is counted.
    text = exposed.show(quick | {"srtt_us": 80_000, "bytes_acked": 14})
    assert value(text, "tcptop_sent_bytes_total") == 34


# Listeners, the machine, and the program


def test_listeners_are_counted_by_process_and_service(exposed: Exposed) -> None:
    def shown(drops: int, *others: dict[str, Any]) -> str:
        full = listener(1, comm=b"web", lport=80, queue=129, drops=drops)
        workers = listener(2, comm=b"web", lport=80, laddr="192.0.2.1", queue=1)
        return exposed.show(listeners=listeners_of(full, workers, *others))

    text = shown(1000)
    assert value(text, "tcptop_listeners", process="web", service="80") == 2
    assert value(text, "tcptop_full_listeners") == 1
    assert value(text, "tcptop_listen_queue_connections") == 130
    assert value(text, "tcptop_listen_queue_limit") == 256
    assert value(text, "tcptop_listen_drops_total") == 0  # they are of before we came
    text = shown(1005, listener(3, comm=b"ssh", lport=22, drops=2))
    assert value(text, "tcptop_listen_drops_total", process="web") == 5
    assert value(text, "tcptop_listen_drops_total", process="ssh") == 2


def test_what_is_not_known_has_no_series(exposed: Exposed) -> None:
    text = exposed.show(out(1), listeners=listeners_of(listener(1)))
    assert "tcptop_time_wait_sockets" not in text
    assert "process_resident_memory_bytes" not in text
    lacking = Health("fentry", lacking=frozenset({"answers", "queue", "drops"}), rss_bytes=5)
    text = exposed.show(
        out(1),
        health=lacking,
        listeners=listeners_of(listener(1)),
        waiting=(Waiting(1, 3, 1), Waiting(2, 4, 0)),
    )
    assert value(text, "tcptop_time_wait_sockets") == 7
    assert value(text, "tcptop_syn_recv_sockets") == 1
    assert value(text, "process_resident_memory_bytes") == 5
    assert value(text, "tcptop_reply_seconds_count") == 0
    for name in ("answer_seconds", "full_listeners", "listen_queue_connections", "listen_drops_total"):
        assert f"tcptop_{name}" not in text


def test_the_program_tells_how_it_is_doing(exposed: Exposed) -> None:
    health = Health("fentry", dropped_records=4, untracked=2, problem="cannot list the sockets: x")
    text = exposed.show(health=health)
    assert value(text, "tcptop_dropped_records_total") == 4
    assert value(text, "tcptop_untracked_connections_total") == 2
    assert value(text, "tcptop_problem") == 1
    assert value(text, "process_cpu_seconds_total") > 0
    assert value(text, "process_start_time_seconds") == 5
    assert value(text, "tcptop_build_info", kernel=r"6.1 \"a\\\n\"", hook="fentry") == 1
    assert value(exposed.show(), "tcptop_problem") == 0
    assert value(text, "tcptop_refresh_timestamp_seconds") == 6.0


# Documents


def _documented() -> Iterator[tuple[str, str, str, str]]:
    """Name, kind, labels and meaning of each metric in docs/metrics.md."""
    for line in _DOCUMENT.read_text().splitlines():
        match = re.fullmatch(r"\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|", line)
        if match:
            yield match[1], match[2], match[3].replace("`", ""), match[4]


def test_the_documented_metrics_are_those_that_there_are() -> None:
    own_labels = {
        table.CONNECTION_METRICS: ", ".join(labels.OF_CONNECTIONS),
        table.LISTENER_METRICS: ", ".join(labels.OF_LISTENERS),
        table.PROGRAM_METRICS: "",
        (table.BUILD_INFO,): "version, kernel, hook",
    }
    there = [
        (one.name, one.kind, ", ".join(filter(None, (own, one.label))), one.meaning)
        for part, own in own_labels.items()
        for one in part
    ]
    assert list(_documented()) == there
