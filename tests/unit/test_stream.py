"""The stream there and back: from its lines alone every snapshot is as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.snapshot import ProcessKey, Snapshot, processes_of
from tcptop_rtt.outputs.schema import schema
from tcptop_rtt.outputs.stream import StreamLines
from tcptop_rtt.view.filter import Filter
from tests.unit.recorded import stream_of
from tests.unit.rows import listener, listeners_of, row
from tests.unit.snapshots import S, snapshot_at
from tests.unit.world import ORIGIN, World, told


def decoded(pieces: list[bytes], decoder: StreamDecoder) -> Iterator[Snapshot]:
    for line in b"".join(pieces).splitlines():
        snapshot = decoder.take(line)
        if snapshot is not None:
            yield snapshot


def _at(*rows: dict[str, Any]) -> Snapshot:
    return snapshot_at(1, *rows)


def complain(problem: str) -> None:
    raise AssertionError(problem)


@pytest.mark.parametrize("seed", range(5))
def test_each_snapshot_is_the_same_again(seed: int) -> None:
    world, stream, decoder = World(seed), StreamLines(Filter(), lambda _: "/a"), StreamDecoder(complain)
    lines = stream.begin(ORIGIN)
    for _ in range(40):
        snapshot = world.step()
        (again,) = decoded([*lines, *stream.of(snapshot)], decoder)
        lines = []
        assert told(again) == told(snapshot)
    assert decoder.origin == ORIGIN


def test_reading_may_begin_at_any_state() -> None:
    world, stream = World(7), StreamLines(Filter(), lambda _: "/web")
    stream.begin(ORIGIN)
    for _ in range(20):
        snapshot = world.step()
        stream.of(snapshot)
        decoder = StreamDecoder(complain)
        (again,) = decoded(stream.state(), decoder)
        assert told(again) == told(snapshot)
        for _ in range(2):
            snapshot = world.step()
            (again,) = decoded(stream.of(snapshot), decoder)
            assert told(again) == told(snapshot)
        assert again.rows["pid"].any()
        left = np.flatnonzero(~again.rows["closed"])  # a closed connection has no process that could change
        for process in processes_of(again.rows.take(left).__getitem__):
            assert not process.pid or decoder.cgroup(process) == "/web"
        assert decoder.cgroup(ProcessKey(1 << 31, 1)) is None
    assert decoder.origin == ORIGIN


def test_a_process_that_is_moved_has_its_new_cgroup_in_every_line_and_reader() -> None:
    paths: list[str | None] = ["/old"]
    stream, decoder = StreamLines(Filter(), lambda _: paths[-1]), StreamDecoder(complain)
    process = {"pid": 9, "started_ns": 5}
    lines = [*stream.begin(ORIGIN), *stream.of(_at(row(1, **process), row(2, **process)))]
    list(decoded(lines, decoder))
    paths.append("/new")
    moved = stream.of(_at(row(1, **process), row(2, **process, bytes_acked=6000)))
    assert [line["cgroup"] for line in map(json.loads, b"".join(moved).splitlines()) if "cgroup" in line] == [
        "/new"
    ]
    paths.append(None)  # as once it has ended
    moved += stream.of(_at(row(1, **process, bytes_acked=7000)))
    list(decoded(moved, decoder))
    assert decoder.cgroup(ProcessKey(9, 5)) == "/new"
    from_state = StreamDecoder(complain)
    list(decoded(stream.state(), from_state))
    assert from_state.cgroup(ProcessKey(9, 5)) == "/new"


def test_processes_that_come_and_go_are_forgotten() -> None:
    stream, decoder = StreamLines(Filter(), lambda _: "/a"), StreamDecoder(complain)
    lines = stream.begin(ORIGIN)
    for number in range(1, 100):
        lines += stream.of(_at(row(number, pid=number, started_ns=5)))
    list(decoded(lines, decoder))
    known = [number for number in range(1, 100) if decoder.cgroup(ProcessKey(number, 5))]
    assert known[-1] == 99
    assert len(known) <= 2
    assert len(stream._cgroups) <= 2


def test_of_a_state_whose_end_is_missing_nothing_is_taken() -> None:
    world, stream, decoder = World(7), StreamLines(Filter(), lambda _: None), StreamDecoder(complain)
    list(decoded([*stream.begin(ORIGIN), *stream.of(world.step())], decoder))
    lines = b"".join(stream.state()).splitlines(keepends=True)
    assert not list(decoded(lines[: len(lines) // 2], decoder))
    decoder.drop_states()
    snapshot = world.step()
    (again,) = decoded(stream.of(snapshot), decoder)
    assert told(again) == told(snapshot)


def test_a_clock_that_goes_back_is_told_by_values() -> None:
    """As from one recording to the next, where the machine was started again in between."""
    snapshots = [
        snapshot_at(clock_ms * 1_000_000, listeners=listeners_of(listener(1, read_ms=read_ms)))
        for clock_ms, read_ms in ((20_000, 1_095), (18_906, 1))
    ]
    stream = StreamLines(Filter(), lambda _: None)
    lines = stream.begin(ORIGIN)
    for snapshot in snapshots:
        lines += stream.of(snapshot)
    for one, other in zip(decoded(lines, StreamDecoder(complain)), snapshots, strict=True):
        assert told(one) == told(other)


@pytest.mark.parametrize("from_state", [False, True])
def test_what_an_older_version_does_not_say_is_unknown(from_state: bool) -> None:
    world, stream, decoder = World(3), StreamLines(Filter(), lambda _: None), StreamDecoder(complain)
    lines = stream.begin(ORIGIN)
    for _ in range(10):
        lines += stream.of(world.step())
    newer = ("slow_answers", "slow_answers_1m")
    older = [
        json.dumps({name: value for name, value in line.items() if name not in newer})
        for line in map(json.loads, b"".join(stream.state() if from_state else lines).splitlines())
        if line.get("field") not in newer
    ]
    again = None
    for text in older:
        again = decoder.take(text.encode()) or again
    assert again is not None
    assert len(again.rows)
    assert again.health.lacking == {*newer, *world.step().health.lacking}
    written = StreamLines(Filter(), lambda _: None).of(again)
    opened = [line for line in map(json.loads, b"".join(written).splitlines()) if line["event"] == "open"]
    assert {line[name] for line in opened for name in newer} == {None}
    assert None not in {line["slow_replies"] for line in opened if line["scanned"]}


def test_the_older_name_of_what_is_lacking_is_read_too() -> None:
    world, stream, decoder = World(3), StreamLines(Filter(), lambda _: None), StreamDecoder(complain)
    snapshot = world.step()
    older = b"".join(stream.begin(ORIGIN) + stream.of(snapshot)).replace(b'"lacking":', b'"unknown":')
    (again,) = (found for line in older.splitlines() if (found := decoder.take(line)) is not None)
    assert again.health == snapshot.health
    assert again.health.lacking


def test_all_lines_keep_to_the_schema() -> None:
    world, stream = World(3), StreamLines(Filter(), lambda _: None)
    lines = stream.begin(ORIGIN)
    for _ in range(3):
        lines += stream.of(world.step())
    lines += [*stream.state(), *stream.end(3)]
    validator = Draft202012Validator(schema())
    for line in b"".join(lines).splitlines():
        validator.validate(json.loads(line))
        assert line.isascii()


def test_where_ids_of_another_run_begin_again_so_does_the_stream() -> None:
    """As in a recording of several runs: one that ended in the first may have the id of one in the next."""
    rows = [row(1, closed=True), row(1), row(1, closed=True)]
    made = [snapshot_at((100 + at) * S, one) for at, one in enumerate(rows)]
    lines = stream_of(made).splitlines()
    assert [json.loads(line)["event"] for line in lines].count("header") == 2
    decoder = StreamDecoder(pytest.fail)
    back = [one for one in map(decoder.take, lines) if one is not None]
    assert [one.rows["closed"].tolist() for one in back] == [[True], [False], [True]]
