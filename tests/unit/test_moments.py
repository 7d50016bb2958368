"""What of note is found from one snapshot to the next, and how often it is told."""

from __future__ import annotations

from typing import Any

import numpy as np

from tcptop_rtt.model.rows import CONNECT_ERRORS
from tcptop_rtt.past.moments import ALIKE_NS, HOLD_NS, KEPT, Moment, MomentFinder
from tcptop_rtt.past.signs import BURST_PER_S
from tcptop_rtt.view import addresses
from tcptop_rtt.view import format as fmt
from tests.unit.rows import listener, listeners_of, row, target, targets_of
from tests.unit.snapshots import S, snapshot_at

HOLD_S, ALIKE_S = HOLD_NS // S, ALIKE_NS // S
STALLED = {"stalled": True, "retransmits": 2, "last_ack_ms": 3000}
LOSSY = {"retrans_1m": 7, "data_segs_out_1m": 630, "window_ms": 60_000, "retrans": 7}
OUT = 1


class Log:
    """A finder, and the time of the next snapshot."""

    def __init__(self, step_s: float = 1.0) -> None:
        self._finder = MomentFinder()
        self._step_ns = round(step_s * S)
        self.now_ns = 100 * S

    def look(
        self, *connections: dict[str, Any], cells: float = np.nan, times: int = 1, **more: Any
    ) -> tuple[Moment, ...]:
        for _ in range(times):
            self.now_ns += self._step_ns
            found = self._finder.look(snapshot_at(self.now_ns, *connections, cells=cells, **more))
        return found


def words(moments: tuple[Moment, ...]) -> list[str]:
    return [moment.words for moment in moments]


def test_one_stalled_connection_is_one_moment_however_long_and_unsteadily_it_is_stalled() -> None:
    log = Log()
    assert log.look(row(1), row(2)) == ()
    shut = STALLED | {"snd_wnd_bytes": 0, "notsent_bytes": 5}  # which has two words
    (moment,) = log.look(row(1, **shut), row(2))
    assert (moment.words, moment.kind, moment.row.id) == ("silent 3.0s", "stops", 1)
    assert moment.clock_ns == log.now_ns
    assert fmt.process(moment.row) == "proc1"
    for _ in range(20):
        log.look(row(1, **STALLED), row(2))
        found = log.look(row(1), row(2), times=HOLD_S - 2)
    assert found == (moment,)


def test_what_has_ended_is_not_held_up() -> None:
    log = Log()
    log.look(row(1))
    assert log.look(row(1, **STALLED, closed=True)) == ()


def test_what_comes_again_later_is_another_moment() -> None:
    log = Log()
    log.look(row(1))
    log.look(row(1, **STALLED))
    log.look(row(1), times=HOLD_S + 1)
    (moment,) = log.look(row(1, **STALLED))
    assert moment.count == 2  # so soon it is only counted
    log.look(row(1), times=ALIKE_S)
    first, again = log.look(row(1, **STALLED))
    assert (first.count, again.count) == (2, 1)
    assert again.clock_ns == log.now_ns


def test_what_is_wrong_at_the_start_or_before_it_is_read_is_no_moment() -> None:
    log = Log()
    unread = {"scanned": False, "open_seen": False}
    assert log.look(row(1, **STALLED, open_seen=False), row(2, **unread)) == ()
    shut = {"snd_wnd_bytes": 0, "notsent_bytes": 5}
    assert log.look(row(1, **STALLED, open_seen=False), row(2, open_seen=False, **shut)) == ()
    assert log.look(row(3, open_seen=False, **shut)) == ()  # a scan has found it
    assert words(log.look(row(4, **shut))) == ["peer not reading"]  # it has been opened since


def test_a_stop_is_news_where_there_were_losses_and_a_loss_is_none_where_there_was_a_burst() -> None:
    log = Log()
    log.look(row(1))
    burst = BURST_PER_S + 2
    assert words(log.look(row(1, retrans=burst))) == ["12 segments sent again"]
    assert len(log.look(row(1, **LOSSY | {"retrans": burst}))) == 1
    found = log.look(row(1, **LOSSY | {"retrans": burst}, **STALLED))
    assert words(found) == ["12 segments sent again", "silent 3.0s"]
    assert len(log.look(row(1, snd_wnd_bytes=0, notsent_bytes=5))) == 2  # another word for the same stop


def test_slow_answers_and_a_peer_that_reads_slowly_are_one_kind_and_no_far_peer_is_news() -> None:
    log = Log()
    log.look(row(1), row(2))
    waits = {"window_ms": 60_000, "direction": OUT, "answers_1m": 20, "answer_sum_us_1m": 20 * 180_000}
    far = {"srtt_us": 300_000, "min_rtt_us": 290_000}
    (moment,) = log.look(row(1, **waits), row(2, **far))
    assert (moment.words, moment.kind, moment.row.id) == ("answers 180ms", "slows", 1)
    slow = waits | {"busy_us_1m": 10**7, "rwnd_limited_us_1m": 5 * 10**6}
    assert log.look(row(1, **slow), row(2, **far)) == (moment,)


