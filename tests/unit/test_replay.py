"""Replay: the same snapshots from any kind of file, any time of it, and what cannot be read is told."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.feeds.replay.feed import LATE_NS
from tcptop_rtt.feeds.replay.opening import footage_of
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.recording.frames import contents
from tcptop_rtt.recording.opened import open_file
from tcptop_rtt.recording.zstd import ZstdCompressor
from tcptop_rtt.view import format as fmt
from tests.unit.fake import ScriptedClock
from tests.unit.recorded import lines_of, record, replayed, stream_of
from tests.unit.rows import row
from tests.unit.snapshots import S, snapshot_at
from tests.unit.world import ORIGIN, World, told
from tests.waiting import ENOUGH_S, becomes

STEPS = 60
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def snapshots() -> list[Snapshot]:
    world = World(5)
    return [world.step() for _ in range(STEPS)]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, snapshots: list[Snapshot]) -> Path:
    """The same in each kind of file."""
    path = tmp_path_factory.mktemp("replay")
    record(path / "recording", snapshots).end(0)
    lines = stream_of(snapshots)
    (path / "lines").write_bytes(lines)
    (path / "lines.gz").write_bytes(gzip.compress(lines))
    (path / "lines.zst").write_bytes(ZstdCompressor().compress(lines, ZstdCompressor.FLUSH_FRAME))
    return path


KINDS = ["recording", "lines", "lines.gz", "lines.zst"]


@pytest.mark.parametrize("name", KINDS)
def test_every_snapshot_comes_again_from_each_kind_of_file(
    there: Path, snapshots: list[Snapshot], name: str
) -> None:
    feed = replayed(there / name)
    again = list(feed.snapshots())
    assert len(again) == STEPS
    for one, other in zip(again, snapshots, strict=True):
        assert told(one) == told(other)
    assert feed.origin == ORIGIN
    assert feed.problem == ""
    feed.close()


def _written(one: Snapshot) -> str:
    """Its time, in a millisecond in which there is no other."""
    time_ns = one.time_ns + 1_000_000
    return f"{fmt.moment(time_ns / 1e9)}.{time_ns // 1_000_000 % 1000:03}"


@pytest.mark.parametrize("name", KINDS)
def test_any_time_can_be_gone_to(there: Path, snapshots: list[Snapshot], name: str) -> None:
    feed = replayed(there / name, paced=True, at=_written(snapshots[30]))
    feed.open()
    come = feed.snapshots()
    assert told(next(come)) == told(snapshots[30])
    assert not feed.playing.on
    for at in (50, 3, 59, 0, 31, 30):
        feed.seek(snapshots[at].time_ns + 1)
        assert told(next(come)) == told(snapshots[at])
    for step, at in ((1, 31), (1, 32), (-1, 31), (-2, 29), (-40, 0), (1, 1)):
        feed.step(step)
        assert told(next(come)) == told(snapshots[at])
    feed.seek(snapshots[-1].time_ns)
    next(come)
    feed.step(1)
    assert told(next(come)) == told(snapshots[-1])
    assert feed.playing.at_end
    assert (feed.playing.first_ns, feed.playing.last_ns) == (snapshots[0].time_ns, snapshots[-1].time_ns)
    feed.stop()
    assert list(come) == []
    feed.close()


@pytest.mark.parametrize("name", KINDS)
def test_the_time_to_begin_at_may_be_any_of_a_long_file(
    there: Path, tmp_path: Path, snapshots: list[Snapshot], name: str
) -> None:
    """The file goes on for longer than what was last is taken for that of later."""
    assert snapshots[-1].time_ns - snapshots[0].time_ns > LATE_NS
    feed = replayed(there / name, at=_written(snapshots[-2]))
    feed.open()
    assert told(next(feed.snapshots())) == told(snapshots[-2])
    feed.close()
    with pytest.raises(TcptopError, match=f"nothing of 2001-01-01 00:00 in .*{name}: it goes from 20"):
        replayed(there / name, at="2001-01-01 00:00").open()
    (tmp_path / name).write_bytes((there / name).read_bytes()[:12])
    with pytest.raises(TcptopError, match="can be shown"):
        replayed(tmp_path / name, at="14:03").open()


def test_it_is_played_at_its_own_pace_or_another(there: Path, snapshots: list[Snapshot]) -> None:
    clock = ScriptedClock()
    feed = replayed(there / "recording", paced=True, clock=clock)
    feed.open()
    come = feed.snapshots()
    next(come)
    began_ns = clock.now_ns
    for at in range(1, 10):
        assert told(next(come)) == told(snapshots[at])
        passed_ns = snapshots[at].clock_ns - snapshots[0].clock_ns
        assert clock.now_ns - began_ns == pytest.approx(passed_ns, abs=1000)
    feed.set_speed(10.0)
    next(come)
    began_ns = clock.now_ns
    for _ in range(10):
        next(come)
    assert clock.now_ns - began_ns == pytest.approx(
        (snapshots[19].clock_ns - snapshots[9].clock_ns) / 10, abs=1000
    )
    feed.stop()
    feed.close()


def test_a_recording_from_a_pipe(there: Path, snapshots: list[Snapshot]) -> None:
    for name in ("recording", "lines"):
        out, into = os.pipe()
        data = (there / name).read_bytes()

        def write(into: int = into, data: bytes = data) -> None:
            with os.fdopen(into, "wb") as pipe:
                pipe.write(data)

        writer = threading.Thread(target=write)
        writer.start()
        feed = replayed(Path(f"/dev/fd/{out}"))
        assert [told(one)["time"] for one in feed.snapshots()] == [told(one)["time"] for one in snapshots]
        writer.join()
        os.close(out)
        feed.close()


def _pieces(snapshots: list[Snapshot]) -> list[bytes]:
    """The lines of each refresh."""
    pieces = [b""]
    for line in lines_of(snapshots):
        pieces[-1] += line + b"\n"
        if line.startswith(b'{"event":"refresh"'):
            pieces.append(b"")
    return pieces[:-1]


@pytest.mark.parametrize("packed", [False, True], ids=["lines", "lines.zst"])
def test_what_a_pipe_brings_is_shown_as_it_comes_and_the_player_obeys_while_nothing_comes(
    snapshots: list[Snapshot], packed: bool
) -> None:
    compressor = ZstdCompressor()
    pieces = _pieces(snapshots[:8])
    if packed:
        pieces = [compressor.compress(piece, ZstdCompressor.FLUSH_BLOCK) for piece in pieces]
    out, into = os.pipe()
    os.write(into, pieces[0] + pieces[1][: len(pieces[1]) // 2])
    feed = replayed(Path(f"/dev/fd/{out}"), paced=True, clock=ScriptedClock())
    shown: list[Snapshot] = []

    def has_shown(count: int) -> bool:
        return len(shown) == count

    worker = threading.Thread(target=feed.run, args=(shown.append,), daemon=True)
    worker.start()
    assert becomes(partial(has_shown, 1))
    os.write(into, pieces[1][len(pieces[1]) // 2 :])
    for number, piece in enumerate(pieces[2:], 2):
        assert becomes(partial(has_shown, number))
        os.write(into, piece)
    assert becomes(partial(has_shown, len(pieces)))
    assert [told(one) for one in shown] == [told(one) for one in snapshots[:8]]
    assert not feed.playing.at_end
    feed.seek(snapshots[2].time_ns)
    feed.play(False)
    assert becomes(lambda: told(shown[-1]) == told(snapshots[2]) and not feed.playing.on)
    feed.seek(snapshots[-1].time_ns)
    feed.step(1)
    assert becomes(lambda: told(shown[-1]) == told(snapshots[7]))
    assert not feed.playing.at_end
    feed.play(True)
    feed.stop()
    worker.join(ENOUGH_S)
    assert not worker.is_alive()
    feed.close()
    os.close(into)
    os.close(out)


@pytest.mark.parametrize("options", [[], ["--filter", "nginx"]], ids=["lines", "snapshots"])
def test_text_of_what_a_pipe_brings_is_written_as_it_comes(
    snapshots: list[Snapshot], options: list[str]
) -> None:
    command = [sys.executable, "-B", "-m", "tcptop_rtt", "--no-config", "--replay", "-", "--json", *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        giving_up = threading.Timer(60, process.kill)
        giving_up.start()
        for piece in _pieces(snapshots[:4]):
            process.stdin.write(piece)
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith(b'{"event":"refresh"'):
                    break
            else:
                pytest.fail("it has ended")
        process.stdin.close()
        assert process.wait() == 0
        giving_up.cancel()


def _run(*options: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-B", "-m", "tcptop_rtt", "--no-config", *options]
    return subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=False, timeout=120)


@pytest.mark.parametrize("name", KINDS)
def test_the_command_gives_the_same_lines_back(there: Path, name: str) -> None:
    ended = _run("--replay", str(there / name), "--json")
    assert (ended.returncode, ended.stderr) == (0, b"")
    lines = (there / "lines").read_bytes()
    end = b'{"event":"end","lost":0}\n' if name == "recording" else b""
    assert ended.stdout == lines + end


def test_a_condition_and_one_update_ask_for_no_more_of_a_recording(there: Path) -> None:
    ended = _run("--replay", str(there / "recording"), "--json", "--fail-if", "count()>0")
    (line,) = ended.stdout.splitlines()
    assert (ended.returncode, json.loads(line)["event"]) == (3, "held")
    ended = _run("--replay", str(there / "recording"), "--json", "--once")
    told = [json.loads(line)["event"] for line in ended.stdout.splitlines()]
    assert (ended.returncode, told.count("refresh"), told[-1]) == (0, 1, "end")


def test_the_refresh_that_at_names_is_written_and_judged(there: Path, snapshots: list[Snapshot]) -> None:
    def told(*options: str) -> list[dict[str, Any]]:
        ended = _run("--replay", str(there / "recording"), "--json", *options)
        assert ended.stderr == b""
        return [json.loads(line) for line in ended.stdout.splitlines()]

    middle, last = snapshots[30], snapshots[-1]
    for at, wanted in ((_written(middle), middle), ("100%", last)):
        lines = told("--at", at, "--once")
        assert [line["time_ns"] for line in lines if line["event"] == "refresh"] == [wanted.time_ns]
        (line,) = told("--at", at, "--fail-if", "count()>=0")
        assert (line["event"], line["time_ns"]) == ("held", wanted.time_ns)


@pytest.mark.parametrize("options", [["--once"], ["--fail-if", "count()>=0"]], ids=lambda it: it[0])
def test_where_the_only_refresh_has_no_rates_yet_that_is_told(
    tmp_path: Path, snapshots: list[Snapshot], options: list[str]
) -> None:
    (tmp_path / "it").write_bytes(stream_of(snapshots[:1]))
    ended = _run("--replay", str(tmp_path / "it"), *options)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr == (
        b"tcptop-rtt: there is only one refresh, which has no rates: --at 100% takes it as it is\n"
    )


def test_lines_of_what_a_filter_selects_and_tables(there: Path) -> None:
    ended = _run("--replay", "-", "--json", "--filter", "nginx", data=(there / "lines").read_bytes())
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    opened = [line for line in told if line["event"] == "open"]
    assert opened
    assert {line["comm"] for line in opened} == {"nginx"}
    assert told[0]["host"] == "web1"
    ended = _run("--replay", str(there / "recording"), "--count", "3")
    assert ended.stdout.count(b" connections ") == 3
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "nothing in {} can be shown: --record writes what can"),
        (
            b"hello\nworld\n",
            "nothing in {} can be shown: line 1: not a JSON object (and 1 more)",
        ),
        (b'{"event":"x"}\n', "nothing in {} can be shown: line 1: event 'x' is not known to this version"),
        (b"\x1f\x8bnonsense", "nothing in {} can be shown: the gzip data are damaged"),
        (b"\x28\xb5\x2f\xfdnonsense", "nothing in {} can be shown: the zstd data are damaged"),
        (os.urandom(5000), "nothing in {} can be shown: "),
        (
            b"\x5c\x2a\x4d\x18\xff\xff\xff\xff",
            "nothing in {} can be shown: no frame of a recording at byte 0",
        ),
    ],
    ids=["empty", "text", "other", "gzip", "zstd", "random", "frame"],
)
def test_a_file_of_another_program_is_told_in_one_line(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "it"
    path.write_bytes(data)
    ended = _run("--replay", str(path), "--count", "1")
    error = ended.stderr.decode()
    assert ended.returncode == 1
    assert error.startswith("tcptop-rtt: " + complaint.format(path))
    assert error.count("\n") == 1


def test_what_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "no", "cannot open"), (tmp_path, "is no recording")):
        with pytest.raises(TcptopError, match=why):
            replayed(path).open()


def test_lines_that_cannot_be_read_are_left_out_and_named_with_their_place(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    lines = lines_of(snapshots[:10])
    broken = list(lines)
    broken[2] = lines[2][: len(lines[2]) // 2]
    broken.insert(5, b'{"event":"weather","time_ns":1}')
    broken.insert(7, lines[1].replace(b'"srtt_us":', b'"srtt_us":"fast","x":'))
    broken.insert(9, b'{"event":"column","table":"connections","field":"srtt_us","ids":[1e9],"values":[-1]}')
    broken.insert(11, b"\xff\xfe")
    (tmp_path / "it").write_bytes(b"\n".join(broken) + b"\n")
    problems: list[str] = []
    footage = footage_of(open_file(str(tmp_path / "it")), lambda: False, problems.append)
    footage.close()
    feed = replayed(tmp_path / "it")
    again = list(feed.snapshots())
    assert [one.time_ns for one in again] == [one.time_ns for one in snapshots[:10]]
    assert feed.problem.startswith("line 3: not a JSON object")
    for at, why in ((6, "event 'weather'"), (12, "not a JSON object")):
        assert any(problem.startswith(f"line {at}: ") and why in problem for problem in feed._problems.found)
    assert any("srtt_us: no such value" in problem for problem in feed._problems.found)
    feed.close()


def test_hostile_lines_neither_end_it_nor_take_more_than_they_may(tmp_path: Path) -> None:
    numbers = [-1, 2**70, 1.5, "x", None, [], {}, True]
    lines = [b'{"event":"header","version":99,"host":"\\u001b[2J","kernel":"","hook":"","boot_time_ns":1}']
    for value in numbers:
        names = ("id", "srtt_us", "laddr", "comm", "state", "closed", "pid")
        lines += [
            json.dumps({"event": "open", "time_ns": 1, "id": 3, name: value}).encode() for name in names
        ]
        for event in ("refresh", "waiting", "listener", "target", "column", "state", "end"):
            others = ("time_ns", "clock_ns", "gone", "health", "table", "field", "ids", "values", "second")
            line = dict.fromkeys(others, value) | {"event": event}
            lines.append(json.dumps(line).encode())
    lines += [b"{"] * 1001
    lines.append(b'{"event":"refresh","time_ns":5,"clock_ns":5,"gone":[],"health":{}}')
    (tmp_path / "it").write_bytes(b"\n".join(lines) + b"\n")
    feed = replayed(tmp_path / "it")
    assert [one.time_ns for one in feed.snapshots()][-1] == 5
    assert "\x1b" not in feed.origin.host
    assert any("version 99" in problem for problem in feed._problems.found)
    assert len(feed._problems.found) == 1000
    feed.close()


_FAT = b'{"event":"open","id":1,"x":"%b"}\n' % (b"a" * (1 << 20))
_NESTED = b'{"event":"state","values":[%b1]}\n' % (b"[]," * (1 << 21))
_MOMENTS = b'{"event":"moment","x":"%b"}\n' % (b"a" * 1000) * (1 << 10)


@pytest.mark.parametrize(
    ("repeated", "said"),
    [
        (b" " * (1 << 20), "a line of more than 67,108,864 bytes"),
        (b"xyz\n" * (1 << 18), "line 1: not a JSON object (and 999 more)"),
        (_FAT, "it is longer than 65,536 bytes"),
        (_NESTED, "line 1: no JSON object, or lists in lists"),
        (_MOMENTS, "expands too much: reading stops there"),
    ],
    ids=["blanks", "no-lines", "fat-lines", "lists-in-lists", "no-snapshot"],
)
def test_a_little_file_that_makes_much_is_read_in_parts(tmp_path: Path, repeated: bytes, said: str) -> None:
    """A gigabyte is given up long before it fills the memory."""
    compressor = ZstdCompressor(level=3)
    parts = range((1 << 30) // len(repeated))
    packed = b"".join(compressor.compress(repeated) for _ in parts) + compressor.flush()
    assert len(packed) < 400_000
    (tmp_path / "it").write_bytes(packed)
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "import sys; sys.argv[0] = 'tcptop-rtt'; from tcptop_rtt.cli import main; sys.exit(main())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "--no-config", "--replay", str(tmp_path / "it"), "--count", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, env={"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ended.returncode == 1
    assert said in ended.stderr


def test_lines_of_before_there_were_refreshes_are_shown(tmp_path: Path, snapshots: list[Snapshot]) -> None:
    older = [
        line
        for line in lines_of(snapshots)
        if json.loads(line)["event"] in ("header", "open", "sample", "close")
    ]
    (tmp_path / "it").write_bytes(b"\n".join(older) + b"\n")
    again = list(replayed(tmp_path / "it").snapshots())
    times = sorted({json.loads(line)["time_ns"] for line in older[1:]})
    assert [one.time_ns for one in again] == times
    last = {
        json.loads(line)["id"]: json.loads(line)["srtt_us"] for line in older[1:] if b'"close"' not in line
    }
    rows = again[-1].rows
    open_ = ~rows["closed"]
    shown = dict(zip(rows["id"][open_].tolist(), rows["srtt_us"][open_].tolist(), strict=True))
    assert shown
    assert all(shown[id_] == (last[id_] or 0) for id_ in shown)
    assert np.isnan(again[0].cells_us[0]).all()


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut-off"])
def test_of_two_runs_in_one_file_the_second_shows_nothing_of_the_first(
    tmp_path: Path, snapshots: list[Snapshot], cut: bool
) -> None:
    """As of --json >> FILE, also where the first one was ended in the middle of its last update."""
    later, first = World(6, snapshots[-1].clock_ns + 60 * S), snapshots[:20]
    second = [later.step() for _ in range(20)]
    lines = lines_of(first)
    text = b"\n".join(lines[:-1] if cut else lines) + b"\n"
    (tmp_path / "it").write_bytes(text + stream_of(second))
    feed = replayed(tmp_path / "it", paced=True, at=_written(second[-1]))
    feed.open()
    come = feed.snapshots()
    assert told(next(come)) == told(second[-1])
    kept = first[:-1] if cut else first
    for one in (second[0], kept[-1], second[7]):
        feed.seek(one.time_ns)
        assert told(next(come)) == told(one)
    feed.close()
    feed = replayed(tmp_path / "it")
    assert list(map(told, feed.snapshots())) == list(map(told, [*kept, *second]))
    assert feed.problem == ""
    feed.close()


def test_of_two_runs_of_before_there_were_refreshes_both_are_whole(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    events = ("header", "open", "sample", "close")
    later = World(6, snapshots[-1].clock_ns + 60 * S)
    runs = [
        b"".join(line + b"\n" for line in lines_of(run) if json.loads(line)["event"] in events)
        for run in (snapshots, [later.step() for _ in range(20)])
    ]
    alone: list[dict[str, Any]] = []
    for number, run in enumerate(runs):
        (tmp_path / str(number)).write_bytes(run)
        alone += map(told, replayed(tmp_path / str(number)).snapshots())
    (tmp_path / "both").write_bytes(b"".join(runs))
    assert list(map(told, replayed(tmp_path / "both").snapshots())) == alone


def test_what_cannot_be_read_is_counted_once_however_often_one_goes_there(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    record(tmp_path / "whole", snapshots).end(0)
    data = bytearray((tmp_path / "whole").read_bytes())
    frames = contents(bytes(data)).frames
    damaged = frames[len(frames) // 2]
    data[damaged.at + damaged.size // 2] ^= 0xFF
    (tmp_path / "it").write_bytes(data)
    feed = replayed(tmp_path / "it", paced=True)
    feed.open()
    come = feed.snapshots()
    next(come)
    said = set()
    for _ in range(3):
        feed.seek(snapshots[-1].time_ns)
        next(come)
        feed.seek(damaged.head.time_ns + 1)
        next(come)
        feed.step(30)
        next(come)
        said.add(feed.problem)
    assert len(said) == 1
    assert "is damaged" in said.pop()
    feed.close()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--json"], 0),
        (["--count", "60"], 0),
        (["--fail-if", "count()>100000"], 0),
        (["--fail-if", "count()>=0 for 1m"], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_where_text_is_written_a_line_says_what_cannot_be_read(
    there: Path, tmp_path: Path, options: list[str], code: int
) -> None:
    data = bytearray((there / "recording").read_bytes())
    damaged = contents(bytes(data)).frames[1]
    data[damaged.at + damaged.size // 2] ^= 0xFF
    (tmp_path / "it").write_bytes(data)
    ended = _run("--replay", str(tmp_path / "it"), *options)
    assert ended.stderr.decode().startswith(
        "tcptop-rtt: not all of the recording can be read: "
        f"the frame at byte {damaged.at:,} is damaged: the rest of it is left out"
    )
    assert ended.stderr.count(b"\n") == 1
    assert ended.returncode == code


def test_a_condition_that_has_to_hold_for_longer_than_is_recorded_is_no_success(there: Path) -> None:
    ended = _run("--replay", str(there / "recording"), "--fail-if", "count()>=0 for 2h")
    assert re.fullmatch(
        rb"tcptop-rtt: there were only \S+ to judge, and a condition has to hold for 2h\n", ended.stderr
    )
    assert ended.returncode == 1


@pytest.mark.parametrize("head", [False, True], ids=["data", "head-and-data"])
def test_after_a_damaged_place_the_next_whole_state_says_what_there_is(tmp_path: Path, head: bool) -> None:
    """The second connection goes in the damaged frame, which is not the last one before a state."""
    made = [snapshot_at((100 + at) * S, row(1), *([row(2)] if at < 15 else [])) for at in range(70)]
    record(tmp_path / "whole", made).end(0)
    data = (tmp_path / "whole").read_bytes()
    frames = contents(data).frames
    assert [str(frame.head.kind) for frame in frames[2:5]] == ["state", "more", "more"]
    state = next(frame for frame in frames[4:] if frame.head.kind == "state")
    begin = frames[2].at + frames[2].size if head else frames[3].at
    end = frames[3].at + 20
    whole = len(data) if not head else frames[-1].at + frames[-1].size  # the index has all heads again
    (tmp_path / "it").write_bytes((data[:begin] + bytes(end - begin) + data[end:])[:whole])
    feed = replayed(tmp_path / "it")
    again = list(feed.snapshots())
    assert feed.problem
    times = [one.clock_ns for one in again]
    assert times == sorted(set(times))
    assert times[-1] == made[-1].clock_ns
    later = [one for one in again if one.clock_ns > state.head.clock_ns]
    assert later
    assert all(one.rows["id"].tolist() == [1] for one in later)
    feed.close()
