"""What a whole run writes: from a source made by hand, through the live feed, to the bytes."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.records import Direction, Kind
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.outputs.base import Output, write_all
from tcptop_rtt.outputs.jsonl import JsonLines
from tcptop_rtt.outputs.plain import PlainTables
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view.filter import Filter
from tests.unit.fake import START_NS, WALL_NS, FakeSource, ScriptedClock, connection, sample

GOLDEN = Path(__file__).parent / "golden"


class Play(LiveFeed):
    """One connection talks, one stalls and ends, one is opened later."""

    def __init__(self) -> None:
        self.clock = ScriptedClock()
        self.source = FakeSource(self.clock)
        super().__init__(ready(self.source), 1.0, clock=self.clock)
        sampled_us = START_NS // 1000
        talks = connection(1, direction=Direction.OUT, sampled_us=sampled_us)
        self.source.entries = [talks, connection(2, retransmits=3, retrans=3)]

    def snapshots(self) -> Iterator[Snapshot]:
        for number, snapshot in enumerate(super().snapshots()):
            yield snapshot
            if number == 0:
                now = {"opened_ns": self.clock.now_ns, "sampled_us": self.clock.now_ns // 1000}
                later = connection(3, direction=Direction.IN, open_seen=1, kind=Kind.OPEN, **now)
                self.source.records = [sample(1, 1700, bytes_acked=9000, sampled_us=now["sampled_us"]), later]
                talks = {**self.source.entries[0], "srtt_us": 1700, "bytes_acked": 9000}
                self.source.entries = [talks, later | {"kind": Kind.ENTRY}]
                self.source.has_ended, self.source.dropped_records = {2}, 4


def _written(path: Path, make: type[JsonLines] | type[PlainTables], count: int, chosen: Filter) -> str:
    feed = Play()
    with path.open("wb") as file:
        writer = Writer(file.fileno(), lambda: False)
        output: Output = (
            JsonLines(writer, chosen, feed.cgroup)
            if make is JsonLines
            else PlainTables(writer, chosen, lambda: "process 5 has ended")
        )
        feed.open()
        write_all(feed, output, writer, count)
    return path.read_text()


def test_a_stream_has_a_header_what_opens_changes_and_closes_and_an_end(tmp_path: Path) -> None:
    lines = list(map(json.loads, _written(tmp_path / "out", JsonLines, 2, Filter()).splitlines()))
    assert lines[0] == {
        "event": "header",
        "version": 1,
        "host": os.uname().nodename,
        "kernel": os.uname().release,
        "hook": "fake",
        "boot_time_ns": WALL_NS - START_NS,
    }
    names = ("event", "time_ns", "pid", "state", "srtt_us", "rtt_samples", "bytes_acked", "direction")
    later_ns = WALL_NS + 1_000_000_000
    assert [tuple(line[name] for name in names) for line in lines if "state" in line] == [
        ("open", WALL_NS, 101, "ESTAB", 1000, 0, 5000, "out"),
        ("open", WALL_NS, 102, "ESTAB", 2000, 0, 5000, None),
        ("sample", later_ns, 101, "ESTAB", 1700, 1, 9000, "out"),
        ("close", later_ns, 102, "CLOSED", 2000, 0, 5000, None),
        ("open", later_ns, 103, "ESTAB", 3000, 0, 5000, "in"),
    ]
    assert lines[-1] == {"event": "end", "lost": 4}
    schema = json.loads((Path(__file__).parents[2] / "docs" / "stream.schema.json").read_text())
    for line in lines:
        Draft202012Validator(schema).validate(line)


def test_plain_tables_are_those_of_the_golden_file(tmp_path: Path, in_utc: None) -> None:  # noqa: ARG001
    text = _written(tmp_path / "out", PlainTables, 2, Filter())
    assert text == (GOLDEN / "tables.txt").read_text()


def test_a_table_without_any_connection_says_why(tmp_path: Path, in_utc: None) -> None:  # noqa: ARG001
    text = _written(tmp_path / "out", PlainTables, 1, Filter(pid=5))
    first, titles, *rest = text.splitlines()
    assert first == "22:13:20  fake  0 connections  0 samples/s  0 lost"
    assert titles.split()[0] == "PROCESS"
    assert rest == ["process 5 has ended", ""]


def test_a_table_of_one_connection_says_so(tmp_path: Path, in_utc: None) -> None:  # noqa: ARG001
    text = _written(tmp_path / "out", PlainTables, 1, Filter(pid=101))
    assert text.startswith("22:13:20  fake  1 connection  0 samples/s  0 lost\n")


def test_a_connect_that_has_failed_is_in_the_stream_and_in_no_table(tmp_path: Path) -> None:
    def written(make: type[JsonLines] | type[PlainTables]) -> str:
        feed = Play()
        fails = {"direction": Direction.OUT, "open_seen": 1, "bytes_acked": 0, "raddr": "203.0.113.77"}
        feed.source.records = [
            connection(9, kind=Kind.OPEN, **fails),
            connection(9, kind=Kind.CLOSE, error=errno.ECONNREFUSED, **fails),
        ]
        with (tmp_path / make.__name__).open("wb") as file:
            writer = Writer(file.fileno(), lambda: False)
            if make is JsonLines:
                write_all(feed, JsonLines(writer, Filter(), feed.cgroup), writer, 1)
            else:
                write_all(feed, PlainTables(writer, Filter(), str), writer, 1)
        return (tmp_path / make.__name__).read_text()

    lines = [json.loads(line) for line in written(JsonLines).splitlines()]
    told = [(line["event"], line["connect_error"]) for line in lines if line.get("id") == 9]
    assert told == [("open", "refused"), ("close", "refused")]
    table = written(PlainTables)
    assert "198.51.100.1" in table
    assert "203.0.113.77" not in table


def test_a_table_says_what_does_not_work(tmp_path: Path) -> None:
    feed = Play()
    feed.source.scan_failure = OSError(24, "Too many \x1b[2J files")
    with (tmp_path / "out").open("wb") as file:
        writer = Writer(file.fileno(), lambda: False)
        write_all(feed, PlainTables(writer, Filter(), str), writer, 1)
    first = (tmp_path / "out").read_text().splitlines()[0]
    assert first.endswith("  ! cannot list the sockets: Too many �[2J files")


def test_as_many_snapshots_are_taken_as_are_written(tmp_path: Path) -> None:
    for count in (1, 3):
        text = _written(tmp_path / "out", PlainTables, count, Filter())
        assert text.count(" connections ") == count


def test_a_full_device_ends_it_before_there_is_a_snapshot() -> None:
    feed = Play()
    with Path("/dev/full").open("wb") as file:
        writer = Writer(file.fileno(), lambda: False)
        with pytest.raises(TcptopError, match="No space left on device; 2 lines are not written"):
            write_all(feed, JsonLines(writer, Filter(), feed.cgroup), writer, None)
    assert feed.source.scans_s == []


def test_a_reader_that_has_gone_ends_it_without_complaint() -> None:
    feed = Play()
    reader, stdout = os.pipe()
    os.close(reader)
    writer = Writer(stdout, lambda: False)
    write_all(feed, PlainTables(writer, Filter(), str), writer, None)
    os.close(stdout)
    assert writer.gone
    assert len(feed.source.scans_s) == 1


@pytest.mark.parametrize("pause_s", [0.2, None])
def test_after_a_signal_a_reader_is_waited_for_as_long_as_it_takes_something(
    pause_s: float | None,
) -> None:
    """Each turn is short beside the patience, and all of them together are long."""
    reader, stdout = os.pipe()
    taken = bytearray()

    def read() -> None:
        while pause_s and len(taken) < 1 << 20:
            data = os.read(reader, 1 << 16)
            if not data:
                return
            taken.extend(data)
            time.sleep(pause_s)

    thread = threading.Thread(target=read)
    thread.start()
    writer = Writer(stdout, lambda: True, patience_s=2.0)
    for _ in range(16):
        writer.write("x" * ((1 << 16) - 1) + "\n")
    writer.flush()
    os.close(stdout)
    thread.join()
    os.close(reader)
    if pause_s:
        assert (writer.failure, writer.unwritten, len(taken)) == ("", 0, 1 << 20)
    else:
        assert (writer.failure, writer.unwritten) == ("its reader takes too little", 15)
