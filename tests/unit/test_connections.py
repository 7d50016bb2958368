"""The state: fed by hand with records, under a clock of the test's own."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.model.records import RECORD, UNTRACKED_ID, Kind
from tcptop_rtt.model.snapshot import SPARK_CELLS
from tcptop_rtt.tracking.connections import CLOSED_KEPT, CLOSED_SHOWN_NS
from tcptop_rtt.tracking.room import LEAST
from tests.unit.harness import SECOND_NS, Harness, entries, records


def test_samples_between_two_snapshots_are_merged(harness: Harness) -> None:
    harness.connections.ingest(
        records(
            {
                "window_start": 1,
                "rtt_samples": 3,
                "rtt_lo_us": 20,
                "rtt_hi_us": 90,
                "last_rtt_us": 40,
                "rtt_sum_us": 150,
            },
            {
                "window_start": 2,
                "rtt_samples": 2,
                "rtt_lo_us": 10,
                "rtt_hi_us": 50,
                "last_rtt_us": 30,
                "rtt_sum_us": 60,
            },
        )
    )
    (row,) = harness.rows()
    assert (row["rtt_samples"], row["rtt_lo_us"], row["rtt_hi_us"], row["last_rtt_us"]) == (5, 10, 90, 30)
    assert row["rtt_sum_us"] == 210
    (row,) = harness.rows()
    assert row["rtt_samples"] == 0
    harness.connections.ingest(
        records({"window_start": 3, "rtt_samples": 1, "rtt_lo_us": 60, "rtt_hi_us": 60, "last_rtt_us": 60})
    )
    (row,) = harness.rows()
    assert (row["rtt_samples"], row["rtt_lo_us"], row["rtt_hi_us"]) == (1, 60, 60)


def test_an_interval_that_a_scan_has_reported_is_not_counted_twice(harness: Harness) -> None:
    interval = {"window_start": 7, "rtt_samples": 4, "rtt_lo_us": 10, "rtt_hi_us": 20, "last_rtt_us": 20}
    harness.scan(entries({"tgid": 9, **interval}, {"tgid": 10, **interval}))
    harness.connections.ingest(records(interval))
    (row,) = harness.rows()
    assert row["rtt_samples"] == 4


def test_an_interval_that_was_reported_during_a_scan_is_not_counted_twice(harness: Harness) -> None:
    first = {"window_start": 7, "rtt_samples": 4, "rtt_lo_us": 10, "rtt_hi_us": 20}
    harness.connections.ingest(records(first, {**first, "window_start": 8, "rtt_samples": 2}))
    harness.scan(entries(first))
    (row,) = harness.rows()
    assert row["rtt_samples"] == 6


def test_rows_and_their_history_stay_when_room_is_made_for_more(harness: Harness) -> None:
    sample = {"window_start": 1, "rtt_samples": 1, "rtt_lo_us": 70, "rtt_hi_us": 70, "srtt_us": 60}
    harness.connections.ingest(records({"time_ns": harness.now_ns, **sample}))
    harness.connections.ingest(records(*({"id": number, "sock": number} for number in range(1000, 4000))))
    snapshot = harness.snapshot()
    assert len(snapshot.rows) == 3001
    assert (snapshot.rows["srtt_us"][0], snapshot.rows["rtt_hi_us"][0]) == (60, 70)
    assert snapshot.cells_us[-1][0] == 70


def test_a_trace_is_in_order_of_time_though_a_scan_brings_older_samples_later(harness: Harness) -> None:
    harness.connections.ingest(records({"time_ns": 1}))
    harness.connections.set_trace(1)
    harness.connections.ingest(records({"time_ns": 5, "single_rtt_us": 50}))
    harness.scan(entries({"time_ns": 4, "single_rtt_us": 40}))
    trace = harness.snapshot().trace
    assert trace
    assert trace.rtt_us.tolist() == [40, 50]


def test_samples_that_an_interval_has_gained_since_it_was_counted_are_counted(harness: Harness) -> None:
    harness.connections.ingest(
        records({"window_start": 7, "rtt_samples": 4, "rtt_hi_us": 20, "rtt_sum_us": 60})
    )
    harness.snapshot()
    harness.connections.ingest(
        records({"window_start": 7, "rtt_samples": 6, "rtt_hi_us": 90, "rtt_sum_us": 160})
    )
    (row,) = harness.rows()
    assert (row["rtt_samples"], row["rtt_hi_us"], row["rtt_sum_us"]) == (2, 90, 100)


def test_the_newest_record_of_a_row_counts_whatever_its_kind(harness: Harness) -> None:
    segments = [{"time_ns": when, "srtt_us": when} for when in (1, 2, 4)]
    timeout = {"time_ns": 3, "kind": Kind.RETRANS, "retransmits": 2, "retrans": 9}
    harness.connections.ingest(records(*segments[:2], timeout))
    (row,) = harness.rows()
    assert (row["srtt_us"], row["retrans"], row["stalled"]) == (2, 9, True)
    harness.connections.ingest(records(timeout, segments[2]))
    (row,) = harness.rows()
    assert (row["srtt_us"], row["retrans"], row["stalled"]) == (4, 0, False)


def test_what_only_a_scan_reads_is_copied_though_a_newer_record_has_come_before(harness: Harness) -> None:
    harness.connections.ingest(records({"time_ns": 5, "srtt_us": 50}))
    entry = {"time_ns": 4, "srtt_us": 40, "rto_us": 200_000, "delivery_rate": 1000, "pacing_rate": 2000}
    harness.scan(entries(entry))
    (row,) = harness.rows()
    assert row["srtt_us"] == 50
    assert (row["rto_us"], row["delivery_rate_bps"], row["pacing_rate_bps"]) == (200_000, 8000, 16000)


def test_a_scan_that_saw_a_connection_before_its_end_does_not_call_it_stalled(harness: Harness) -> None:
    harness.connections.ingest(
        records({"time_ns": 5, "retransmits": 3}, {"time_ns": 6, "retransmits": 3, "kind": Kind.CLOSE})
    )
    harness.scan(entries({"time_ns": 4, "retransmits": 3}))
    (row,) = harness.rows()
    assert row["closed"]
    assert not row["stalled"]


def test_the_spark_has_the_highest_sample_of_each_second_and_gaps_between(harness: Harness) -> None:
    one = {"rtt_samples": 1, "rtt_lo_us": 1, "time_ns": harness.now_ns}
    harness.connections.ingest(
        records({"window_start": 1, "rtt_hi_us": 100, **one}, {"window_start": 2, "rtt_hi_us": 70, **one})
    )
    harness.wait(3.0)
    one["time_ns"] = harness.now_ns
    # Sampled in the second before the one in which it is read.
    early = {**one, "time_ns": harness.now_ns - 1, "window_start": 3, "rtt_hi_us": 60}
    harness.connections.ingest(records(early, {"window_start": 4, "rtt_hi_us": 50, **one}))
    spark = harness.snapshot().spark_us(np.array([0]))[:, 0]
    assert len(spark) == SPARK_CELLS
    assert spark[-4:].tolist() == pytest.approx([100, np.nan, 60, 50], nan_ok=True)
    assert np.isnan(spark[:-4]).all()


def test_a_closed_connection_stays_five_seconds_and_its_place_is_blank_for_the_next(harness: Harness) -> None:
    sample = {"window_start": 1, "rtt_samples": 1, "rtt_hi_us": 100}
    harness.connections.ingest(records(sample, {"kind": Kind.CLOSE, "state": 7}))
    (row,) = harness.rows()
    assert row["closed"]
    harness.wait(CLOSED_SHOWN_NS / SECOND_NS - 0.1)
    assert len(harness.rows()) == 1
    harness.wait(0.2)
    harness.snapshot()
    assert len(harness.rows()) == 0
    harness.connections.ingest(records({"id": 2, "sock": 100}))
    snapshot = harness.snapshot()
    assert snapshot.rows["id"].tolist() == [2]
    assert np.isnan(snapshot.cells_us).all()
    assert not snapshot.rows["closed"][0]


def test_one_that_lived_between_two_snapshots_is_shown_once_however_late(harness: Harness) -> None:
    harness.connections.ingest(
        records({"kind": Kind.OPEN, "open_seen": 1}, {"kind": Kind.CLOSE, "open_seen": 1})
    )
    harness.wait(3600)
    assert harness.rows()["closed"].tolist() == [True]
    assert len(harness.rows()) == 0


def test_a_birth_at_a_known_socket_ends_the_connection_that_was_there(harness: Harness) -> None:
    harness.connections.ingest(records({"id": 1}))
    harness.connections.ingest(records({"id": 2, "open_seen": 1, "kind": Kind.OPEN}))
    rows = harness.rows()
    assert dict(zip(rows["id"].tolist(), rows["closed"].tolist(), strict=True)) == {1: True, 2: False}


def test_the_local_port_is_kept_when_the_record_of_the_end_lacks_it(harness: Harness) -> None:
    harness.connections.ingest(records({"lport": 5000}, {"kind": Kind.CLOSE, "lport": 0}))
    assert harness.rows()["lport"].tolist() == [5000]


def test_a_segment_brings_the_endpoints_if_no_record_has_before(harness: Harness) -> None:
    harness.connections.ingest(records({"kind": Kind.OPEN, "lport": 0, "uid": 7}))
    harness.connections.ingest(records({"lport": 5000, "rport": 80, "uid": 7, "direction": 1}))
    harness.connections.ingest(records({"lport": 5000, "rport": 80, "uid": 7, "direction": 1, "srtt_us": 3}))
    (row,) = harness.rows()
    shown = {name: row[name] for name in ("lport", "rport", "uid", "direction", "srtt_us")}
    assert shown == {"lport": 5000, "rport": 80, "uid": 7, "direction": 1, "srtt_us": 3}


def test_of_several_holders_the_one_seen_using_the_socket_is_shown(harness: Harness) -> None:
    harness.scan(entries({"tgid": 20, "comm": b"low"}, {"tgid": 30, "comm": b"high"}))
    assert harness.rows()["pid"].tolist() == [20]
    harness.connections.ingest(records({"kind": Kind.USER, "tgid": 30, "comm": b"high"}))
    harness.scan(entries({"tgid": 20, "comm": b"low"}, {"tgid": 30, "comm": b"high"}))
    (row,) = harness.rows()
    assert (row["pid"], row["comm"]) == (30, b"high")
    harness.scan(entries({"tgid": 20, "comm": b"low"}))
    (row,) = harness.rows()
    assert (row["pid"], row["comm"]) == (20, b"low")
    harness.scan(entries())
    assert harness.rows()["pid"].tolist() == [20]  # a dead process's name stays with its connection


def test_directions_of_older_connections_come_from_listeners_and_chosen_ports(harness: Harness) -> None:
    harness.scan(
        entries(
            {"id": 0, "sock": 1, "state": 10, "tgid": 8, "lport": 443},
            {"id": 1, "sock": 2, "tgid": 9, "lport": 443, "rport": 9},
            {"id": 2, "sock": 3, "tgid": 9, "lport": 40000, "port_chosen": 1},
            {"id": 3, "sock": 4, "tgid": 9, "lport": 41000},
            {"id": 4, "sock": 5, "tgid": 9, "lport": 443, "netns": 7},
        )
    )
    rows = harness.rows()
    assert dict(zip(rows["id"].tolist(), rows["direction"].tolist(), strict=True)) == {1: 2, 2: 1, 3: 0, 4: 0}


def test_a_listener_at_another_address_has_accepted_nothing(harness: Harness) -> None:
    one, other = np.frombuffer(bytes(15) + b"\1" + bytes(15) + b"\2", "V16")
    harness.scan(
        entries(
            {"id": 0, "sock": 1, "state": 10, "tgid": 8, "lport": 41000, "laddr": one},
            {"id": 1, "sock": 2, "tgid": 9, "lport": 41000, "laddr": one, "rport": 9},
            {"id": 2, "sock": 3, "tgid": 9, "lport": 41000, "laddr": other, "rport": 9},
        )
    )
    rows = harness.rows()
    assert dict(zip(rows["id"].tolist(), rows["direction"].tolist(), strict=True)) == {1: 2, 2: 0}


def test_the_direction_of_an_older_connection_is_the_opposite_of_its_other_ends(harness: Harness) -> None:
    one, other = np.frombuffer(bytes(15) + b"\1" + bytes(15) + b"\2", "V16")
    client = {"tgid": 9, "lport": 41000, "laddr": one, "rport": 443, "raddr": other}
    server = {"tgid": 9, "lport": 443, "laddr": other, "rport": 41000, "raddr": one}
    harness.scan(
        entries(
            {"id": 0, "sock": 1, "state": 10, "tgid": 8, "lport": 443, "laddr": other},
            {"id": 1, "sock": 2, **client},
            {"id": 2, "sock": 3, **server},
            {"id": 3, "sock": 4, **client, "netns": 7},
            {"id": 4, "sock": 5, **client, "lport": 41001},
        )
    )
    rows = harness.rows()
    assert dict(zip(rows["id"].tolist(), rows["direction"].tolist(), strict=True)) == {1: 1, 2: 2, 3: 0, 4: 0}


def test_one_that_is_not_tracked_stays_the_same_once_it_is(harness: Harness) -> None:
    first = int(UNTRACKED_ID) + 5
    harness.scan(entries({"id": first, "sock": 1, "tgid": 9, "lport": 41000}))
    harness.scan(entries({"id": 7, "sock": 1, "tgid": 9, "lport": 41000}))
    rows = harness.rows()
    assert (rows["id"].tolist(), rows["closed"].tolist()) == ([first], [False])


def test_one_that_is_not_tracked_is_another_than_that_which_had_its_memory_before(harness: Harness) -> None:
    first, second = int(UNTRACKED_ID) + 5, int(UNTRACKED_ID) + 6
    harness.scan(entries({"id": first, "sock": 1, "tgid": 9, "lport": 41000}))
    harness.scan(entries({"id": second, "sock": 1, "tgid": 9, "lport": 41001}))
    rows = harness.rows()
    found = dict(zip(rows["id"].tolist(), rows["closed"].tolist(), strict=True))
    assert found == {first: True, second: False}


def test_rates_count_from_what_was_there_at_first_sight(harness: Harness) -> None:
    harness.connections.ingest(records({"kind": Kind.USER, "tgid": 5}))  # has no counters
    harness.wait(1)
    harness.scan(entries({"bytes_acked": 10**9, "time_ns": harness.now_ns}))
    assert harness.rows()["out_bps"].tolist() == [0]
    for second in range(1, 9):
        harness.wait(1)
        counters = {"bytes_acked": 10**9 + second * 125_000, "time_ns": harness.now_ns}
        harness.scan(entries(counters))
        (row,) = harness.rows()
    assert row["out_bps"] == pytest.approx(1e6, rel=0.01)
    assert row["in_bps"] == 0


def test_rates_are_right_between_scans_and_end_with_the_traffic(harness: Harness) -> None:
    born = {"open_seen": 1, "opened_ns": harness.now_ns, "time_ns": harness.now_ns}
    harness.connections.ingest(records({"kind": Kind.OPEN, **born}))
    shown = []
    for second in range(1, 60):  # silent, then 1 Mbit/s, then silent; scanned each fourth second
        harness.wait(1)
        if second % 4 == 0:
            total = 125_000 * min(max(second - 20, 0), 20)
            harness.scan(entries({"bytes_received": total, **born, "time_ns": harness.now_ns}))
        shown.append(float(harness.rows()["in_bps"][0]))
    assert shown[:23] == [0.0] * 23
    assert shown[23:43] == pytest.approx([1e6] * 20, rel=0.03)
    assert shown[-1] < 1_000
    harness.connections.ingest(
        records({"kind": Kind.CLOSE, "bytes_received": 10**9, **born, "time_ns": harness.now_ns})
    )
    at_the_end = harness.rows()["in_bps"][0]
    harness.wait(4)
    assert 0 < harness.rows()["in_bps"][0] < 0.05 * at_the_end


def test_what_scans_no_longer_meet_goes_on_ageing_and_its_rates_fall(harness: Harness) -> None:
    """As in a network namespace that is gone, where the kernel still sends what its process has left."""
    other = {"id": 2, "sock": 200}
    for _ in range(3):
        harness.wait(1)
        at = {"bytes_acked": harness.now_ns // 1000, "last_ack_ms": 8, "last_received_ms": 0xFFFFFFFF}
        at |= {"time_ns": harness.now_ns, "open_seen": 1}
        harness.scan(entries(at, at | other))
        harness.rows()
    rate = harness.rows()["out_bps"][0]
    assert rate > 1e6
    for _ in range(4):
        harness.wait(10)
        harness.scan(entries({**at, **other, "time_ns": harness.now_ns}))
        rows = harness.rows()
    first, second = (rows[int(np.flatnonzero(rows["id"] == id_)[0])] for id_ in (1, 2))
    assert (first["last_ack_ms"], second["last_ack_ms"]) == (40_008, 8)
    assert first["last_received_ms"] == 0xFFFFFFFF
    assert first["out_bps"] < rate / 1000
    harness.scan(entries({**at, "time_ns": harness.now_ns}))
    assert harness.rows()["last_ack_ms"].tolist() == [8, 8]


def test_the_rate_counts_from_the_opening_though_its_record_was_lost(harness: Harness) -> None:
    born = {"open_seen": 1, "opened_ns": harness.now_ns}
    harness.wait(20)
    harness.connections.ingest(records({"bytes_acked": 2_500_000, **born, "time_ns": harness.now_ns}))
    assert harness.rows()["out_bps"].tolist() == pytest.approx([1e6], rel=0.01)


def test_what_waited_in_the_ring_buffer_during_a_scan_does_not_undo_the_scan(harness: Harness) -> None:
    harness.scan(entries({"time_ns": 10, "bytes_acked": 500, "srtt_us": 20, "state": 8}))
    harness.snapshot()
    harness.connections.ingest(records({"time_ns": 9, "bytes_acked": 400, "srtt_us": 10, "state": 1}))
    harness.wait(1)
    (row,) = harness.rows()
    assert (row["bytes_acked"], row["srtt_us"], row["state"], row["out_bps"]) == (500, 20, 8, 0)
    harness.connections.ingest(records({"time_ns": 11, "bytes_acked": 600, "srtt_us": 30, "state": 8}))
    (row,) = harness.rows()
    assert (row["bytes_acked"], row["srtt_us"]) == (600, 30)


def test_a_connection_stalls_with_a_timeout_or_two_unanswered_probes(harness: Harness) -> None:
    for given, stalled in (
        ({"retransmits": 1}, True),
        ({"probes": 1}, False),
        ({"probes": 2}, True),
        ({}, False),
    ):
        harness.scan(entries(given))
        assert harness.rows()["stalled"].tolist() == [stalled], given


def test_an_unknown_lowest_rtt_is_zero_not_the_kernels_mark(harness: Harness) -> None:
    harness.connections.ingest(records({"min_rtt_us": 0xFFFFFFFF}))
    assert harness.rows()["min_rtt_us"].tolist() == [0]


def count(harness: Harness, **counters: int) -> np.void:
    """Scan the connection, and look at its row."""
    harness.scan(entries({"time_ns": harness.now_ns, **counters}))
    row: np.void = harness.rows()[0]
    return row


def test_of_a_burst_long_ago_nothing_is_left_in_the_last_minute(harness: Harness) -> None:
    born = {"open_seen": 1, "opened_ns": harness.now_ns, "kind": Kind.OPEN}
    harness.connections.ingest(records({**born, "time_ns": harness.now_ns}))
    shown = []
    for second in range(1, 181):  # a segment in each second, and of the first ten all are sent again
        harness.wait(1)
        counters = {"data_segs_out": second, "busy_us": 5000 * second + 2**33, "retrans": min(second, 10)}
        row = count(harness, **counters, open_seen=1, opened_ns=born["opened_ns"])
        shown.append([int(row[name]) for name in ("window_ms", "data_segs_out_1m", "retrans_1m")])
    assert shown[:50] == [[1000 * n, n, min(n, 10)] for n in range(1, 51)]
    for window_ms, sent, again in shown[70:]:
        assert 50_000 <= window_ms <= 61_000
        assert sent == window_ms // 1000
        assert again == 0
    assert row["retrans"] == 10
    assert row["busy_us_1m"] == 5 * row["window_ms"]


def test_what_an_older_connection_had_at_first_sight_is_not_of_the_last_minute(harness: Harness) -> None:
    harness.connections.ingest(records({"time_ns": harness.now_ns, "retrans": 500}))  # counts no segments
    row = harness.rows()[0]
    assert (row["scanned"], row["window_ms"], row["retrans_1m"]) == (False, 0, 0)
    harness.wait(3)
    row = count(harness, data_segs_out=900, retrans=500)
    assert (row["scanned"], row["window_ms"], row["data_segs_out_1m"], row["retrans_1m"]) == (True, 0, 0, 0)
    harness.wait(3)
    row = count(harness, data_segs_out=960, retrans=506)
    assert (row["window_ms"], row["data_segs_out_1m"], row["retrans_1m"]) == (3000, 60, 6)


def test_retransmissions_and_segments_of_the_last_minute_are_of_the_same_moment(harness: Harness) -> None:
    count(harness, data_segs_out=900, retrans=0)
    harness.wait(3)
    count(harness, data_segs_out=1000, retrans=1)
    # Until the next scan counts the segments, too.
    harness.connections.ingest(records({"kind": Kind.RETRANS, "retrans": 99, "time_ns": harness.now_ns + 1}))
    row = harness.rows()[0]
    assert (row["retrans"], row["retrans_1m"], row["data_segs_out_1m"]) == (99, 1, 100)


def test_rare_scans_make_the_minute_longer_not_wrong(harness: Harness) -> None:
    count(harness, data_segs_out=100)
    for second in range(1, 6):
        harness.wait(100)
        row = count(harness, data_segs_out=100 + 100 * second)
        assert (row["window_ms"], row["data_segs_out_1m"]) == (100_000, 100)


def test_the_last_minute_moves_with_its_row_and_is_empty_for_a_new_connection(harness: Harness) -> None:
    first, second = {"id": 1, "sock": 100, "segs_in": 500}, {"id": 2, "sock": 200, "segs_in": 20}
    harness.scan(entries({**first, "time_ns": harness.now_ns}, {**second, "time_ns": harness.now_ns}))
    harness.connections.ingest(records({"id": 1, "sock": 100, "kind": Kind.CLOSE, "time_ns": harness.now_ns}))
    harness.snapshot()
    harness.wait(6)
    harness.snapshot()  # the second one takes the place of the first
    harness.scan(entries({**second, "segs_in": 27, "time_ns": harness.now_ns}))
    harness.connections.ingest(records(*({"id": number, "sock": number} for number in range(1000, 4000))))
    rows = harness.rows()
    gained = dict(zip(rows["id"].tolist(), rows["segs_in_1m"].tolist(), strict=True))
    assert gained.pop(2) == 7
    assert set(gained.values()) == {0}


def test_counters_that_fall_begin_anew(harness: Harness) -> None:
    """As of a socket that is used again between the same addresses and ports, and keeps its id."""
    began = {"opened_ns": harness.now_ns, "open_seen": 1}
    for second in range(1, 31):
        harness.wait(1)
        many = {"segs_in": 50 * second, "busy_us": 2**33 + 10**6 * second, "retrans": 9}
        count(harness, bytes_acked=10**6 * second, bytes_received=10**6 * second, **many, **began)
    harness.wait(1)
    few = {"segs_in": 2, "busy_us": 400, "retrans": 1}
    row = count(harness, bytes_acked=125, bytes_received=10**9, **few, **began)
    gained = [f"{name}_1m" for name in few]
    assert [row[name] for name in ("window_ms", *gained)] == [0, 0, 0, 0]
    assert row["out_bps"] < 8 * 10**6 < row["in_bps"]
    harness.wait(1)
    few = {"segs_in": 7, "busy_us": 500, "retrans": 1}
    row = count(harness, bytes_acked=125, bytes_received=10**9, **few, **began)
    assert [row[name] for name in ("window_ms", *gained)] == [1000, 5, 100, 0]


def test_snapshots_are_read_only_and_do_not_change_afterwards(harness: Harness) -> None:
    harness.connections.ingest(records({"srtt_us": 5}))
    snapshot = harness.snapshot()
    harness.connections.ingest(records({"srtt_us": 6}))
    assert snapshot.rows["srtt_us"].tolist() == [5]
    with pytest.raises(ValueError, match="read-only"):
        snapshot.rows["srtt_us"][0] = 7


def test_thousands_of_connections_come_and_go_without_growing(harness: Harness) -> None:
    for generation in range(5):
        ids = [{"id": generation * 3000 + n + 1, "sock": 100 + n} for n in range(3000)]
        harness.connections.ingest(records(*ids))
        assert (~harness.rows()["closed"]).sum() == 3000
        assert harness.connections._store.capacity == 3000
        harness.connections.ingest(records(*({"kind": Kind.CLOSE, **one} for one in ids)))
        harness.snapshot()
        harness.wait(6)
        harness.snapshot()
        assert len(harness.rows()) == 0
        assert harness.connections._store.capacity == LEAST


def test_a_trace_begins_with_the_history_and_logs_every_single_sample(harness: Harness) -> None:
    harness.connections.ingest(
        records(
            {
                "window_start": 1,
                "time_ns": harness.now_ns,
                "rtt_samples": 1,
                "rtt_hi_us": 100,
                "rtt_lo_us": 100,
            }
        )
    )
    harness.wait(2)
    assert harness.connections.set_trace(1) == 100
    past = harness.snapshot().trace
    assert past
    assert past.rtt_us.tolist() == [100]
    assert past.srtt_us.tolist() == [0]
    assert past.samples == 0
    assert past.weight.tolist() == [0]  # the past has the highest of each second only
    assert (past.time_s < 0).all()
    harness.connections.ingest(
        records(
            *({"single_rtt_us": us, "srtt_us": 50, "time_ns": harness.now_ns + us} for us in (10, 20, 30)),
            {"id": 2, "sock": 200, "single_rtt_us": 999},
        )
    )
    harness.wait(1)
    trace = harness.snapshot().trace
    assert trace
    assert (trace.samples, trace.lowest_us, trace.highest_us) == (3, 10, 30)
    assert trace.rtt_us.tolist() == [100, 10, 20, 30]
    assert trace.weight.tolist() == [0, 1, 1, 1]
    harness.connections.ingest(records({"kind": Kind.CLOSE}))
    harness.snapshot()
    harness.wait(10)
    harness.snapshot()
    assert harness.rows()["id"].tolist() == [2]
    assert harness.snapshot().trace  # the log outlives the row


def test_a_trace_tells_when_segments_were_sent_again_and_when_it_was_stalled(harness: Harness) -> None:
    start = harness.now_ns
    harness.connections.ingest(records({"time_ns": start, "retrans": 5}))
    harness.connections.set_trace(1)

    def after(seconds: float, **fields: int) -> dict[str, int]:
        return {"time_ns": start + round(seconds * SECOND_NS), **fields}

    harness.connections.ingest(
        records(
            after(1.01, retrans=6),
            after(1.02, retrans=7),
            after(2, retrans=7),
            after(3, retrans=8, retransmits=1, kind=Kind.RETRANS),
            after(3.5, kind=Kind.USER),  # it has no counters
            after(4, retrans=8),
        )
    )
    harness.scan(entries(after(3.2, retrans=8, retransmits=1)))  # it is older than what has been read
    harness.connections.ingest(records(after(4.5, retrans=8, probes=2), after(5, probes=2, kind=Kind.CLOSE)))
    harness.wait(6)
    trace = harness.snapshot().trace
    assert trace
    assert (trace.changes.time_s + 6).round(2).tolist() == [0, 1.02, 3, 4, 4.5, 5]
    assert trace.changes.retrans.tolist() == [5, 7, 8, 8, 8, 0]
    assert trace.changes.stalled.tolist() == [False, False, True, False, True, False]


def test_connections_that_have_ended_do_not_wait_for_a_snapshot_in_any_number(harness: Harness) -> None:
    def end(ids: range) -> None:
        made = np.zeros(len(ids), RECORD)
        made["id"], made["sock"], made["kind"] = np.array(ids) + 2, np.array(ids) + 2, Kind.CLOSE
        harness.connections.ingest(made)

    end(range(CLOSED_KEPT))
    harness.wait(CLOSED_SHOWN_NS / SECOND_NS + 1)
    assert not harness.connections.snapshot_is_urgent
    end(range(CLOSED_KEPT, 2 * CLOSED_KEPT))
    assert not harness.connections.snapshot_is_urgent  # they have to be shown for a while
    harness.wait(CLOSED_SHOWN_NS / SECOND_NS + 1)
    assert harness.connections.snapshot_is_urgent
    assert len(harness.rows()) == 2 * CLOSED_KEPT
    assert not harness.connections.snapshot_is_urgent
    assert len(harness.rows()) == 0


def test_an_id_that_no_connection_has_any_more_closes_none(harness: Harness) -> None:
    """It was asked for, and got another one since. The last of all rows stands at the end of the columns."""
    harness.connections.ingest(records(*({"id": number, "sock": number} for number in range(2, LEAST + 2))))
    harness.connections.close_missing([LEAST + 2])
    assert not harness.rows()["closed"].any()
