"""Streams that somebody has made to do harm: what they say reaches no terminal, and ends nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tcptop_rtt.feeds.replay.opening import footage_of
from tcptop_rtt.feeds.stream import state
from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.hosts import LONGEST_BYTES
from tcptop_rtt.model.snapshot import Health, Origin, Snapshot, Waiting
from tcptop_rtt.outputs.base import write_lines
from tcptop_rtt.outputs.json_line import encoded
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.past.moment_lines import line_of, moment_of
from tcptop_rtt.past.moments import MomentFinder
from tcptop_rtt.recording.frames import (
    HEAD_MAGIC,
    MOST_DAMAGES,
    Head,
    Kind,
    contents,
    head_bytes,
    index_bytes,
)
from tcptop_rtt.recording.opened import open_file
from tcptop_rtt.recording.reader import RecordingReader
from tcptop_rtt.recording.writer import RecordingWriter
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.view.own_health import everything, what_is_missed
from tests.unit.recorded import lines_of, record
from tests.unit.rows import hosts_of
from tests.unit.test_replay import _run
from tests.unit.world import World, told

ESCAPE = "\x1b]0;x\x07"
DEEP = b"[" * 100_000
OPEN = {"event": "open", "time_ns": 5, "id": 1, "laddr": "127.0.0.1", "raddr": "127.0.0.1"}
TWO = {"event": "state", "table": "connections", "field": "id", "values": [1, 2]}
REFRESH = {"event": "refresh", "time_ns": 5, "clock_ns": 5, "gone": [], "health": {}}


def read(*lines: dict[str, Any] | bytes) -> tuple[StreamDecoder, list[Snapshot], list[str]]:
    """The snapshots of some lines, and what is said of them."""
    problems: list[str] = []
    decoder = StreamDecoder(problems.append)
    told = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return decoder, [one for one in map(decoder.take, told) if one is not None], problems


def _texts(kind: type[Health] | type[Origin]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.type == "str"]


def test_no_text_of_health_or_origin_has_a_control_character() -> None:
    header = {"event": "header", "version": 1, "boot_time_ns": 1, **dict.fromkeys(_texts(Origin), ESCAPE)}
    refresh = {**REFRESH, "health": dict.fromkeys(_texts(Health), ESCAPE)}
    decoder, (snapshot,), problems = read(header, refresh)
    assert problems == []
    assert decoder.origin is not None
    for found in (snapshot.health, decoder.origin):
        for name in _texts(type(found)):
            assert getattr(found, name) == "\ufffd]0;x\ufffd", name


def test_what_is_spaced_for_a_budget_has_names_that_there_are() -> None:
    health = {"spaced": ["scans", ESCAPE, "x" * 1000], "budget_percent": 0.5, "kernel_percent": 0.25}
    _, (snapshot,), problems = read({**REFRESH, "health": health})
    assert problems == []
    assert snapshot.health == Health(spaced=frozenset({"scans"}), budget_percent=0.5, kernel_percent=0.25)
    assert read({**REFRESH, "health": {"kernel_percent": 1e300}})[2] == [
        "line 1: kernel_percent: no such number"
    ]


def test_a_plain_table_of_it_has_none_either(tmp_path: Path) -> None:
    (tmp_path / "it").write_text(json.dumps({**REFRESH, "health": {"missed": ESCAPE}}) + "\n")
    ended = _run("--replay", str(tmp_path / "it"), "--count", "1")
    assert ended.returncode == 0
    assert b"no BPF" in ended.stdout
    assert b"\x1b" not in ended.stdout
    assert b"\x07" not in ended.stdout


def test_lines_that_are_written_as_they_are_hold_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    lines = [
        json.dumps(REFRESH),
        '{"event":"x","comm":"w\u00e4sche\u202e"}',
        "hello",
        f"nothing{ESCAPE}",
        '{"a":"\x9b\x7f"}',
    ]
    (tmp_path / "it").write_bytes("\r\n".join(lines).encode() + b"\n\xff\x9b2J\n")
    ended = _run("--replay", str(tmp_path / "it"), "--json")
    told = [
        json.dumps(REFRESH),
        r'{"event":"x","comm":"w\u00e4sche\u202e"}',
        r'{"a":"\u009b\u007f"}',
    ]
    assert ended.stdout.decode().split("\n") == [*told, ""]
    assert encoded({"a": "\x7f"}) == rb'{"a":"\u007f"}' + b"\n"
    assert ended.stderr.startswith(b"tcptop-rtt: not all of the recording can be read: line 2: event 'x' ")
    assert ended.stderr.endswith(b" (and 4 more)\n")
    assert ended.returncode == 0


def test_of_lines_that_are_written_as_they_are_all_that_is_no_json_is_left_out(tmp_path: Path) -> None:
    """Whether it is printable or not, in a recording as in a file of lines."""
    bad = ["garbage not json", "17", "", '{"a":1} x', "g\u00e4rbage", '{"event":"x","a":"\x1b"}', "[1]"]
    moment = {"event": "moment", "words": "w\u00e4sche\t\U0001f600"}
    good = [json.dumps(REFRESH), json.dumps(moment), '{"event":"moment"}']
    lines = [good[0], *bad[:3], json.dumps(moment, ensure_ascii=False), *bad[3:], good[2]]
    text = "\n".join(lines).encode()
    (tmp_path / "lines").write_bytes(text + b"\n")
    file = RecordingWriter(str(tmp_path / "recording"))
    file.add([text], 1, 1, list)
    file.close([b"\n"])
    for name in ("lines", "recording"):
        ended = _run("--replay", str(tmp_path / name), "--json")
        assert ended.stdout.decode().splitlines() == good
        words = "line 2: not a JSON object (and 5 more)"
        assert ended.stderr.decode() == f"tcptop-rtt: not all of the recording can be read: {words}\n"
        assert ended.returncode == 0


def test_what_is_escaped_stays_what_it_was(tmp_path: Path) -> None:
    value = {"a": "w\u00e4sche\u202e\x7f\U0001f600\\\n\u00e9", "\u00e9": [1, {"b": None}]}
    text = json.dumps(value, ensure_ascii=False, indent="\t").replace("\n", "\r").encode()
    with (tmp_path / "out").open("wb") as file:
        write_lines([text], Writer(file.fileno(), lambda: True))
    told = (tmp_path / "out").read_bytes()
    assert told.isascii()
    assert told.decode().removesuffix("\n").isprintable()
    assert json.loads(told) == value


def test_the_screen_has_no_character_that_the_terminal_has_not() -> None:
    health = Health(missed="\u65e5\x1b")
    told = {one.label: one.value for one in everything(health, ASCII)}
    assert told["not seen"] == "??"
    assert what_is_missed(health, ASCII) == "no BPF: ??"


def _column(**values: object) -> dict[str, Any]:
    return {
        "event": "column",
        "table": "connections",
        "field": "srtt_us",
        "ids": [1],
        "values": [7],
        **values,
    }


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([OPEN, {**REFRESH, "gone": [[1]]}], "line 2: not a list of ids"),
        ([OPEN, {**REFRESH, "gone": [1.5]}], "line 2: not a list of ids"),
        ([{**TWO, "values": [[1], [2]]}, REFRESH], "line 1: not a list of ids"),
        ([{**OPEN, "srtt_us": [1, 2]}, REFRESH], "line 2: srtt_us: no such value (up to 1 lines before)"),
        ([OPEN, _column(values=[[1, 2]]), REFRESH], "line 2: srtt_us: no such value"),
        ([OPEN, _column(table="cells", second=1, values=[[1, 2]]), REFRESH], "line 2: cells: no such value"),
        ([OPEN, _column(table="cells", second=1, values=[1e300]), REFRESH], "line 2: cells: no such value"),
        ([OPEN, _column(table="cells", second=True), REFRESH], "line 2: second: no number"),
        (
            [_column(table="listeners", field="age_ns", ids=[], values=[], plus=1), REFRESH],
            "line 1: age_ns is no field of listeners",
        ),
        ([b"[[1]]"], "line 1: not a JSON object"),
        ([DEEP], "line 1: no JSON object, or lists in lists"),
        ([b'{"event":' + DEEP], "line 1: no JSON object, or lists in lists"),
        ([b'{"event":' + DEEP[:60_000]], "line 1: not a JSON object"),
    ],
)
def test_a_line_that_is_not_what_the_stream_has_is_left_out_and_told(
    lines: list[dict[str, Any] | bytes], problem: str
) -> None:
    assert read(*lines)[2] == [problem]


def test_a_name_of_a_host_that_is_longer_than_any_is_unknown_and_told() -> None:
    _, snapshots, problems = read(
        *({**OPEN, "id": 1 + at, "host": "h" * (LONGEST_BYTES + at)} for at in range(2)), REFRESH
    )
    assert problems == ["line 3: host: no such value (up to 2 lines before)"]
    assert hosts_of(snapshots[0].rows) == [b"h" * LONGEST_BYTES, b""]


_MANY_HOSTS = """
from tcptop_rtt.model.hosts import MOST, name_of, number_of
from tcptop_rtt.view.parsing import hosts

