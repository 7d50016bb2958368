"""Other hosts: what is merged, what is said of a failure, and the process that brings a stream."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.feeds.clock import Clock
from tcptop_rtt.feeds.remote import ssh
from tcptop_rtt.feeds.remote.feed import RemoteFeed
from tcptop_rtt.feeds.remote.host import MOST_AHEAD
from tcptop_rtt.feeds.remote.merging import Part, merged
from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.rows import Holder
from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, Origin, Snapshot, Waiting
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.listening import listening
from tests.unit.recorded import lines_of, stream_of
from tests.unit.rows import hosts_of, listener, listeners_of, row, rows_of, target, targets_of
from tests.waiting import ENOUGH_S, becomes


def snapshot_of(*connections: dict[str, object], cell_us: float = 5.0, **more: object) -> Snapshot:
    cells = tuple(np.full(len(connections), cell_us, np.float32) for _ in range(SPARK_CELLS))
    values = {"health": Health("fentry", samples_per_s=2.0, dropped_records=3), **more}
    health = values.pop("health")
    return Snapshot(10**18, 10**12, rows_of(*connections), cells, health, None, **values)  # type: ignore[arg-type]


def merged_of(*parts: Part) -> Snapshot:
    return merged(parts, 7, 8, "")


def test_rows_of_two_hosts_with_the_same_numbers_stay_apart() -> None:
    one, two = snapshot_of(row(1), row(2)), snapshot_of(row(1, srtt_us=70_000), cell_us=9.0)
    found = merged_of(Part("web1", 11, one, True), Part("db1", 12, two, True))
    assert hosts_of(found.rows) == [b"web1", b"web1", b"db1"]
    assert len(set(found.rows["id"].tolist())) == 3
    assert found.rows["id"].max() < 2**53
    assert found.rows["srtt_us"].tolist() == [1000, 2000, 70_000]
    assert found.cells_us[0].tolist() == [5.0, 5.0, 9.0]
    assert (found.time_ns, found.clock_ns) == (7, 8)
    assert (found.health.hook, found.health.dropped_records) == ("fentry", 6)
    assert select(found.rows, Filter("host=db1")).tolist() == [2]
    assert select(found.rows, Filter("WEB")).tolist() == [0, 1]
    assert not found.rows["id"].flags.writeable


def test_ids_are_those_of_the_snapshot_before_until_the_host_begins_anew() -> None:
    one = snapshot_of(row(1))
    ids = [merged_of(Part("", seed, one, True)).rows["id"].tolist() for seed in (3, 3, 4)]
    assert ids[0] == ids[1] != ids[2]


def test_samples_of_a_snapshot_that_was_merged_before_are_not_counted_again() -> None:
    one = snapshot_of(row(1, rtt_samples=4, rtt_sum_us=40, rtt_hi_us=20))
    for is_new, samples in ((True, 4), (False, 0)):
        rows = merged_of(Part("", 3, one, is_new)).rows
        assert rows["rtt_samples"].tolist() == [samples]
        assert bool(rows["rtt_sum_us"][0]) == is_new
        assert rows["srtt_us"].tolist() == [1000]


def test_a_field_that_one_kernel_lacks_is_not_known_and_sockets_that_wait_are_added_up() -> None:
    one = snapshot_of(row(1), health=Health(lacking=frozenset({"rto_us"})), waiting=(Waiting(4, 5, 6),))
    two = snapshot_of(row(1), waiting=(Waiting(4, 1, 1), Waiting(9, 2, 0)))
    found = merged_of(Part("a", 1, one, True), Part("b", 2, two, True))
    assert found.health.lacking == {"rto_us"}
    assert found.waiting == (Waiting(4, 6, 7), Waiting(9, 2, 0))


def test_all_that_one_host_says_of_itself_is_told_and_what_several_say_once() -> None:
    kinds: dict[str, Any] = {"str": "words", "int": 3, "float": 2.5, "float | None": 0.5}
    kinds["frozenset[str]"] = frozenset({"rto_us"})
    whole = Health(**{field.name: kinds[str(field.type)] for field in dataclasses.fields(Health)})
    found = merged_of(Part("a", 1, snapshot_of(row(1), health=whole), True))
    assert found.health == whole
    other = dataclasses.replace(whole, missed="short ones", hook_note="none")
    each = {"a": whole, "b": other, "c": whole}
    parts = [Part(name, 1, snapshot_of(health=one), True) for name, one in each.items()]
    health = merged_of(*parts).health
    assert (health.missed, health.hook_note) == ("words; short ones", "words; none")


def test_the_network_namespace_of_hosts_is_known_where_theirs_are_the_same() -> None:
    for numbers, known in (((4, 4), 4), ((4, 5), 0), ((4, 0), 0)):
        each = [snapshot_of(health=Health(netns=number)) for number in numbers]
        found = merged_of(*(Part(f"h{at}", at, one, True) for at, one in enumerate(each)))
        assert found.health.netns == known


def test_a_connection_waits_at_the_listener_of_its_own_host() -> None:
    waits = row(1, netns=1, laddr="192.0.2.1", lport=80, holder=Holder.LISTENER, age_ns=9_000_000_000)
    server = listeners_of(listener(1, netns=1, laddr="192.0.2.1", lport=80))
    one, two = snapshot_of(waits, listeners=server), snapshot_of(listeners=server)
    found = merged_of(Part("a", 1, one, True), Part("b", 2, two, True))
    told = listening(found.listeners, found.rows, frozenset())
    assert hosts_of(told) == [b"a", b"b"]
    assert told["oldest_ns"].tolist() == [9_000_000_000, 0]


def test_nothing_is_there_while_no_host_answers() -> None:
    found = merged((), 7, 8, "web1: gone")
    assert len(found.rows) == len(found.listeners) == 0
    assert not len(select(found.rows, Filter("web1")))
    assert found.health.problem == "web1: gone"


@pytest.mark.parametrize(
    ("complaint", "status", "told"),
    [
        ("x\r\nHost key verification failed.\r\n", 255, "Host key verification failed: its key is not known"),
        ("root@h: Permission denied (publickey,password).\n", 255, "ssh-copy-id h"),
        ("sudo: a password is required\n", 1, "NOPASSWD"),
        ("sudo: a terminal is required to read the password; either use\n", 1, "NOPASSWD"),
        ("sh: 1: exec: tcptop-rtt: not found\n", 127, "tcptop-rtt is not installed there: install it"),
        ("sudo: tcptop-rtt: command not found\n", 1, "tcptop-rtt is not installed there: install it"),
        ("bash: line 1: /opt/t: No such file or directory\n", 127, "tcptop-rtt is not installed there"),
        ("tcptop-rtt: loading a BPF program needs root: use sudo\n", 1, "loading a BPF program needs root"),
        ("ssh: Could not resolve hostname h: Name or service not known\n", 255, "Could not resolve hostname"),
        ("\x1b[2J\x1b]0;x\x07evil\n", 1, "\ufffd[2J\ufffd]0;x\ufffdevil"),
        ("", 137, "ssh has ended, with exit status 137"),
        ("", 255, "ssh has ended, with exit status 255: the host answers no more, or what ran there"),
    ],
)
def test_why_a_host_fails_is_told_with_what_mends_it(complaint: str, status: int, told: str) -> None:
    found = ssh.reason("h", complaint, status)
    assert told in found
    assert found.isprintable()


def test_a_host_is_never_an_option_and_ssh_asks_nothing() -> None:
    found = ssh.arguments("web1", "ssh -F 'my file'", "run it")
    assert found[:3] == ["ssh", "-F", "my file"]
    assert found[-3:] == ["--", "web1", "run it"]
    assert "BatchMode=yes" in found


def stream_file(path: Path, *snapshots: Snapshot) -> Path:
    path.write_bytes(stream_of(snapshots, Origin("remote", "6.1", "fentry", 1)))
    return path


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """What stands for ssh: it gets the host and runs the file of its name."""
    path = tmp_path / "ssh"
    path.write_text(f'#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nexec sh {tmp_path}/"$2"\n')
    path.chmod(0o755)
    return path


def feed_of(script: Path, **hosts: str) -> RemoteFeed:
    for name, text in hosts.items():
        (script.parent / name).write_text(text)
    return RemoteFeed(list(hosts), str(script), None, 0.1, os.environ)


def first_of(
    feed: RemoteFeed, snapshots: Iterator[Snapshot], condition: Callable[[Snapshot], bool]
) -> Snapshot:
    """The first for which it holds, of those that the feed gives in a minute."""
    ending = threading.Timer(60, feed.stop)
    ending.start()
    try:
        for found in snapshots:
            if condition(found):
                return found
    finally:
        ending.cancel()
    pytest.fail("no such snapshot came")


def test_hosts_that_fail_are_marked_and_the_others_shown(script: Path, tmp_path: Path) -> None:
    file = stream_file(tmp_path / "lines", snapshot_of(row(1)))
    good, bad = f"echo Welcome; cat {file}; sleep 100", "echo 'tcptop-rtt: \033[31mno luck' >&2; exit 1"
    with closing(feed_of(script, good=good, bad=bad)) as feed:
        feed.open()
        snapshots = feed.snapshots()
        found = next(snapshots)
        assert hosts_of(found.rows) == [b"good"]
        assert "bad: \ufffd[31mno luck; trying again" in found.health.problem
        assert "good" not in found.health.problem
        assert feed.origin.host == "good, bad"
        feed.stop()
        assert len(list(snapshots)) == 1


ALIKE = [f"web-frontend-production-eu-central-1a-kubernetes-node-000{number}" for number in (1, 2)]


def test_hosts_whose_names_begin_alike_stay_apart_and_the_stream_has_their_whole_names(
    script: Path, tmp_path: Path
) -> None:
    listening = snapshot_of(row(1), listeners=listeners_of(listener(1)), targets=targets_of(target(1)))
    text = f"cat {stream_file(tmp_path / 'lines', listening)}; sleep 100"
    with closing(feed_of(script, **dict.fromkeys(ALIKE, text))) as feed:
        found = first_of(feed, feed.snapshots(), lambda snapshot: len(snapshot.rows) == 2)
    lines = lines_of([found])
    decoder = StreamDecoder(pytest.fail)
    (again,) = filter(None, map(decoder.take, lines))
    for one in (found, again):
        for rows in (one.rows, one.listeners, one.targets):
            assert sorted(hosts_of(rows)) == [name.encode() for name in ALIKE]
        (at,) = select(one.rows, Filter("host:0002"))
        assert hosts_of(one.rows)[at] == ALIKE[1].encode()
    assert sorted(line["host"] for line in map(json.loads, lines) if line["event"] == "open") == ALIKE


def test_rows_of_a_host_that_drops_out_go_and_come_back_with_it(script: Path, tmp_path: Path) -> None:
    file = stream_file(tmp_path / "lines", snapshot_of(row(1)))
    first = f"cat {file}; until [ -e {tmp_path}/end ]; do sleep 0.05; done; rm {tmp_path}/end"
    with closing(feed_of(script, a=first)) as feed:
        feed.open()
        snapshots = feed.snapshots()
        found = next(snapshots)
        (id_,) = found.rows["id"].tolist()
        assert not found.rows["host"][0]  # the only one is in the header
        assert feed.origin.host == "remote"
        (tmp_path / "end").touch()
        found = first_of(feed, snapshots, lambda found: not len(found.rows))
        assert "a: its stream has ended; trying again" in found.health.problem
        found = first_of(feed, snapshots, lambda found: bool(len(found.rows)))
        assert found.health.problem == ""
        assert found.rows["id"].tolist() != [id_]


def test_the_time_goes_on_where_all_hosts_have_dropped_out_for_good(script: Path, tmp_path: Path) -> None:
    file = stream_file(tmp_path / "lines", snapshot_of(row(1)))
    once = f"[ -e {tmp_path}/was ] || cat {file}; touch {tmp_path}/was; exit 7"
    with closing(feed_of(script, a=once)) as feed:
        snapshots = feed.snapshots()
        gone = first_of(feed, snapshots, lambda found: not len(found.rows))
        problem = "a: ssh has ended, with exit status 7; trying again"
        assert gone.health.problem == problem
        ending = threading.Timer(ENOUGH_S, feed.stop)
        ending.start()
        later = list(islice(snapshots, 20))
        ending.cancel()
    assert [(found.health.problem, len(found.rows)) for found in later] == 20 * [(problem, 0)]
    times = [found.clock_ns for found in (gone, *later)]
    assert times == sorted(set(times))


class _Ahead(Clock):
    """Time that can be made to pass."""

    passed_s = 0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.passed_s * 10**9


def test_what_is_told_of_a_host_that_is_silent_does_not_change(script: Path, tmp_path: Path) -> None:
    file, clock = stream_file(tmp_path / "lines", snapshot_of(row(1))), _Ahead()
    (script.parent / "a").write_text(f"cat {file}; exec sleep 1000")
    with closing(RemoteFeed(["a"], str(script), None, 0.1, os.environ, clock)) as feed:
        snapshots = feed.snapshots()
        assert next(snapshots).health.problem == ""
        clock.passed_s = 100
        silent = first_of(feed, snapshots, lambda found: bool(found.health.problem))
        assert re.fullmatch(r"a: silent since [\d:]{8}, rows are of then", silent.health.problem)
        clock.passed_s = 2000
        assert first_of(feed, snapshots, lambda _: True).health.problem == silent.health.problem
        assert len(silent.rows) == 1


def test_no_sample_of_refreshes_that_come_together_is_lost(script: Path, tmp_path: Path) -> None:
    """They are more than may wait, and the second connection is in two of them only."""
    several = [
        snapshot_of(
            row(1, rtt_samples=at, rtt_sum_us=at * 10, rtt_lo_us=7, rtt_hi_us=at + 7),
            *([row(2, rtt_samples=1000)] if at in (3, 4) else []),
        )
        for at in range(1, 4 * MOST_AHEAD)
    ]
    file = stream_file(tmp_path / "lines", *several)
    samples, wanted = dict.fromkeys((b"a", b"b"), 0), 2000 + sum(range(4 * MOST_AHEAD))

    def all_are_there(found: Snapshot) -> bool:
        for host, number in zip(hosts_of(found.rows), found.rows["rtt_samples"].tolist(), strict=True):
            samples[host] += number
        return set(samples.values()) == {wanted}

    with closing(feed_of(script, a=f"cat {file}; sleep 100", b=f"cat {file}; sleep 100")) as feed:
        feed.open()
        snapshots = feed.snapshots()
        first_of(feed, snapshots, all_are_there)
        feed.stop()
        assert all_are_there(list(snapshots)[-1])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("echo hello there", "a: it does not send a tcptop-rtt stream: hello there"),
        ("true", "a: it sends nothing"),
        ('echo \'{"event":"header"}\'', "a: it does not send a tcptop-rtt stream: line 1"),
        ("yes", "a: it does not send a tcptop-rtt stream: y"),
    ],
)
def test_where_no_host_has_a_stream_one_line_says_why(script: Path, text: str, told: str) -> None:
    with closing(feed_of(script, a=text)) as feed, pytest.raises(TcptopError) as caught:
        feed.open()
    assert str(caught.value).startswith(told)


_TELLS = "echo $$ >{pid}; cat {file}; exec sleep 1000"
_IGNORES = "trap '' TERM; "  # what ignores a signal hands that on


@pytest.mark.parametrize(
    "started",
    [
        _TELLS,
        _IGNORES + _TELLS,
        f"({_IGNORES}sh -c '{_TELLS}'); true",
        f"({_IGNORES}sh -c '{_TELLS}') & until [ -s {{pid}} ]; do sleep 0.05; done",
    ],
)
def test_closing_ends_what_was_started(script: Path, tmp_path: Path, started: str) -> None:
    file = stream_file(tmp_path / "lines", snapshot_of(row(1)))
    with closing(feed_of(script, a=started.format(pid=tmp_path / "pid", file=file))) as feed:
        feed.open()
        pid = int((tmp_path / "pid").read_text())
        assert os.path.exists(f"/proc/{pid}")
    assert becomes(lambda: not os.path.exists(f"/proc/{pid}"))


def test_a_program_that_is_not_there_is_told() -> None:
    feed = RemoteFeed(["a"], f"{sys.prefix}/no-ssh", None, 0.1, os.environ)
    with closing(feed), pytest.raises(TcptopError, match=r"a: cannot start .*no-ssh: No such file"):
        feed.open()