def test_a_burst_counts_per_second_and_not_what_was_before_us() -> None:
    many = BURST_PER_S * 5
    log = Log(step_s=10)
    log.look(row(1, open_seen=False))
    assert log.look(row(1, open_seen=False, retrans=many), row(2, retrans=many, open_seen=False)) == ()
    assert words(log.look(row(1, retrans=3 * many))) == ["100 segments sent again"]
    fast = Log(step_s=0.1)
    fast.look(row(1))
    assert fast.look(row(1, retrans=BURST_PER_S - 1)) == ()


def test_a_spike_is_one_moment_with_its_height() -> None:
    usual = {"srtt_us": 41_000, "min_rtt_us": 40_000}
    log = Log()
    log.look(row(1, **usual), cells=41_000)
    assert log.look(row(1, **usual), cells=110_000) == ()  # not threefold
    (moment,) = log.look(row(1, **usual), cells=241_000)
    assert (moment.words, moment.kind) == ("RTT 241ms, was 41.0ms", "rtt")
    risen = {"srtt_us": 160_000, "min_rtt_us": 40_000}  # which is a queue, too
    assert log.look(row(1, **risen), cells=241_000, times=3) == (moment,)


def test_no_spike_without_a_known_rtt_before_nor_between_two_processes_of_one_machine() -> None:
    log = Log()
    here = {"raddr": "127.0.0.1", "laddr": "127.0.0.1"}
    calm = (row(1, srtt_us=0), row(2, srtt_us=900, **here), row(3, srtt_us=900, rtt_age_ms=60_000))
    log.look(*calm, cells=np.nan)
    assert log.look(*calm, row(4, srtt_us=900), cells=300_000) == ()
    assert len(log.look(*calm, row(4, srtt_us=900), cells=300_000)) == 1


def test_refused_connects_are_one_moment_per_target_and_counted() -> None:
    log = Log()
    assert log.look(targets=targets_of(target(1, 70))) == ()  # before us
    assert log.look(targets=targets_of(target(1, 70))) == ()
    (moment,) = log.look(targets=targets_of(target(1, 5070, comm=b"client"), target(2, 0)))
    assert (moment.words, moment.kind, moment.count) == ("refused", "connect", 5000)
    assert (moment.table, moment.id) == ("failed connects", 1)
    assert addresses.remote(moment.row) == "192.0.2.9:8080"
    assert fmt.process(moment.row) == "client"
    other = target(3, 2, connect_error=CONNECT_ERRORS.index("timed-out"), rport=9090)
    first, second = log.look(targets=targets_of(target(1, 5071), other))
    assert (first.count, second.count, second.words) == (5001, 2, "timed out")


def test_of_many_targets_at_once_those_that_fail_most_are_told() -> None:
    log = Log()
    log.look()
    found = log.look(targets=targets_of(*(target(id_, id_, rport=id_) for id_ in range(1, 4000))))
    assert [moment.id for moment in found] == [3999, 3998, 3997, 3996, 3995]


def test_what_a_listener_drops_is_a_moment() -> None:
    log = Log()
    log.look(listeners=listeners_of(listener(1, drops=50)))
    calm = listeners_of(listener(1, drops=50), listener(2, drops=9, queue=200))
    assert log.look(listeners=calm) == ()
    (moment,) = log.look(listeners=listeners_of(listener(1, drops=50), listener(2, drops=12, queue=200)))
    assert (moment.words, moment.kind, moment.count) == ("queue full, drops", "overflow", 3)
    assert (moment.table, moment.id) == ("listeners", 2)
    assert addresses.remote(moment.row) == "0.0.0.0:8002"


def test_many_services_at_once_are_few_moments_that_count_all() -> None:
    calm = [row(id_, raddr=f"198.51.100.{id_}") for id_ in range(1, 101)]
    log = Log()
    log.look(*calm)
    found = log.look(*(connection | STALLED for connection in calm))
    assert len(found) == 5
    assert sum(moment.count for moment in found) == 100


def test_their_number_is_bounded_and_the_newest_stay() -> None:
    log = Log()
    for id_ in range(1, KEPT + 50):
        log.look(row(2 * id_, raddr=f"198.{id_ % 250}.{id_ // 250}.1"))
        found = log.look(row(2 * id_ + 1, **STALLED, raddr=f"198.{id_ % 250}.{id_ // 250}.1"))
    assert len(found) == KEPT
    assert found[-1].row.id == 2 * (KEPT + 49) + 1


def test_no_moment_is_lost_when_rows_move() -> None:
    log = Log()
    log.look(row(1), row(2), row(3, **STALLED), row(4))
    assert log.look(row(4), row(3, **STALLED)) == ()
    (moment,) = log.look(row(3, **STALLED), row(4, **STALLED))
    assert moment.row.id == 4