numbers = hosts([f"host{at}" for at in range(MOST)])
assert numbers == list(range(1, MOST + 1))
try:
    hosts(["one more"])
    raise SystemExit("it was taken")
except ValueError:
    pass
assert hosts(["host7", None]) == [8, 0]
assert name_of(numbers[-1]) == b"host65534"
"""


def test_more_hosts_than_there_can_be_fill_no_memory_and_those_that_are_known_stay() -> None:
    subprocess.run([sys.executable, "-c", _MANY_HOSTS], check=True, timeout=120)


def test_ids_that_come_twice_leave_no_cell_at_another_row() -> None:
    cells = {"event": "state", "table": "cells", "second": 0, "ids": [2], "values": [9]}
    _, (snapshot,), problems = read({**TWO, "values": [2]}, cells, TWO, REFRESH)
    assert problems == []
    assert str(snapshot.cells_us[-1].tolist()) == "[nan, 9.0]"


@pytest.fixture(scope="module")
def snapshots() -> list[Snapshot]:
    world = World(5)
    return [world.step() for _ in range(40)]


def test_only_so_many_network_namespaces_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MOST_NAMESPACES", 2)
    waiting = [
        {"event": "waiting", "time_ns": 5, "netns": netns, "time_wait": number, "syn_recv": 0}
        for number, netns in enumerate((1, 2, 3, 2), 1)
    ]
    none = {**waiting[0], "time_wait": 0}
    _, snapshots, problems = read(*waiting, REFRESH, none, waiting[2], REFRESH)
    assert [one.waiting for one in snapshots] == [
        (Waiting(1, 1, 0), Waiting(2, 4, 0)),
        (Waiting(2, 4, 0), Waiting(3, 3, 0)),
    ]
    assert problems == ["line 3: more than 2 network namespaces"]


def test_no_address_is_shown_as_one_of_another_family() -> None:
    odd = {**OPEN, "family": 4, "laddr": "2001:db8::1"}
    column = {"event": "column", "table": "connections", "field": "family", "ids": [1], "values": [4]}
    snapshots = [*read(odd, REFRESH)[1], *read({**odd, "family": 6}, REFRESH, column, REFRESH)[1]]
    assert [int(one.rows["family"][0]) for one in snapshots] == [6, 6, 6]
    (even,) = read({**OPEN, "family": 4}, REFRESH)[1]
    assert even.rows["family"].tolist() == [4]


def test_what_has_ended_does_not_begin_again_and_cells_are_whole_microseconds() -> None:
    close, cells = {**OPEN, "event": "close"}, {"event": "column", "table": "cells", "second": 0}
    _, snapshots, _ = read(close, REFRESH, OPEN, {**cells, "ids": [1], "values": [1.75]}, REFRESH)
    assert [one.rows["closed"].tolist() for one in snapshots] == [[True], [True]]
    assert snapshots[1].cells_us[-1].tolist() == [2.0]


STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    1e300,
    1 << 64,
    10**400,
    "",
    "id",
    ESCAPE,
    [],
    [[1, 2]],
    {},
    [None],
    [1e300],
)


def _spoilt(line: bytes, chance: random.Random) -> bytes:
    """With something else in it."""
    told = json.loads(line)
    name = chance.choice(list(told))
    value = told[name]
    if isinstance(value, list) and value and chance.random() < 0.7:
        value[chance.randrange(len(value))] = chance.choice(STRANGE)
    elif isinstance(value, dict) and chance.random() < 0.7:
        value[chance.choice(list(value))] = chance.choice(STRANGE)
    elif name == "table":
        told[name] = chance.choice(["connections", "listeners", "targets", "cells"])
    else:
        told[name] = chance.choice(STRANGE)
    return json.dumps(told).encode()


def test_whatever_stands_in_lines_snapshots_stay_whole() -> None:
    world = World(3)
    lines, told = lines_of([world.step() for _ in range(8)]), 0
    for seed in range(40):
        chance = random.Random(seed)  # noqa: S311 - the same ones each time
        _, snapshots, problems = read(
            *(_spoilt(line, chance) if chance.random() < 0.02 else line for line in lines)
        )
        told += bool(problems)
        assert len(snapshots) > 1
        for snapshot in snapshots:
            assert {len(cells) for cells in snapshot.cells_us} == {len(snapshot.rows)}
            assert {len(snapshot.rows[name]) for name in ("id", "laddr", "closed")} == {len(snapshot.rows)}
    assert told > 20


def test_heads_and_indices_that_are_nested_too_deep_are_told(tmp_path: Path) -> None:
    head = head_bytes(Head(Kind.START, 5, 5))
    magic = HEAD_MAGIC.to_bytes(4, "little")
    nested = b'{"kind":"start","moments":[{"a":' + DEEP
    found = contents(magic + len(nested).to_bytes(4, "little") + nested)
    assert found.problem.startswith("the head of a frame cannot be read at byte 0")
    end = index_bytes([], ())
    index = b'[[],[],[{"a":' + DEEP
    (tmp_path / "it").write_bytes(head + end[:8] + index + len(index).to_bytes(8, "little") + end[-8:])
    problems: list[str] = []
    footage = footage_of(open_file(str(tmp_path / "it")), lambda: False, problems.append)
    assert problems[0].startswith("no frame of Zstandard at byte 0")
    footage.close()


class _Counted(bytes):
    """A file, and how much of it has been asked for."""

    read = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.read += len(found) if isinstance(found, bytes) else 1
        return found


def test_a_file_of_nothing_but_heads_that_are_none_is_soon_left() -> None:
    """Each might have a megabyte, and there would be as many megabytes to read as there are heads."""
    none = HEAD_MAGIC.to_bytes(4, "little") + (1 << 20).to_bytes(4, "little") + b"{"
    data = _Counted(none * 250_000)
    found = contents(data)
    assert found.frames == []
    assert found.problem.endswith(f"and in {MOST_DAMAGES - 1} other places: reading stops there")
    assert data.read < (MOST_DAMAGES + 1) * (1 << 20)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Health)])
@pytest.mark.parametrize("number", [-1, 1e306, 1 << 80, 1 << 63])
def test_no_number_of_health_is_one_that_nothing_can_be(name: str, number: float) -> None:
    _, snapshots, problems = read({**REFRESH, "health": {name: number}})
    assert snapshots == []
    assert len(problems) == 1


def test_neither_is_any_of_a_header_or_a_rate() -> None:
    header = {"event": "header", "version": 1, "host": "", "kernel": "", "hook": "", "boot_time_ns": 1 << 63}
    decoder, _, problems = read(header, OPEN, _column(field="in_bps", values=[1e300]), REFRESH)
    assert problems == ["line 1: boot_time_ns: no such number", "line 3: in_bps: no such value"]
    assert decoder.origin is None


WHOLE = {"scanned": True, "bytes_acked": 100, "cwnd": 10, "rtt_age_ms": 7, "ssthresh": 20, "snd_wnd_bytes": 5}


@pytest.mark.parametrize("from_column", [False, True])
def test_a_value_that_does_not_fit_is_unknown_and_all_others_are_told(from_column: bool) -> None:
    first, second = {**OPEN, **WHOLE}, {**OPEN, **WHOLE, "id": 2}
    if from_column:
        spoilt = _column(field="rtt_age_ms", ids=[1, 2], values=["old", 9])
        _, (snapshot,), problems = read(first, second, spoilt, REFRESH)
        assert problems == ["line 3: rtt_age_ms: no such value"]
    else:
        spoilt = {**first, "rtt_age_ms": "old"}
        _, (snapshot,), problems = read(spoilt, {**second, "rtt_age_ms": 9}, REFRESH)
        assert problems == ["line 3: rtt_age_ms: no such value (up to 2 lines before)"]
    rows = told(snapshot)["connections"]
    assert rows["rtt_age_ms"] == [None, 9]
    assert (rows["cwnd"], rows["ssthresh"], rows["snd_wnd_bytes"]) == ([10, 10], [20, 20], [5, 5])


def test_of_many_that_do_not_fit_the_reader_soon_has_enough() -> None:
    ids = [*range(1, 100_001)]
    rows = {"event": "state", "table": "connections", "field": "id", "values": ids}
    spoilt = [*([9] * 50_000), *(["old", 9] * 25_000)]
    sampled = {**rows, "field": "bytes_acked", "values": [100] * 100_000}
    _, (snapshot,), problems = read(rows, sampled, {**rows, "field": "rtt_age_ms", "values": spoilt}, REFRESH)
    assert problems == ["line 3: rtt_age_ms: no such value"]
    rtt_age_ms = told(snapshot)["connections"]["rtt_age_ms"]
    assert rtt_age_ms[:50_000] == [9] * 50_000
    assert set(rtt_age_ms[50_000::2]) == {None}


def test_what_lines_of_connections_lack_is_known_of_listeners() -> None:
    place = {"listen_address": "::1", "listen_port": 80}
    listener = {"event": "listener", "time_ns": 5, "listener": 1, **place, "comm": "nginx", "queue": 3}
    _, (snapshot,), problems = read(OPEN, listener, REFRESH)
    assert problems == []
    rows = told(snapshot)["listeners"]
    assert (rows["comm"], rows["queue"], rows["drops"]) == (["nginx"], [3], [None])
    assert told(snapshot)["connections"]["comm"] == [None]


@pytest.mark.parametrize("time_ns", [-1, (1 << 62) + 1, 10**400], ids=["negative", "late", "huge"])
@pytest.mark.parametrize("name", ["time_ns", "clock_ns"])
def test_no_time_of_a_recording_is_one_that_no_clock_can_show(
    tmp_path: Path, snapshots: list[Snapshot], name: str, time_ns: int
) -> None:
    """It is told, also where the index has it, and what else there is can be gone to."""
    path = tmp_path / "it"
    record(path, snapshots).end(0)
    data = path.read_bytes()
    reader = RecordingReader(os.open(path, os.O_RDONLY))
    first, others = reader.frames[0], reader.frames[1:]
    spoilt = replace(Head(first.head.kind, 5, 5), **{name: time_ns})
    head, end = head_bytes(spoilt), reader.end
    moved = [other._replace(at=other.at - first.at + len(head)) for other in others]
    index = index_bytes([first._replace(head=spoilt, at=len(head)), *moved], ())
    path.write_bytes(head + data[first.at : end] + index)
    reader.close()
    ended = _run("--replay", str(path), "--at", "50%", "--count", "1")
    assert ended.returncode == 0
    assert b"the head of a frame cannot be read at byte 0" in ended.stderr
    problems: list[str] = []
    footage = footage_of(open_file(str(path)), lambda: False, problems.append)
    assert problems[0].startswith("the head of a frame cannot be read at byte 0")
    assert footage.span_ns[0] == others[0].head.time_ns
    footage.close()


@pytest.mark.parametrize("name", ["time_ns", "clock_ns", "count", "id"])
@pytest.mark.parametrize("number", [-1, 1 << 64, 1 << 80, 1e300, "5", None, True])
def test_no_moment_has_such_a_number(snapshots: list[Snapshot], name: str, number: object) -> None:
    finder = MomentFinder()
    (*_, moment) = [finder.look(snapshot) for snapshot in snapshots][-1]
    line = dict(line_of(moment))
    assert moment_of(line) is not None
    assert moment_of({**line, name: number}) is None
