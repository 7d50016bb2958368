"""The live feed: when it reads, scans and hands out snapshots, by a clock and a source made by hand."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.feeds.base import Capability
from tcptop_rtt.feeds.budget import Budget
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.feeds.processes import Processes, UserNames
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.records import Kind
from tcptop_rtt.model.rows import STATES, Holder
from tcptop_rtt.model.snapshot import Process, ProcessKey, Snapshot, Waiting
from tcptop_rtt.sources.base import Source
from tests.unit.fake import START_NS, WALL_NS, FakeSource, ScriptedClock, connection, sample
from tests.waiting import ENOUGH_S


class KnownProcess(Processes):
    """Describes one process."""

    known = ProcessKey(101, 1_000_000_000)

    def describe(self, key: ProcessKey) -> Process | None:
        return Process(key.pid, "nginx: worker", 1.0, 2.0, 3) if key == self.known else None

    def cgroup(self, key: ProcessKey) -> str | None:
        return "/web.slice/web.service" if key == self.known else None


class Scene:
    """A feed, and the clock and the source that it has."""

    def __init__(self, refresh_s: float = 1.0, budget: Budget | None = None) -> None:
        self.clock = ScriptedClock()
        self.source = FakeSource(self.clock)
        self.feed = LiveFeed(
            ready(self.source),
            refresh_s,
            budget,
            self.clock,
            KnownProcess(),
            UserNames({0: "root"}.__getitem__),
        )
        self._snapshots = self.feed.snapshots()

    def next(self) -> Snapshot:
        return next(self._snapshots)

    def rest(self) -> list[Snapshot]:
        return list(self._snapshots)

    def seconds(self) -> float:
        """Since the beginning."""
        return (self.clock.now_ns - START_NS) / 1e9

    def since_start(self, times_s: list[float]) -> list[float]:
        return [round(time_s - START_NS / 1e9, 3) for time_s in times_s]


def ids(snapshot: Snapshot) -> dict[int, int]:
    """Of rows, by the local port."""
    rows = snapshot.rows
    return dict(zip(rows["lport"].tolist(), rows["id"].tolist(), strict=True))


def column(snapshot: Snapshot, name: str) -> dict[int, Any]:
    """Values by the local port."""
    rows = snapshot.rows
    return dict(zip(rows["lport"].tolist(), rows[name].tolist(), strict=True))


# When there is a snapshot


def test_the_first_snapshot_comes_at_once_and_has_what_a_scan_lists() -> None:
    scene = Scene(refresh_s=3600)
    scene.source.entries = [connection(1), connection(2), connection(3)]
    snapshot = scene.next()
    assert scene.seconds() == 0
    assert column(snapshot, "pid") == {40001: 101, 40002: 102, 40003: 103}
    assert (snapshot.time_ns, snapshot.clock_ns) == (WALL_NS, START_NS)


@pytest.mark.parametrize("refresh_s", [0.1, 1.0, 7.0])
def test_then_there_is_one_per_interval(refresh_s: float) -> None:
    scene = Scene(refresh_s)
    times_s = np.array([scene.next().clock_ns for _ in range(6)]) / 1e9
    assert np.diff(times_s) == pytest.approx([refresh_s] * 5, abs=1e-6)


def test_between_two_snapshots_the_source_is_read_as_seldom_as_the_budget_has_it() -> None:
    scene = Scene(refresh_s=2.0, budget=Budget(longest_read_s=1.0))
    scene.next(), scene.next()
    reads_s = sorted({*scene.since_start(scene.source.reads_s)})
    assert reads_s == [0.0, 1.0, 2.0]


def test_another_interval_is_answered_at_once_and_kept_from_then_on() -> None:
    scene = Scene(refresh_s=3600)
    scene.next()
    scene.feed.set_refresh(2.0)
    times_s = [scene.next().clock_ns / 1e9 - START_NS / 1e9 for _ in range(3)]
    assert times_s == pytest.approx([0, 2, 4], abs=1e-6)


def test_very_many_ends_bring_a_snapshot_before_its_time() -> None:
    scene = Scene(refresh_s=3600)
    scene.next()
    ends = (connection(number, kind=Kind.CLOSE, lport=0, raddr="192.0.2.2") for number in range(1, 10_002))
    scene.source.records = list(ends)
    snapshot = scene.next()
    assert len(snapshot.rows) == 10_001
    assert scene.seconds() < 10


# Scans


@pytest.mark.parametrize(
    ("cost_s", "traced", "apart_s"),
    [
        (0.001, False, 0.2),  # half a percent of a core
        (0.02, False, 2.0),  # more than that, lest they are rarer than each two seconds
        (0.1, False, 5.0),  # but not more than two percent
        (0.02, True, 1.0),  # which a close look may take
    ],
)
def test_scans_are_as_rare_as_their_cost_asks_for(cost_s: float, traced: bool, apart_s: float) -> None:
    scene = Scene(refresh_s=0.1)
    scene.source.entries = [connection(1)]
    snapshot = scene.next()
    if traced:
        scene.feed.set_trace(ids(snapshot)[40001])
    scene.source.scan_cost_s = cost_s
    while len(scene.source.scans_s) < 6:
        scene.next()
    apart = np.diff(scene.source.scans_s)[1:]
    assert (apart >= apart_s).all()
    assert (apart <= apart_s + 0.1 + cost_s).all()  # at a snapshot


def test_a_scan_that_is_asked_for_comes_at_once_and_once() -> None:
    scene = Scene(refresh_s=1.0)
    scene.source.scan_cost_s = 0.1
    scene.next()
    scene.feed.scan()
    for _ in range(2):
        scene.next()
    assert scene.since_start(scene.source.scans_s) == [0.0, 0.1]


def test_the_shares_of_scans_are_the_budgets() -> None:
    scene = Scene(refresh_s=0.1, budget=Budget(max_scan_share=0.5, target_scan_share=0.5))
    scene.source.scan_cost_s = 1.0
    while scene.seconds() < 30:
        scene.next()
    assert len(scene.source.scans_s) >= 10


def test_a_scan_that_cannot_be_done_is_told_and_tried_again() -> None:
    scene = Scene()
    scene.source.entries = [connection(number, netns=7) for number in (1, 2, 3)]
    before = scene.next()
    assert before.health.problem == ""
    scene.source.scan_failure = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    scene.source.scan_cost_s = 0.02
    for scans in (2, 3):
        failed = scene.next()
        assert len(scene.source.scans_s) == scans
        assert failed.health.problem == "cannot list the sockets: Too many open files"
        # What it has not come to is no less open for that.
        assert ids(failed) == ids(before)
        assert not failed.rows["closed"].any()
        assert (failed.rows["holder"] == Holder.PROCESS).all()
    scene.source.scan_failure = None
    scene.source.entries, scene.source.has_ended = scene.source.entries[2:], {1, 2}
    mended = scene.next()
    assert mended.health.problem == ""
    # What the failed ones had listed before their ends does not count.
    assert column(mended, "closed") == {40001: True, 40002: True, 40003: False}


def test_it_says_in_which_network_namespace_it_is() -> None:
    assert Scene().next().health.netns == os.stat("/proc/self/ns/net").st_ino


def test_that_scans_cannot_be_done_is_told_by_how_old_it_all_is() -> None:
    scene = Scene()
    scene.source.entries = [connection(1)]
    scene.next()
    scene.source.scan_failure = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    behind_s = [scene.next().health.behind_s for _ in range(6)]
    assert behind_s == pytest.approx([0, 0, 0, 4, 5, 6], abs=0.01)  # three seconds are within what is meant
    scene.source.scan_failure = None
    assert scene.next().health.behind_s == 0


@pytest.mark.parametrize(("cost_s", "is_behind"), [(0.02, False), (0.5, True)])
def test_scans_that_are_rare_as_they_cost_much_are_told_likewise(cost_s: float, is_behind: bool) -> None:
    scene = Scene()
    scene.source.entries = [connection(1)]
    scene.next()
    scene.source.scan_cost_s = cost_s
    behind_s = [scene.next().health.behind_s for _ in range(40)]
    assert (max(behind_s) > 20) == is_behind
    assert (max(behind_s) > 0) == is_behind
    assert 0 in behind_s  # each scan makes good for it


@pytest.mark.parametrize("refresh_s", [1.0, 10.0])
def test_a_snapshot_that_comes_late_says_by_how_much_and_the_next_one_nothing(refresh_s: float) -> None:
    scene = Scene(refresh_s)
    scene.next(), scene.next()
    scene.clock.work(60)  # whoever reads it has stood still
    assert scene.next().health.behind_s == pytest.approx(60 - refresh_s, abs=0.2)
    assert scene.next().health.behind_s == 0


def test_samples_that_come_rarely_are_told_by_how_much() -> None:
    scene = Scene(budget=Budget(target_records_per_s=10, fresh_interval_s=0.5, max_records_per_s=2))
    scene.source.records = [sample(number, 50) for number in range(1, 9)]
    assert scene.next().health.behind_s == 4


def test_a_scan_is_told_where_connections_without_a_descriptor_are() -> None:
    scene = Scene()
    held, unheld = connection(1, netns=7), connection(2, netns=8, tgid=0, comm=b"", started_ns=0)
    scene.source.entries = [held, unheld]
    scene.next(), scene.next()
    assert set(scene.source.unheld) == {8}
    scene.source.entries = [connection(1, netns=7, tgid=0), unheld]  # its process has closed it just now
    scene.next()
    assert set(scene.source.unheld) == {7, 8}


def test_a_scan_need_not_look_for_what_has_been_opened_since_it_began() -> None:
    scene = Scene()
    scene.source.entries = [connection(1, netns=7)]
    scene.next()
    scene.source.records = [sample(2, 50, netns=8, opened_ns=scene.clock.monotonic_ns() + 2_000_000_000)]
    scene.next()
    assert set(scene.source.unheld) == set()


def test_what_happened_before_a_scan_is_read_before_its_entries_are_used() -> None:
    scene = Scene()
    # The scan has the samples of the latest interval, and the ring buffer those before.
    scene.source.entries = [connection(1, window_start=2, rtt_samples=1, rtt_lo_us=60, rtt_hi_us=60)]
    scene.source.records = [sample(1, 50, window_start=1, rtt_samples=4)]
    assert column(scene.next(), "rtt_samples") == {40001: 5}


# What has ended


def test_a_connection_that_a_scan_misses_is_closed_if_the_source_knows_of_its_end() -> None:
    scene = Scene()
    scene.source.entries = [connection(1), connection(2), connection(3)]
    scene.next()
    scene.source.entries = [connection(1)]
    scene.source.has_ended = {2}
    assert column(scene.next(), "closed") == {40001: False, 40002: True, 40003: False}
    assert scene.source.asked[-1] == {0x2000: 2, 0x3000: 3}
    assert column(scene.next(), "end_seen") == dict.fromkeys((40001, 40002, 40003), False)


def test_the_last_record_of_a_connection_that_ends_meanwhile_counts() -> None:
    scene = Scene()
    scene.source.entries = [connection(1)]
    scene.next()
    scene.source.entries, scene.source.has_ended = [], {1}
    scene.source.last_words = [connection(1, kind=Kind.CLOSE, state=7, bytes_acked=12_345)]
    closed = scene.next()
    assert column(closed, "bytes_acked") == {40001: 12_345}
    assert column(closed, "closed") == column(closed, "end_seen") == {40001: True}
    assert STATES[column(closed, "state")[40001]] == "CLOSED"


# A close look


def test_a_close_look_is_answered_at_once_and_ends_when_it_is_told() -> None:
    scene = Scene(refresh_s=3600)
    scene.source.entries = [connection(1), connection(2)]
    wanted = ids(scene.next())[40001]
    scene.feed.set_trace(wanted)
    traced = scene.next()
    assert scene.seconds() == 0
    assert scene.source.traced == [0x1000]
    assert traced.trace
    assert traced.trace.id == wanted
    scene.source.records = [sample(1, 70), sample(1, 90, time_ns=START_NS + 1), sample(2, 10)]
    scene.feed.set_refresh(0.2)
    traced = scene.next()
    assert traced.trace
    assert traced.trace.rtt_us.tolist() == [70, 90]
    scene.feed.set_trace(None)
    assert scene.next().trace is None
    assert scene.source.traced == [0x1000, 0]


def test_the_unit_is_that_of_the_process_which_holds_the_connection_now() -> None:
    scene = Scene()
    scene.source.entries = [connection(1), connection(2), connection(3, tgid=101, started_ns=1_000_000_000)]
    assert column(scene.next(), "unit") == {40001: b"web.service", 40002: b"", 40003: b"web.service"}
    scene.source.entries = [
        connection(1, tgid=200, started_ns=7),
        connection(2, tgid=101, started_ns=1_000_000_000),
    ]
    scene.source.has_ended = {3}
    passed_on = column(scene.next(), "unit")
    assert (passed_on[40001], passed_on[40002]) == (b"", b"web.service")


def test_a_unit_that_cannot_be_read_for_a_moment_is_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    errors, read = [OSError(errno.EMFILE, os.strerror(errno.EMFILE))], KnownProcess.cgroup

    def fails_once(self: KnownProcess, key: ProcessKey) -> str | None:
        if errors:
            raise errors.pop()
        return read(self, key)

    monkeypatch.setattr(KnownProcess, "cgroup", fails_once)
    scene = Scene()
    scene.source.entries = [connection(3, tgid=101, started_ns=1_000_000_000)]
    assert column(scene.next(), "unit") == {40003: b""}
    assert column(scene.next(), "unit") == {40003: b"web.service"}


def test_a_close_look_needs_no_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    scene = Scene()
    scene.source.entries = [connection(1)]
    found = ids(scene.next())
    with monkeypatch.context() as no_threads:
        no_threads.setattr(threading.Thread, "start", fails)
        scene.feed.set_trace(found[40001])
        trace = scene.next().trace
        assert trace
        assert (trace.user, trace.use) == ("", None)
    trace = scene.next().trace
    assert trace
    assert trace.user == "root"


def test_a_close_look_says_of_the_process_what_the_feed_has_been_given() -> None:
    scene = Scene()
    scene.source.entries = [connection(1), connection(2)]
    found = ids(scene.next())
    for port, cmdline, path in ((40001, "nginx: worker", "/web.slice/web.service"), (40002, None, None)):
        scene.feed.set_trace(found[port])
        trace = scene.next().trace
        assert trace
        assert (trace.process.cmdline if trace.process else None) == cmdline
        assert trace.cgroup_path == path
    assert scene.feed.cgroup(KnownProcess.known) == "/web.slice/web.service"


def test_while_there_is_one_the_source_is_read_ten_times_a_second() -> None:
    scene = Scene(refresh_s=1.0)
    scene.source.entries = [connection(1)]
    scene.feed.set_trace(ids(scene.next())[40001])
    scene.next()
    scene.source.reads_s.clear()
    scene.next()
    assert np.diff(sorted({*scene.source.reads_s})) == pytest.approx([0.1] * 9, abs=0.02)


def test_where_no_ack_is_seen_it_is_read_as_seldom_as_ever() -> None:
    scene = Scene(refresh_s=1.0)
    scene.source.polls = True
    scene.source.entries = [connection(1)]
    scene.feed.set_trace(ids(scene.next())[40001])
    scene.next()
    scene.source.reads_s.clear()
    assert scene.next().trace
    assert len({*scene.source.reads_s}) <= 3


# What it tells of the source


def test_health_has_what_the_source_says_of_itself() -> None:
    scene = Scene()
    scene.source.hook_note, scene.source.lacking = "fentry is refused", frozenset({"rto_us"})
    scene.source.dropped_records, scene.source.untracked = 3, 4
    scene.source.entries = [connection(1)]
    scene.source.records = [sample(1, 50, rtt_samples=8)]
    scene.clock.work(1.0)
    scene.next()
    health = scene.next().health
    assert (health.hook, health.hook_note, health.lacking) == (
        "fake",
        "fentry is refused",
        frozenset({"rto_us"}),
    )
    assert (health.dropped_records, health.untracked) == (3, 4)


@pytest.mark.parametrize(("polls", "pause_s"), [(True, 3.0), (False, 15.0)])
def test_where_scans_are_all_there_is_they_may_take_a_tenth_of_a_processor(
    polls: bool, pause_s: float
) -> None:
    scene = Scene(refresh_s=1.0)
    scene.source.polls, scene.source.scan_cost_s = polls, 0.3
    for _ in range(40):
        scene.next()
    pauses_s = np.diff(scene.source.scans_s)
    # A scan comes with a snapshot.
    assert pauses_s.min() >= pause_s
    assert pauses_s.max() <= pause_s + 1.5


def test_a_source_that_polls_has_no_samples_and_says_what_it_misses() -> None:
    scene = Scene()
    assert Capability.TRACE in scene.feed.capabilities
    scene.source.polls, scene.source.missed = True, "spikes"
    scene.source.entries = [connection(1, single_rtt_us=50)]
    health = scene.next().health
    assert (health.missed, health.samples_per_s) == ("spikes", 0)
    assert scene.feed.capabilities == {Capability.REFRESH, Capability.MEASURE}
    assert scene.feed.health.missed == "spikes"


def test_health_has_what_the_program_costs() -> None:
    scene = Scene()
    scene.source.entries = [connection(1)]
    scene.next()
    scene.source.records = [sample(1, 50, rtt_samples=8), sample(1, 60, rtt_samples=1)]
    before_s = scene.clock.monotonic_s()
    health = scene.next().health
    passed_s = scene.clock.monotonic_s() - before_s
    assert health.records_per_s == pytest.approx(2 / passed_s, rel=0.2)
    assert health.report_interval_s > 0
    assert 10_000_000 < health.rss_bytes < 10_000_000_000


def test_samples_and_processor_time_are_per_second_of_the_feeds_clock() -> None:
    scene = Scene(refresh_s=2.0)
    scene.source.entries = [connection(1)]
    scene.next()
    scene.source.records = [sample(1, 50, rtt_samples=8)]
    scene.source.scan_cost_s = 0.5
    health = scene.next().health
    assert health.samples_per_s == pytest.approx(8 / 2.5)
    assert health.cpu_percent == pytest.approx(100 * 0.5 / 2.5)


def test_snapshots_have_what_waits_and_the_names_of_interfaces() -> None:
    scene = Scene()
    scene.source.waiting = (Waiting(7, 3, 1),)
    scene.source.names = {(7, 2): b"eth0", (8, 2): b"other"}
    scene.source.entries = [connection(1, netns=7, ifindex=2), connection(2, netns=7)]
    snapshot = scene.next()
    assert snapshot.waiting == (Waiting(7, 3, 1),)
    assert column(snapshot, "interface") == {40001: b"eth0", 40002: b""}


def test_with_many_active_sockets_the_source_is_to_send_less_often() -> None:
    scene = Scene(budget=Budget(target_records_per_s=10, fresh_interval_s=0.5, max_records_per_s=1e9))
    scene.source.records = [sample(number, 50) for number in range(1, 9)]
    scene.next()
    assert scene.source.report_interval_s == 0.5


def test_its_origin_is_this_machine_by_its_clock() -> None:
    scene = Scene()
    scene.feed.open()
    origin, machine = scene.feed.origin, os.uname()
    assert (origin.host, origin.kernel, origin.hook) == (machine.nodename, machine.release, "fake")
    assert origin.boot_time_ns == WALL_NS - START_NS


# How it begins and ends


def test_a_stop_brings_one_last_snapshot() -> None:
    scene = Scene(refresh_s=3600)
    scene.next()
    scene.source.entries = [connection(1)]
    scene.feed.stop()
    (last,) = scene.rest()
    assert ids(last).keys() == {40001}
    assert scene.seconds() == 0
    assert not scene.source.closed


def test_a_stop_by_another_thread_ends_the_wait_for_the_next_snapshot() -> None:
    feed = LiveFeed(ready(FakeSource()), 3600)
    snapshots = feed.snapshots()
    next(snapshots)
    stopping = threading.Timer(0.2, feed.stop)
    stopping.start()
    rest: list[Snapshot] = []
    reading = threading.Thread(target=lambda: rest.extend(snapshots), daemon=True)
    reading.start()
    reading.join(ENOUGH_S)
    assert not reading.is_alive()
    assert len(rest) == 1


def _opening(feed: LiveFeed) -> threading.Thread:
    thread = threading.Thread(target=feed.open, daemon=True)
    thread.start()
    return thread


def test_it_waits_for_a_source_that_is_still_opening() -> None:
    source: Future[Source] = Future()
    feed = LiveFeed(source, 1.0)
    assert feed.health.hook == ""
    opening = _opening(feed)
    opening.join(0.2)
    assert opening.is_alive()
    source.set_result(FakeSource())
    opening.join(ENOUGH_S)
    assert not opening.is_alive()
    assert feed.health.hook == "fake"


def test_a_stop_ends_the_wait_for_a_source_and_there_is_no_snapshot() -> None:
    source: Future[Source] = Future()
    feed = LiveFeed(source, 1.0)
    opening = _opening(feed)
    feed.stop()
    opening.join(ENOUGH_S)
    assert not opening.is_alive()
    assert list(feed.snapshots()) == []


def test_a_source_that_cannot_be_opened_is_told_to_who_opens_the_feed() -> None:
    source: Future[Source] = Future()
    source.set_exception(TcptopError("it cannot run here"))
    with pytest.raises(TcptopError, match="it cannot run here"):
        LiveFeed(source, 1.0).open()


def test_what_is_set_before_it_opens_holds() -> None:
    scene = Scene(refresh_s=3600)
    scene.feed.set_refresh(3.0)
    times_s = [scene.next().clock_ns / 1e9 for _ in range(3)]
    assert np.diff(times_s) == pytest.approx([3.0, 3.0], abs=1e-6)


def test_run_publishes_all_snapshots() -> None:
    clock = ScriptedClock()
    feed = LiveFeed(ready(FakeSource(clock)), 1.0, clock=clock)
    published: list[Snapshot] = []

    def publish(snapshot: Snapshot) -> None:
        published.append(snapshot)
        if len(published) == 3:
            feed.stop()

    feed.run(publish)
    assert len(published) == 4
